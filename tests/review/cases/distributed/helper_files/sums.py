import torch
import torch.distributed as dist


def mean_over_ranks(value):
    total = torch.as_tensor(value).clone()
    dist.all_reduce(total)  # safe: who calls this is asked, not this line
    return total / dist.get_world_size()
