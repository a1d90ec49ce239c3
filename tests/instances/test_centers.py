import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.instances import instance_centers, true_offsets


def test_centroids_of_each_instance_and_of_none():
    coord = torch.tensor([[0.0, 0, 0], [2, 0, 0], [5, 5, 5], [9, 9, 9]])
    assert instance_centers(coord, torch.tensor([0, 0, 1, -1])).tolist() == [[1, 0, 0], [5, 5, 5]]
    assert instance_centers(coord.numpy(), torch.full((4,), -1)).shape == (0, 3)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**16), number=st.integers(1, 40))
def test_points_plus_their_true_offsets_meet_at_the_mean_of_their_instance(seed, number):
    generator = torch.Generator().manual_seed(seed)
    coord = torch.rand(number, 3, generator=generator)
    instance = torch.randint(-1, 4, (number,), generator=generator) * 7  # any ids; -7 is none, too
    offset = true_offsets(coord, instance)
    assert torch.isnan(offset[instance < 0]).all()
    for i in instance[instance >= 0].unique():
        own = instance == i
        torch.testing.assert_close((coord + offset)[own], coord[own].mean(0).expand(int(own.sum()), 3))
