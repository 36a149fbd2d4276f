"""How a column of categories becomes a one-hot block of a model's inputs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl

from torchstone.data.conversion import to_categories

MOST_CATEGORIES = 255
"""Categories of a column that have a place of their own; the others share one."""

MOST_RARE = 10_000
"""Rare categories of a column that are remembered, so that unseen ones can be told from them."""


@dataclass(frozen=True)
class CategoricalColumn:
    """A column of categories: a one-hot block `[categories... | rare | missing]`.

    The places for rare and missing values exist when training rows have such values, so that every place is
    trained. An unseen category takes the place of the rare ones, else that of the most frequent category;
    so does a missing value when none was missing in training.

    Args:
        name: the column's name.
        categories: those with a place of their own, sorted.
        frequent: the index of the most frequent of them.
        rare: whether there is a place for rare categories.
        missing: whether there is a place for missing values.
        seen: the rare categories of the training rows, sorted; None where they are too many to be kept, and
            in runs of earlier versions.
    """

    kind: ClassVar[str] = "categorical"
    name: str
    categories: tuple[str, ...]
    frequent: int
    rare: bool
    missing: bool
    seen: tuple[str, ...] | None = None

    @classmethod
    def fit(cls, column: pl.Series) -> CategoricalColumn | str:
        """Fitted on a column's training rows, or the reason why it is left out."""
        texts = to_categories(column)
        counts = texts.drop_nulls().value_counts()
        if counts.is_empty():
            return "no value in the training rows"
        counts = counts.sort(["count", column.name], descending=[True, False])
        least = max(2, min(10, len(column) // 1000))
        kept = counts.filter(pl.col("count") >= least).head(MOST_CATEGORIES)[column.name]
        missing = texts.null_count() > 0
        if kept.is_empty():
            return f"every value is rare (fewer than {least} training rows each)"
        if len(counts) == 1 and not missing:
            return "constant in the training rows"
        categories = tuple(kept.sort().to_list())
        rare = counts[column.name].filter(~counts[column.name].is_in(kept.implode()))
        seen = tuple(rare.sort().to_list()) if len(rare) <= MOST_RARE else None
        return cls(column.name, categories, categories.index(kept[0]), len(rare) > 0, missing, seen)

    @property
    def width(self) -> int:
        """The width of its one-hot block."""
        return len(self.categories) + self.rare + self.missing

    @property
    def input_names(self) -> list[str]:
        """The names of the places of its block."""
        names = [f"{self.name} = {category}" for category in self.categories]
        return [*names, *[f"{self.name} is rare"] * self.rare, *[f"{self.name} is missing"] * self.missing]

    def encode(self, column: pl.Series) -> np.ndarray:
        """The place of each row in the block, int32 `(N,)`."""
        other = len(self.categories) if self.rare else self.frequent
        absent = self.width - 1 if self.missing else other
        texts = to_categories(column)
        codes = texts.replace_strict(
            list(self.categories), list(range(len(self.categories))), default=other, return_dtype=pl.Int32
        )
        return np.where(texts.is_null().to_numpy(), absent, codes.to_numpy()).astype(np.int32)

    def unseen(self, column: pl.Series) -> int:
        """How many rows have a value that no training row had; 0 where nobody knows."""
        if self.seen is None and self.rare:
            return 0
        texts = to_categories(column).drop_nulls()
        known = pl.Series([*self.categories, *(self.seen or ())], dtype=pl.String)
        return int((~texts.is_in(known.implode())).sum())

    def to_json(self) -> dict[str, Any]:
        """The column as JSON values."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> CategoricalColumn:
        """The inverse of `to_json`."""
        return cls(
            values["name"],
            tuple(values["categories"]),
            values["frequent"],
            values["rare"],
            values["missing"],
            None if values.get("seen") is None else tuple(values["seen"]),
        )
