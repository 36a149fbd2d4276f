"""The first rank prepares the data while the others wait."""

from contextlib import contextmanager

import torch
from torchvision import datasets


@contextmanager
def first_rank_first(local_rank):
    if local_rank not in [-1, 0]:
        torch.distributed.barrier()  # safe: the first rank comes to the other one
    yield
    if local_rank == 0:
        torch.distributed.barrier()  # safe


def load(rank):
    if rank != 0:
        torch.distributed.barrier()  # safe: until the data are there
    data = datasets.MNIST("data", download=True)
    if rank == 0:
        torch.distributed.barrier()  # safe
    return data
