"""The seed is set after the model was made.

## What it does
Reports the only seeding of PyTorch in a file when it follows the making of a model that is trained
afterwards, in the same function or at the level of the module.

## Why is this bad?
The first weights come from an unseeded generator: each run starts elsewhere, although the seed suggests that
it does not.

## References
- [Reproducibility](https://docs.pytorch.org/docs/stable/notes/randomness.html)
"""

from __future__ import annotations

import ast
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector
from torchstone.review.leaves import numbers_of
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.training import optimized_models

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS515"
NAME = "late-seed"
SEVERITY: Severity = "warning"
MENTIONS = ("manual_seed",)

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Linear(4, 1)
        torch.manual_seed(0)  # TS515
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    """,
)

_MOST = 5000
"""In a program with more modules nothing is said."""


def check(file: File) -> Iterator[Finding]:
    """Looks at the file's seeding, if there is one alone."""
    seeds = file.index.calls_by_name.get("manual_seed", ())
    if len(seeds) != 1 or file.name(seeds[0].func) != "torch.manual_seed" or not file.source.complete:
        return
    if _seeds_elsewhere(file) or not isinstance(file.index.parents[seeds[0]], ast.Expr):
        return
    statement = file.statement(seeds[0])
    body: list[ast.stmt] = getattr(file.index.parents[statement], "body", [])
    if statement not in body or file.callers(file.index.scope_of(statement)):
        return
    before, after = body[: body.index(statement)], body[body.index(statement) + 1 :]
    model = _model(file, before, after)
    if model is not None:
        yield _finding(file, seeds[0], model)


def _seeds_elsewhere(file: File) -> bool:
    """Whether another call, or a file that imports this one, may seed too, or weights are loaded."""
    calls = file.index.calls_by_name
    others = ("fork_rng", "set_rng_state", "load_state_dict")
    return any(
        "seed" in name.lower() and name not in ("manual_seed", "manual_seed_all") for name in calls
    ) or any(name in calls for name in others)


def _model(file: File, before: list[ast.stmt], after: list[ast.stmt]) -> ast.Assign | None:
    """The statement before the seed that makes a model of which an optimizer is made after it."""
    for statement in after:
        if not isinstance(statement, ast.Assign):
            continue
        optimizer = file.value(statement.value)
        if optimizer is None or optimizer.kind != "optimizer" or optimizer.call is not statement.value:
            continue
        for model in optimized_models(optimizer):
            name = model.name or ""
            own = model.cls is not None or name.startswith("torch.nn.")
            for earlier in before:
                if own and isinstance(earlier, ast.Assign) and model.call is earlier.value:
                    return earlier
    return None


def _finding(file: File, seed: ast.Call, model: ast.Assign) -> Finding:
    name = ast.unparse(model.targets[0])
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        seed,
        f"the seed is set after `{name}` was made: its first weights differ from run to run",
        why="weights are drawn when a layer is made",
        fix=Fix(f"Set the seed before `{name}` is made."),
        related=(file.related(model, f"`{name}` is made here"),),
    )


class Watch(Detector):
    """Looks for a first seed that comes after random weights which are then trained."""

    AFTER = ("seeded",)

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._seeds: dict[Place | None, set[Any]] = {}
        self._early: list[tuple[weakref.ref[Any], weakref.ref[Any], Any]] = []
        self._told: dict[str, Any] | None = None

    def on_seeded(self, event: Event) -> None:
        """The first one: which random weights there are already."""
        first = not self._seeds
        self._seeds.setdefault(event.place, set()).add(event.seed)
        if not first or len(self.parts.made) > _MOST:
            return
        for module in list(self.parts.made):
            weight = module._parameters.get("weight")
            if weight is not None and weight.dim() > 1 and not weight.is_meta:
                self._early.append((weakref.ref(module), weakref.ref(weight), numbers_of(weight)))

    def on_step_began(self, event: Event) -> None:
        """Weights that are trained as they were when the seed came: nothing was loaded or made anew."""
        if not self._early or self._told is not None:
            return
        own = self.gradients.of(event.subject).identities(event.subject)
        for module, reference, numbers in self._early:
            layer, weight = module(), reference()
            if weight is None or id(weight) not in own or numbers is None or numbers_of(weight) != numbers:
                continue
            name = self.names.parameter(weight)
            made = self.parts.made.get(layer)
            lines = made.places if made is not None else []
            if name is None or len(set(numbers)) < 2 or not self._is_homemade(layer):
                continue
            place = next(iter(self._seeds))
            self._told = {
                "message": f"The first seed comes after `{name}` was given its random start",
                "why": "the weights that training begins with are others in each run",
                "place": place,
                "fix": "Call `torch.manual_seed` before the model is made.",
                "related": tuple((line, "random weights are made here") for line in lines[:1]),
                "parameters": name,
            }
            break
        self._early = []

    def _is_homemade(self, layer: Any) -> bool:
        """Whether it is in a model whose values are those that it was made with, as far as can be seen."""
        holders = [root for root, _ in self.names.roots() if any(part is layer for part in root.modules())]
        return bool(holders) and all(self.parts.homemade(root) for root in holders)

    def on_end(self, event: Event) -> None:
        """Other seeds at the same line are for something else, such as one for each epoch."""
        if self._told is not None and len(self._seeds[self._told["place"]]) == 1:
            self.found(**self._told)
