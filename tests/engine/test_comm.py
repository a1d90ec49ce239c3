"""Communication, also without a process group."""

from pointins_ext.engine import comm


def test_one_process_without_a_group():
    assert (comm.get_world_size(), comm.get_rank(), comm.get_local_rank()) == (1, 0, 0)
    assert comm.all_gather(3) == [3] and comm.gather(3) == [3]
    comm.synchronize()
