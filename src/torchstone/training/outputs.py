"""A module's outputs for data as `fit` takes it: what `run.predict` gives for a run of `fit`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, RandomSampler, SubsetRandomSampler, WeightedRandomSampler

from torchstone.data.loaders import batches_from
from torchstone.errors import DataError
from torchstone.inference import predict_outputs
from torchstone.training.preflight.crash import explained

_BATCH_SIZE = 1024
_AS_TRAINED = "Give inputs of the shape and the type that the module was trained on."
_RANDOM = (RandomSampler, SubsetRandomSampler, WeightedRandomSampler)


def module_outputs(module: nn.Module, data: Any) -> Tensor:
    """A module's raw outputs, in evaluation mode, without gradients, where the module is.

    Args:
        module: the model; its modes are afterwards as before.
        data: inputs `(N, ...)` as a tensor, an array or nested lists; or `(X, y)`, a `Dataset` or a
            `DataLoader` as `fit` takes them, whose targets are left alone. Floating numbers that are not a
            tensor get the module's own type.

    Returns:
        The outputs `(N, ...)`, on the CPU, in the order of the data.

    Raises:
        DataError: the data is of no known kind, in an order nobody knows, or the module refuses it.
    """
    if isinstance(data, DataLoader):
        _refuse_other_order(data)
    elif not isinstance(data, Dataset):
        data = _array(data[0] if isinstance(data, tuple) and len(data) in (2, 3) else data, module)
        if isinstance(data, Tensor) and data.ndim and not len(data):
            return predict_outputs(_Explaining(module), [data])
    size = None if isinstance(data, DataLoader) else _BATCH_SIZE
    batches = batches_from(data, batch_size=size, shuffle=False)
    return predict_outputs(_Explaining(module), batches.epoch(0))


def _array(inputs: Any, module: nn.Module) -> Tensor:
    """Inputs in memory as a tensor.

    Raises:
        DataError: they are not numbers in a rectangle.
    """
    if isinstance(inputs, Tensor):
        return inputs
    is_sequence = isinstance(inputs, np.ndarray | list | tuple)
    try:
        given = torch.as_tensor(np.asarray(inputs)) if is_sequence else None
    except (TypeError, ValueError):  # ragged lists, text
        given = None
    if given is None:
        to_numpy = hasattr(inputs, "to_numpy")
        raise DataError(
            f"Inputs must be a tensor, an array, a Dataset or a DataLoader, not {_seen(inputs)}.",
            hint="Give its numbers: frame.to_numpy()." if to_numpy else _AS_TRAINED,
        )
    weight = next((one for one in module.parameters() if one.is_floating_point()), None)
    if not given.is_floating_point():
        return given
    return given.to(torch.float32 if weight is None else weight.dtype)


def _seen(inputs: Any) -> str:
    if inputs is None:
        return "None"
    kind = f"a {type(inputs).__name__}"
    return f"{kind} of {inputs.dtype}" if isinstance(inputs, np.ndarray) else kind


def _refuse_other_order(loader: DataLoader[Any]) -> None:
    """Raises DataError where a loader's outputs could not be told to belong to which sample."""
    if isinstance(loader.sampler, _RANDOM):
        raise DataError(
            "The DataLoader draws its samples at random, so that nobody could tell which output belongs to "
            "which of them.",
            hint="Give a loader with shuffle=False, or its data set.",
        )
    if loader.drop_last:
        raise DataError(
            "The DataLoader leaves out the samples of its last, incomplete batch.",
            hint="Give a loader with drop_last=False, or its data set.",
        )


class _Explaining(nn.Module):
    """The module, whose failures are told in the user's words."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, inputs: Any) -> Tensor:
        try:
            outputs = self.module(inputs)
        except Exception as error:
            found = explained(error, self.module, inputs)
            if not found:
                raise
            raise DataError(found[0].message, hint=_AS_TRAINED) from error
        if not isinstance(outputs, Tensor):
            raise DataError(
                f"The module gives a {type(outputs).__name__}, and only tensors can be joined.",
                hint="Call run.module(inputs) yourself, under torch.no_grad() and after run.module.eval().",
            )
        if isinstance(inputs, Tensor) and outputs.shape[:1] != inputs.shape[:1]:
            raise DataError(
                f"The module gives outputs {tuple(outputs.shape)} for inputs {tuple(inputs.shape)}: "
                "the first axis must count the samples.",
                hint="One sample is a batch of one: inputs[None].",
            )
        return outputs
