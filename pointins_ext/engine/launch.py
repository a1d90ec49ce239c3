"""Start the processes of a run: in place, by spawning, or as torchrun started us."""

import logging
import os
import socket
import sys
from datetime import timedelta

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from pointins_ext.engine import comm
from pointins_ext.errors import UserError

TIMEOUT = timedelta(minutes=60)


def launch(main_func, num_gpus_per_machine, num_machines=1, machine_rank=0, dist_url="auto", cfg=()):
    """Run main_func(*cfg) in every process of the run; NCCL on GPUs, gloo without.

    torchrun's variables decide where present; else `num_gpus_per_machine` processes are spawned, and a world of one (or
    zero) GPU stays in this process. ValueError for more GPUs than there are and for several machines without a url.
    """
    if {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys():
        return _run(main_func, int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), "env://", cfg)
    if torch.cuda.is_available() and num_gpus_per_machine > torch.cuda.device_count():
        raise UserError(f"{num_gpus_per_machine} GPUs asked, {torch.cuda.device_count()} found; lower -g / --num-gpus")
    world_size = num_machines * num_gpus_per_machine
    if world_size <= 1:
        return main_func(*cfg)
    if dist_url == "auto":
        if num_machines > 1:
            raise UserError("several machines need the address of machine 0: --dist-url tcp://HOST:PORT")
        dist_url = f"tcp://127.0.0.1:{_free_port()}"
    args = (main_func, num_gpus_per_machine, machine_rank, world_size, dist_url, cfg)
    mp.spawn(_spawned, args=args, nprocs=num_gpus_per_machine)


def _spawned(local_rank, main_func, num_gpus_per_machine, machine_rank, world_size, dist_url, cfg):
    os.environ["LOCAL_RANK"] = str(local_rank)
    if "fork" in mp.get_all_start_methods():
        # for the data loader's workers, as in a run of one process: spawned ones would import everything again
        mp.set_start_method("fork", force=True)
    _run(main_func, machine_rank * num_gpus_per_machine + local_rank, world_size, dist_url, cfg)


def _run(main_func, rank, world_size, dist_url, cfg):
    if world_size == 1:
        return main_func(*cfg)
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, dist_url, world_size=world_size, rank=rank, timeout=TIMEOUT)
    comm.synchronize()
    main_func(*cfg)
    leave_group()


def leave_group():
    """End this process once every other one is done; NCCL's group is closed, and the process goes on.

    DistributedDataParallel keeps gloo's threads alive beyond destroy_process_group (seen in torch 2.13), and one that
    wants the GIL while the interpreter shuts down aborts the process: so that shutdown is left out.
    """
    if dist.get_backend() != "gloo":
        return dist.destroy_process_group()
    dist.barrier()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _free_port():
    with socket.socket() as connection:
        connection.bind(("127.0.0.1", 0))
        return connection.getsockname()[1]
