"""The preprocessing of pictures and other arrays: mean 0 and deviation 1 over the training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from torchstone.data.rows import PictureRows, TensorRows
from torchstone.errors import DataError
from torchstone.task import InputSpec

if TYPE_CHECKING:
    from torchstone.data.samples import Samples

_CHUNK_ROWS = 1024


class PicturePreprocessing:
    """Standardises pictures per channel; they stay bytes until a batch is made.

    Args:
        shape: the shape of one picture, `(C, H, W)`.
        mean, std: of each channel over the pixels of the training rows, in units of the pixels (0 to 255).
    """

    kind = "pictures"

    def __init__(self, shape: tuple[int, ...], mean: list[float], std: list[float]) -> None:
        self.shape = shape
        self.mean = mean
        self.std = std
        self.columns_used = ["pixels"]
        self.columns_left_out: dict[str, str] = {}

    @classmethod
    def fit(cls, samples: Samples, train_indices: np.ndarray) -> PicturePreprocessing:
        """Fit on the training rows of pictures `(N, C, H, W)`, uint8.

        Sums of whole numbers are exact, so that no order of adding changes a bit.
        """
        pixels = _array(samples)
        channels = pixels.shape[1]
        counts = np.zeros((channels, 256), dtype=np.int64)
        for start in range(0, len(train_indices), _CHUNK_ROWS):
            some = pixels[train_indices[start : start + _CHUNK_ROWS]]
            for channel in range(channels):
                counts[channel] += np.bincount(some[:, channel].reshape(-1), minlength=256)
        values = np.arange(256, dtype=np.float64)
        total = counts.sum(1)
        mean = counts @ values / total
        variance = np.array([row @ (values - m) ** 2 for row, m in zip(counts, mean, strict=True)]) / total
        std = np.where(variance > 0, np.sqrt(variance), 1.0)
        return cls(tuple(pixels.shape[1:]), mean.tolist(), std.tolist())

    @property
    def spec(self) -> InputSpec:
        """What a model is fed with."""
        return InputSpec(self.shape)

    def encode(self, samples: Samples) -> PictureRows:
        """All pictures.

        Raises:
            DataError: pictures of another shape or dtype than in training.
        """
        pixels = _array(samples)
        _check_shape(samples.name, pixels, self.shape, "pictures")
        if pixels.dtype != np.uint8:
            raise DataError(
                f"{samples.name}: pixels are {pixels.dtype}; they were uint8 in training.",
                hint="Give pictures as bytes, 0 to 255.",
            )
        return PictureRows(_as_tensor(pixels), torch.tensor(self.mean), torch.tensor(self.std))

    def to_json(self) -> dict[str, Any]:
        """The preprocessing as JSON values; floats are exact, as Python writes them."""
        return {"kind": self.kind, "shape": list(self.shape), "mean": self.mean, "std": self.std}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> PicturePreprocessing:
        """The inverse of `to_json`."""
        return cls(tuple(values["shape"]), values["mean"], values["std"])


class ArrayPreprocessing:
    """Standardises an array `(N, *shape)` of three or more axes.

    Args:
        shape: the shape of one sample.
        mean, std: one for each channel (the first axis of a sample) of `(C, H, W)`, else one for all values.
    """

    kind = "array"

    def __init__(self, shape: tuple[int, ...], mean: list[float], std: list[float]) -> None:
        self.shape = shape
        self.mean = mean
        self.std = std
        self.columns_used = ["values"]
        self.columns_left_out: dict[str, str] = {}

    @classmethod
    def fit(cls, samples: Samples, train_indices: np.ndarray) -> ArrayPreprocessing:
        """Fit on the training rows.

        Raises:
            DataError: a value is missing or infinite.
        """
        values = _array(samples)
        _check_finite(samples, values)
        axes = (0, 2, 3) if values.ndim == 4 else tuple(range(values.ndim))
        train = values[train_indices]
        mean = np.atleast_1d(train.mean(axis=axes, dtype=np.float64))
        std = np.atleast_1d(train.std(axis=axes, dtype=np.float64))
        return cls(tuple(values.shape[1:]), mean.tolist(), np.where(std > 0, std, 1.0).tolist())

    @property
    def spec(self) -> InputSpec:
        """What a model is fed with."""
        return InputSpec(self.shape)

    def encode(self, samples: Samples) -> TensorRows:
        """All samples, float32 `(N, *shape)`.

        Raises:
            DataError: samples of another shape than in training, missing or infinite values.
        """
        values = _array(samples)
        _check_shape(samples.name, values, self.shape, "samples")
        _check_finite(samples, values)
        axes = (slice(None),) + (None,) * (len(self.shape) - 1)
        mean, std = np.array(self.mean), np.array(self.std)
        scaled = (values - mean[axes]) / std[axes]
        return TensorRows(torch.from_numpy(scaled.astype(np.float32)))

    def to_json(self) -> dict[str, Any]:
        """The preprocessing as JSON values; floats are exact, as Python writes them."""
        return {"kind": self.kind, "shape": list(self.shape), "mean": self.mean, "std": self.std}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ArrayPreprocessing:
        """The inverse of `to_json`."""
        return cls(tuple(values["shape"]), values["mean"], values["std"])


def _array(samples: Samples) -> np.ndarray:
    if isinstance(samples.features, np.ndarray):
        return samples.features
    raise DataError(f"{samples.name} is a table; the model was trained on an array.")


def _check_shape(name: str, values: np.ndarray, shape: tuple[int, ...], what: str) -> None:
    if tuple(values.shape[1:]) != shape:
        raise DataError(f"{name}: {what} of shape {tuple(values.shape[1:])}; in training they were {shape}.")


def _check_finite(samples: Samples, values: np.ndarray) -> None:
    if values.dtype.kind != "f":
        return
    finite = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    if not finite.all():
        first = int(np.flatnonzero(~finite)[0])
        raise DataError(
            f"{samples.name}: {int((~finite).sum())} samples have missing or infinite values, the first is "
            f"{samples.place(first)}.",
            hint="Fill or remove them; only tables are filled.",
        )


def _as_tensor(pixels: np.ndarray) -> torch.Tensor:
    pixels = np.ascontiguousarray(pixels)
    return torch.from_numpy(pixels if pixels.flags.writeable else pixels.copy())
