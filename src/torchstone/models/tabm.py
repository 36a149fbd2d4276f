"""TabM: an ensemble of MLPs that share their weights, with piecewise-linear embeddings; strong on tables.

Gorishniy, Kotelnikov, Babenko (2024), "TabM: Advancing Tabular Deep Learning with Parameter-Efficient
Ensembling", arXiv:2410.24210. Gorishniy, Rubachev, Babenko (2022), "On Embeddings for Numerical Features in
Tabular Deep Learning", arXiv:2203.05556.

Written from the papers, not taken from their package: it reads the rows as `InputSpec` lays them out, the
members' scales are multiplied into the shared weight where that is less work than scaling the activations,
and a training step on a CPU takes a fifth less time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchstone.task import InputSpec, Task

RECIPE: dict[str, Any] = {
    "epochs": 20,
    "optimizer": "adamw",
    "optimizer_arguments": {"betas": [0.9, 0.95]},
    "lr": 3e-3,
    "weight_decay": 3e-4,
    "scheduler": "cosine",
    "patience": 0,
}
"""The cosine ends at a learning rate of zero, so that training ends in a minimum without early stopping."""

_SMALL = 5000
"""Training rows below which a validation part is too small to choose an epoch by."""


def recipe(task: Task, rows: int) -> dict[str, Any]:
    """What differs from `RECIPE` for a number of training rows.

    Rates grow with the cube root of the rows; numbers stand a higher one than classes, whose labels are noisy
    and soon learned by heart. Found on the tables of `benchmarks/tables.py`.
    """
    rate = 1.5e-3 * (max(rows, 1000) / 1000) ** (1 / 3)
    if task.kind == "regression":
        chosen: dict[str, Any] = {
            "lr": round(min(2.5 * rate, 1e-2), 5),
            "epochs": 24 if rows < 30_000 else 16,
        }
    else:
        chosen = {"lr": round(min(rate, 4e-3), 5), "epochs": 20 if rows < _SMALL else 12}
    if rows < _SMALL:
        chosen |= {"keep": "last"}
    if rows < 2 * _SMALL:
        chosen |= {"batch_size": 32 if rows < _SMALL else 64}
    return chosen


def accepts(spec: InputSpec) -> str | None:
    """Why inputs cannot be taken: only rows of a table can."""
    return None if spec.is_table else f"it takes rows of a table, not arrays of shape {spec.shape}"


def build(
    task: Task,
    spec: InputSpec,
    outputs: int,
    members: int = 8,
    hidden: int = 256,
    layers: int = 2,
    embedding: int = 8,
    dropout: float = 0.1,
) -> TabM:
    """The module: `(B, F)` to `(B, members, outputs)` in training mode, to `(B, outputs)` in eval mode.

    Args:
        task: what is to be learned; decides how the members' outputs become one.
        spec: what it is fed with: the layout of the rows and the edges of the numeric inputs.
        outputs: how many numbers it gives for a sample.
        members: the number of MLPs in the ensemble.
        hidden: the width of the hidden layers.
        layers: the number of hidden layers.
        embedding: the width of the embedding of a numeric input.
        dropout: the share of hidden numbers set to zero in training.

    Raises:
        ValueError: a number is out of range.
    """
    sizes = {"members": members, "hidden": hidden, "layers": layers, "embedding": embedding}
    for name, value in sizes.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be in [0, 1), got {dropout}")
    return TabM(task, spec, outputs, members, hidden, layers, embedding, dropout)


class TabM(nn.Module):
    """The ensemble; see `build` for the arguments.

    In training mode each member has outputs of its own, `(B, members, outputs)`, and learns from its own
    loss. In eval mode their mean is given, `(B, outputs)`: of the values for regression, of the probabilities
    otherwise, as logits.
    """

    def __init__(
        self,
        task: Task,
        spec: InputSpec,
        outputs: int,
        members: int,
        hidden: int,
        layers: int,
        embedding: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.members = members
        self.dropout = dropout
        self.task = task
        self.embedding = TableEmbedding(spec, embedding)
        groups = self.embedding.groups
        widths = [sum(groups), *[hidden] * layers]
        self.layers = nn.ModuleList(
            MemberLinear(members, width, wider, groups if number == 0 else None)
            for number, (width, wider) in enumerate(itertools.pairwise(widths))
        )
        self.output = MemberOutput(members, hidden, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """`(B, F)` float to `(B, members, outputs)`, in eval mode `(B, outputs)`."""
        hidden = self.embedding(inputs).expand(self.members, -1, -1)  # (members, B, width)
        for layer in self.layers:
            hidden = layer(hidden).relu()
            if self.training and self.dropout > 0:
                hidden = _dropout(hidden, self.dropout)
        outputs: Tensor = self.output(hidden).transpose(0, 1)
        return outputs if self.training else mean_of_members(outputs, self.task)


class TableEmbedding(nn.Module):
    """A row of a table as the backbone takes it: numeric inputs embedded, all others as they are.

    Args:
        spec: the layout of the rows and the edges of the numeric inputs.
        width: the width of the embedding of a numeric input.
    """

    spread: Tensor
    flat: Tensor

    def __init__(self, spec: InputSpec, width: int) -> None:
        super().__init__()
        edges = [*spec.edges, *[()] * (spec.numeric - len(spec.edges))][: spec.numeric]
        spread = [place for place, points in enumerate(edges) if len(points) > 2]
        flat = [place for place in range(spec.numeric) if place not in spread]
        total = spec.shape[0]
        rest = total - spec.numeric - sum(spec.categories)
        self.groups = [width] * len(spread) + [1] * len(flat) + [*spec.categories] + [1] * rest
        """How many neighbouring outputs belong to one column."""
        self.numeric = PiecewiseLinear([edges[place] for place in spread], width) if spread else None
        self.register_buffer("spread", torch.tensor(spread, dtype=torch.long), persistent=False)
        others = [*flat, *range(spec.numeric, total)]
        self.register_buffer("flat", torch.tensor(others, dtype=torch.long), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """`(B, F)` to `(B, sum(groups))`."""
        flat = inputs[:, self.flat]
        if self.numeric is None:
            return flat
        embedded = self.numeric(inputs[:, self.spread]).flatten(1)
        return torch.cat([embedded, flat], dim=1)


class PiecewiseLinear(nn.Module):
    """Piecewise-linear embeddings of numbers: for each a linear one plus one over the bins between edges.

    A number's encoding has one place per bin: 1 for bins below it, 0 for bins above it, its share of the way
    for the bin that it is in; beyond the first and last edge it goes on linearly. The weight over the
    encoding starts at zero ("version B" of the papers' authors), so that the embedding starts linear.

    Args:
        edges: for each number at least two ascending edges of bins.
        width: the width of an embedding.
    """

    left: Tensor
    scale: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, edges: Sequence[Sequence[float]], width: int) -> None:
        super().__init__()
        count, bins = len(edges), max(len(points) for points in edges) - 1
        left, scale = torch.zeros(count, bins), torch.zeros(count, bins)
        low, high = torch.zeros(count, bins), torch.zeros(count, bins)
        for row, points in enumerate(edges):
            own = torch.tensor(points, dtype=torch.float64)
            last = len(points) - 1
            left[row, :last] = own[:-1].float()
            scale[row, :last] = (1 / (own[1:] - own[:-1])).float()
            high[row, :last] = 1
            low[row, 0], high[row, last - 1] = -math.inf, math.inf
        for name, value in (("left", left), ("scale", scale), ("low", low), ("high", high)):
            self.register_buffer(name, value)
        self.weight = nn.Parameter(torch.zeros(count, bins, width))
        self.slope = nn.Parameter(torch.empty(count, width).uniform_(-1, 1))
        self.bias = nn.Parameter(torch.empty(count, width).uniform_(-1, 1))

    def forward(self, values: Tensor) -> Tensor:
        """`(B, numbers)` to `(B, numbers, width)`."""
        values = values[:, :, None]
        encoding = ((values - self.left) * self.scale).clamp(self.low, self.high)  # (B, numbers, bins)
        curved = torch.bmm(encoding.transpose(0, 1), self.weight).transpose(0, 1)
        return curved + values * self.slope + self.bias


class MemberLinear(nn.Module):
    """A linear layer that members share, but for scales of inputs and outputs and a bias of their own.

    `outputs = ((inputs * input_scale) @ weight) * output_scale + bias`; for a large batch computed as one
    product with `input_scale * weight * output_scale`.

    Args:
        members: the number of members.
        inputs: the width of the inputs.
        outputs: the width of the outputs.
        groups: for the first layer: how many neighbouring inputs belong to one column. The members' scales of
            a column start at one random number, which is what makes the members differ; elsewhere at 1.
    """

    def __init__(self, members: int, inputs: int, outputs: int, groups: Sequence[int] | None = None) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(inputs, outputs).uniform_(-bound, bound))
        scale = torch.ones(members, inputs, 1)
        if groups is not None:
            drawn = torch.randn(members, len(groups), 1)
            scale = drawn.repeat_interleave(torch.tensor(groups), dim=1)
        self.input_scale = nn.Parameter(scale)
        self.output_scale = nn.Parameter(torch.ones(members, 1, outputs))
        # Members start from one bias, as in the papers' code: only the input scales tell them apart.
        self.bias = nn.Parameter(torch.empty(1, 1, outputs).uniform_(-bound, bound).repeat(members, 1, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        """`(members, B, inputs)` to `(members, B, outputs)`."""
        width, wider = self.weight.shape
        if inputs.shape[1] * (width + wider) >= width * wider:  # scaling the weight touches fewer numbers
            return torch.baddbmm(self.bias, inputs, self.weight * self.input_scale * self.output_scale)
        scaled = inputs * self.input_scale.transpose(1, 2)
        return torch.addcmul(self.bias, scaled @ self.weight, self.output_scale)


class MemberOutput(nn.Module):
    """The last layer: nothing shared.

    Args:
        members: the number of members.
        inputs: the width of the inputs.
        outputs: the width of the outputs.
    """

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(members, 1, outputs).uniform_(-bound, bound))

    def forward(self, inputs: Tensor) -> Tensor:
        """`(members, B, inputs)` to `(members, B, outputs)`."""
        return torch.baddbmm(self.bias, inputs, self.weight)


def mean_of_members(outputs: Tensor, task: Task) -> Tensor:
    """What the members say together: the mean value, or the mean probability as a logit.

    Args:
        outputs: `(B, members, outputs)`: values, or logits of classes (one number per sample: of the
            positive class).
        task: regression takes the mean of the values, all others the mean of the probabilities.

    Returns:
        `(B, outputs)`; for classes the logarithm of the mean probability, which is a logit for cross-entropy.
    """
    if task.kind == "regression":
        return outputs.mean(dim=1)
    if task.kind == "multilabel" or outputs.shape[-1] == 1:
        positive = F.logsigmoid(outputs).logsumexp(dim=1)
        return positive - F.logsigmoid(-outputs).logsumexp(dim=1)
    return outputs.log_softmax(dim=-1).logsumexp(dim=1) - math.log(outputs.shape[1])


def _dropout(hidden: Tensor, share: float) -> Tensor:
    """Dropout with `share` rounded to 1/256.

    On a CPU torch draws one random number per place, which takes as long as the matrix product before it.
    Here one number of 64 bits decides for eight places.
    """
    if hidden.device.type != "cpu":
        return F.dropout(hidden, share)
    dropped = round(share * 256)
    words = torch.empty(-(-hidden.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
    drawn = words.view(torch.uint8)[: hidden.numel()].view(hidden.shape)
    return hidden * (drawn >= dropped).to(hidden.dtype).mul_(256 / (256 - dropped))
