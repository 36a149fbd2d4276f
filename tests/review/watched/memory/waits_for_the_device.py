"""Losses that are read from a device in each step.

There is no device here: tensors on `meta` that keep their values on the CPU stand for those of one, as
reading them goes the same way. Work that the device has to do first is a short sleep.
"""

import time

import torch
from torch import nn
from torch.utils._pytree import tree_map_only


class Far(torch.Tensor):
    """A tensor on another device."""

    @staticmethod
    def __new__(cls, held):
        return torch.Tensor._make_wrapper_subclass(cls, held.shape, dtype=held.dtype, device="meta")

    def __init__(self, held):
        self.held = held

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        to_host = func is torch.ops.aten._to_copy.default and str((kwargs or {}).get("device")) == "cpu"
        args, kwargs = tree_map_only(Far, lambda one: one.held, (args, kwargs or {}))
        if to_host or func is torch.ops.aten._local_scalar_dense.default:
            time.sleep(0.003)
        result = func(*args, **kwargs)
        return result if to_host else tree_map_only(torch.Tensor, Far, result)


model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
total, best, last = 0.0, None, torch.zeros(3)
for step in range(20):
    optimizer.zero_grad()
    loss = model(torch.randn(8, 4)).square().mean()
    loss.backward()
    optimizer.step()
    far = Far(loss.detach())
    total += far.item()  # TS701
    if far < 1e9:  # TS701
        last = Far(last).cpu()  # TS701
    if step % 2 == 0:
        best = float(far)  # every other step
print(total, best, last.tolist())
