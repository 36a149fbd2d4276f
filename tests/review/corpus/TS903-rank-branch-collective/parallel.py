"""What several processes need to work together."""

import os
import socket
from datetime import timedelta

import torch
import torch.distributed as dist


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def setup(rank, world_size, port):
    os.environ["MASTER_ADDR"] = "127.0.0.1"
    os.environ["MASTER_PORT"] = str(port)
    dist.init_process_group("gloo", rank=rank, world_size=world_size, timeout=timedelta(seconds=3))
    torch.set_num_threads(1)
    torch.manual_seed(0)


def is_main_process():
    return dist.get_rank() == 0


def mean_over_ranks(value):
    """The mean of a number over all processes."""
    if not dist.is_initialized():
        return value
    total = torch.tensor([value], dtype=torch.float64)
    dist.all_reduce(total)
    return total.item() / dist.get_world_size()
