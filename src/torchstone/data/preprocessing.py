"""From raw samples to a model's inputs and targets: fitted on training rows only, kept as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from torchstone.data.array_preprocessing import ArrayPreprocessing, PicturePreprocessing
from torchstone.data.rows import Rows
from torchstone.data.table_preprocessing import TablePreprocessing
from torchstone.errors import RunError
from torchstone.task import InputSpec

if TYPE_CHECKING:
    from torchstone.data.samples import Samples

_CLASSES: dict[str, Any] = {
    preprocessing.kind: preprocessing
    for preprocessing in (TablePreprocessing, PicturePreprocessing, ArrayPreprocessing)
}


class Preprocessing(Protocol):
    """What every kind of preprocessing has."""

    kind: str
    columns_left_out: dict[str, str]

    @property
    def columns_used(self) -> list[str]:
        """The names of the columns that are inputs."""
        ...

    @property
    def spec(self) -> InputSpec:
        """What a model is fed with."""
        ...

    def encode(self, samples: Samples) -> Rows:
        """All samples as the model's inputs."""
        ...

    def to_json(self) -> dict[str, Any]:
        """The preprocessing as JSON values."""
        ...


def fit_preprocessing(
    samples: Samples,
    train_indices: np.ndarray,
    *,
    left_out: Mapping[str, str] | None = None,
    time: str | None = None,
) -> Preprocessing:
    """The preprocessing that fits the samples, fitted on their training rows.

    A table and an array `(N, F)` are fitted column by column, bytes `(N, C, H, W)` as pictures.

    Args:
        samples: all samples.
        train_indices: the only rows that are looked at.
        left_out: columns that are no inputs, with reasons (`Split.left_out`).
        time: the column that rows were cut by (`Split.time`).

    Raises:
        DataError: nothing is left to learn from, or an array has missing values.
    """
    features = samples.features
    if not isinstance(features, np.ndarray) or features.ndim == 2:
        return TablePreprocessing.fit(samples, train_indices, left_out=left_out, time=time)
    if features.ndim == 4 and features.dtype == np.uint8:
        return PicturePreprocessing.fit(samples, train_indices)
    return ArrayPreprocessing.fit(samples, train_indices)


def load_preprocessing(values: dict[str, Any]) -> Preprocessing:
    """The inverse of `to_json` of any kind of preprocessing.

    Raises:
        RunError: a kind that this version does not know.
    """
    if values.get("kind") not in _CLASSES:
        raise RunError(
            f'The preprocessing is of kind "{values.get("kind")}"; known are {", ".join(_CLASSES)}.',
            hint="Was the run made by a newer version?",
        )
    loaded: Preprocessing = _CLASSES[values["kind"]].from_json(values)
    return loaded


_Values = TypeVar("_Values", np.ndarray, Tensor)


@dataclass(frozen=True)
class TargetScaling:
    """The scale in which a model learns numbers: zero mean and unit deviation over the training rows.

    Args:
        mean, std: one for each target; empty when targets are left as they are (classification).
    """

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @classmethod
    def fit(cls, values: np.ndarray, train_indices: np.ndarray) -> TargetScaling:
        """Fitted on the training rows of float targets `(N, T)`; a constant target is only centred."""
        train = values[train_indices].astype(np.float64)
        mean, std = train.mean(axis=0), train.std(axis=0)
        return cls(tuple(mean.tolist()), tuple(np.where(std > 0, std, 1.0).tolist()))

    def scale(self, values: _Values) -> _Values:
        """Targets `(N, T)`, an array or a tensor, as the model learns them; in their own dtype."""
        if not self.mean:
            return values
        scaled: _Values = (values - _like(self.mean, values)) / _like(self.std, values)
        return scaled

    def unscale(self, values: _Values) -> _Values:
        """The inverse of `scale`: a model's outputs `(N, T)` in the units of the targets."""
        if not self.mean:
            return values
        unscaled: _Values = values * _like(self.std, values) + _like(self.mean, values)
        return unscaled

    def to_json(self) -> dict[str, Any]:
        """The scaling as JSON values; floats are exact, as Python writes them."""
        return {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TargetScaling:
        """The inverse of `to_json`."""
        return cls(tuple(values["mean"]), tuple(values["std"]))


def _like(numbers: tuple[float, ...], values: Any) -> Any:
    """Numbers as an array or tensor of the same dtype as `values`, in the same place."""
    if isinstance(values, Tensor):
        return torch.tensor(numbers, dtype=values.dtype, device=values.device)
    return np.array(numbers, dtype=values.dtype)
