"""Rows: all samples of a data set as tensors, from which batches are gathered.

A kind of rows keeps its samples in the smallest form (codes of categories, bytes of pixels) and makes the
model's input only for the rows that are asked for.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor


class Rows(Protocol):
    """All samples of a data set in a form that can be gathered by index."""

    def __len__(self) -> int: ...

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample as the model sees it."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the samples are kept and gathered."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes that all samples take as they are kept."""
        ...

    @property
    def row_bytes(self) -> int:
        """Bytes that one sample takes as the model sees it."""
        ...

    def take(self, indices: Tensor) -> Tensor:
        """The samples at `indices` (int64 `(B,)`, on `device`) as the model sees them, `(B, *shape)`."""
        ...

    def to(self, device: torch.device | str) -> Rows:
        """The same rows kept on `device`."""
        ...


class TableRows:
    """The rows of an encoded table: `[numeric inputs | one-hot block | one-hot block ...]`, float32.

    Args:
        numeric: scaled columns and 0/1 indicators, float32 `(N, n)`.
        codes: for each categorical column the place within its one-hot block, int32 `(N, m)`.
        widths: the widths of the one-hot blocks.
    """

    def __init__(self, numeric: Tensor, codes: Tensor, widths: tuple[int, ...]) -> None:
        if codes.shape[1] != len(widths):
            raise ValueError(f"{codes.shape[1]} columns of codes, {len(widths)} widths")
        self.numeric = numeric
        self.codes = codes
        self.widths = widths
        starts = [numeric.shape[1] + sum(widths[:block]) for block in range(len(widths))]
        self._starts = torch.tensor(starts, dtype=torch.int64, device=codes.device)

    def __len__(self) -> int:
        return self.numeric.shape[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample, `(n + sum(widths),)`."""
        return (self.numeric.shape[1] + sum(self.widths),)

    @property
    def device(self) -> torch.device:
        """Where the rows are kept."""
        return self.numeric.device

    @property
    def nbytes(self) -> int:
        """Bytes that all rows take as they are kept."""
        return self.numeric.nbytes + self.codes.nbytes

    @property
    def row_bytes(self) -> int:
        """Bytes that one encoded row takes."""
        return 4 * self.shape[0]

    def take(self, indices: Tensor) -> Tensor:
        """The rows at `indices`, float32 `(B, n + sum(widths))`."""
        numeric = self.numeric.index_select(0, indices)
        if not self.widths:
            return numeric
        rows = numeric.new_zeros(len(indices), self.shape[0])
        rows[:, : numeric.shape[1]] = numeric
        places = self.codes.index_select(0, indices).to(torch.int64) + self._starts
        return rows.scatter_(1, places, 1.0)

    def to(self, device: torch.device | str) -> TableRows:
        """The same rows kept on `device`."""
        return TableRows(self.numeric.to(device), self.codes.to(device), self.widths)


class PictureRows:
    """Pictures kept as bytes; standardised per channel when they are taken.

    Args:
        pixels: uint8 `(N, C, H, W)`.
        mean: the mean of each channel, in units of `pixels` (0 to 255), float32 `(C,)`.
        std: the standard deviation of each channel in the same units, float32 `(C,)`.
    """

    def __init__(self, pixels: Tensor, mean: Tensor, std: Tensor) -> None:
        self.pixels = pixels
        self.mean = mean.to(pixels.device, torch.float32)
        self.std = std.to(pixels.device, torch.float32)

    def __len__(self) -> int:
        return self.pixels.shape[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one picture, `(C, H, W)`."""
        return tuple(self.pixels.shape[1:])

    @property
    def device(self) -> torch.device:
        """Where the pictures are kept."""
        return self.pixels.device

    @property
    def nbytes(self) -> int:
        """Bytes that all pictures take as they are kept."""
        return self.pixels.nbytes

    @property
    def row_bytes(self) -> int:
        """Bytes that one standardised picture takes."""
        return 4 * math.prod(self.shape)

    def take(self, indices: Tensor) -> Tensor:
        """The pictures at `indices`, float32 `(B, C, H, W)`."""
        pixels = self.pixels.index_select(0, indices).to(torch.float32)
        return pixels.sub_(self.mean[:, None, None]).div_(self.std[:, None, None])

    def to(self, device: torch.device | str) -> PictureRows:
        """The same pictures kept on `device`."""
        return PictureRows(self.pixels.to(device), self.mean, self.std)


class TensorRows:
    """The rows of a tensor, as they are.

    Args:
        tensor: any dtype, `(N, *shape)`.
    """

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    def __len__(self) -> int:
        return self.tensor.shape[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one row."""
        return tuple(self.tensor.shape[1:])

    @property
    def device(self) -> torch.device:
        """Where the tensor is."""
        return self.tensor.device

    @property
    def nbytes(self) -> int:
        """Bytes of the tensor."""
        return self.tensor.nbytes

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.tensor.element_size() * math.prod(self.shape)

    def take(self, indices: Tensor) -> Tensor:
        """The rows at `indices`, `(B, *shape)` in the tensor's dtype."""
        return self.tensor.index_select(0, indices)

    def to(self, device: torch.device | str) -> TensorRows:
        """The same rows kept on `device`."""
        return TensorRows(self.tensor.to(device))
