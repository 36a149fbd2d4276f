"""The model in the training loop is not the one whose parameters the optimizer holds.

## What it does
Reports a loop that goes back through one model and steps an optimizer that was made from the parameters of
another one, which takes no part in the loop.

## Why is this bad?
The model that computes the loss never changes, and the one that the optimizer holds gets no gradients. The
program runs, and nothing is learned.

## References
- [Constructing an optimizer](https://docs.pytorch.org/docs/stable/optim.html#constructing-it)
"""

from __future__ import annotations

import ast
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.leaves import abandoned, leaves, numbers_of
from torchstone.review.mistake import Example
from torchstone.review.naming import written
from torchstone.review.objects import ByIdentity
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Loop, Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.training import called, has, inside, may_touch, optimized_models, stepped
from torchstone.review.syntax.values import Value

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS502"
NAME = "parameters-not-optimized"
SEVERITY: Severity = "warning"
MENTIONS = ("parameters",)
INVOLVES = ("backward", "step")

BAD = (
    Example(
        """
        import torch
        from torch import nn

        small, large = 4, 64
        first = nn.Sequential(nn.Linear(4, small), nn.ReLU(), nn.Linear(small, 1))
        second = nn.Sequential(nn.Linear(4, large), nn.ReLU(), nn.Linear(large, 1))
        optimizer = torch.optim.SGD(first.parameters(), lr=0.1)
        for x, y in [(torch.randn(8, 4), torch.randn(8, 1))] * 3:
            loss = nn.functional.mse_loss(second(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()  # TS502
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    small, large = 4, 64
    first = nn.Sequential(nn.Linear(4, small), nn.ReLU(), nn.Linear(small, 1))
    second = nn.Sequential(nn.Linear(4, large), nn.ReLU(), nn.Linear(large, 1))
    optimizer = torch.optim.SGD(second.parameters(), lr=0.1)
    for x, y in [(torch.randn(8, 4), torch.randn(8, 1))] * 3:
        loss = nn.functional.mse_loss(second(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    """,
)

_HARMLESS = {"parameters", "train", "eval", "zero_grad", "state_dict"}

_STEPS = 3
"""Something is neglected when it was so at this many steps."""


def check(file: File) -> Iterator[Finding]:
    """Looks at each optimizer step in a loop."""
    if "parameters" not in file.index.calls_by_name or not file.source.complete:
        return
    for seen in events(file):
        for step in seen:
            if step.event.kind == "step" and step.loops and step.event.target is not None:
                forward = _stranger(step, step.loops[-1], seen)
                if forward is not None:
                    yield _finding(file, step, forward)


def _stranger(step: Seen, loop: Loop, seen: list[Seen]) -> Seen | None:
    """The forward of another model, when the optimizer's own takes no part in the loop."""
    optimizer = step.event.target
    assert optimizer is not None  # noqa: S101 (asked by the caller)
    models = optimized_models(optimizer)
    here = inside(loop, seen)
    if len(models) != 1 or not optimizer.sure or not has(here, "backward") or has(here, "gradient"):
        return None
    model = models[0]
    if not _is_plain(model) or any(each.event.kind == "opaque" and may_touch(each, model) for each in here):
        return None
    forwards = [each for each in here if each.event.kind == "forward" and each.event.target is not None]
    if not forwards or any(_is_related(each.event.target, model) for each in forwards):
        return None
    steps = [each.event.target for each in here if each.event.kind == "step"]
    if any(other is None or not other.may_be(optimizer) for other in steps) or _is_mentioned(
        model, loop, here
    ):
        return None
    return forwards[0]


def _is_plain(model: Value) -> bool:
    """Whether a model is made by one assignment to a name, from no other model."""
    if model.call is None or model.frame is None or len(model.keys) != 1:
        return False
    parent = model.frame.file.index.parents.get(model.call)
    if not isinstance(parent, ast.Assign) or not all(isinstance(t, ast.Name) for t in parent.targets):
        return False
    return not any(
        value is not None and value.kind in ("module", "instance", "sequence")
        for part in ast.walk(model.call)
        if isinstance(part, ast.Name)
        for value in (model.frame.value(part),)
    )


def _is_related(other: Value | None, model: Value) -> bool:
    """Whether a model may be the optimizer's, hold it or be a part of it."""
    return other is None or other.may_be(model) or not other.sure or not _is_plain(other)


def _is_mentioned(model: Value, loop: Loop, here: list[Seen]) -> bool:
    """Whether the function of the loop names the model for more than its mode or gradients."""
    assert model.call is not None and model.frame is not None  # noqa: S101, PT018 (asked before)
    if model.frame.file is not loop.frame.file or any(each.calls for each in here):
        return True
    index = loop.frame.file.index
    assignment = index.parents[model.call]
    names = {t.id for t in getattr(assignment, "targets", ()) if isinstance(t, ast.Name)}
    for use in ast.walk(loop.frame.scope.node):
        if isinstance(use, ast.Name) and use.id in names and isinstance(use.ctx, ast.Load):
            parent = index.parents[use]
            if not isinstance(parent, ast.Attribute) or parent.attr not in _HARMLESS:
                return True
    return False


def _finding(file: File, step: Seen, forward: Seen) -> Finding:
    optimizer = step.event.target
    assert optimizer is not None and optimizer.call is not None  # noqa: S101, PT018 (asked before)
    name, model = stepped(step), called(forward)
    held = ast.unparse(optimizer.call.args[0])
    related = [forward.event.frame.file.related(forward.event.node, f"`{model}` computes the loss")]
    if optimizer.frame is not None:
        related.append(optimizer.frame.file.related(optimizer.call, f"`{name}` holds `{held}`"))
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        step.place(file),
        f"`{name}` steps on `{held}`, but the loss of this loop comes from `{model}`",
        why="the model that is used never changes",
        fix=Fix(f"Make `{name}` from the parameters of `{model}`."),
        related=tuple(related),
    )


@dataclass
class _Pending:
    """Parameters that seem to be forgotten, until an optimizer takes them or something else changes them.

    Args:
        tensors: references that do not keep them.
        numbers: some of their numbers when they were seen.
        told: the arguments of the finding.
    """

    tensors: list[weakref.ref[Any]]
    numbers: list[Any]
    told: dict[str, Any]


class Watch(Detector):
    """Looks for parameters that get gradients in a model that is trained, and that no optimizer holds."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._stepped: ByIdentity[Place | None] = ByIdentity()
        self._pending: dict[Any, _Pending] = {}

    @sampled
    def on_step_began(self, event: Event) -> None:
        """Where it is stepped."""
        self._stepped[event.subject] = event.place

    @sampled
    def on_backward(self, event: Event) -> None:
        """Judges what was neglected over some steps."""
        if not self.gradients.accounts:
            return
        free = self.neglected.look(event, _STEPS)
        if not free:
            return
        if len(free) == len(leaves(event)):
            self._judge_strangers(event, free)
            return
        known = {id(leaf) for leaf in free}
        alone = []
        for root, name in self.names.roots():
            paths = {path: one for path, one in root.named_parameters() if id(one) in known}
            owners = self.gradients.owners(list(root.parameters())) if paths else []
            if owners:
                self._judge_parts(event, root, name, paths, owners)
                known.difference_update(id(one) for one in paths.values())
            elif paths and self._forgotten(root):
                alone.append((name, paths))
        owners = self.gradients.owners(leaves(event)) if alone else []
        for name, paths in alone:
            # What stands in a model that is trained was judged with it.
            if owners and all(id(one) in known for one in paths.values()):
                self._keep(event, name, paths, owners[0][0])

    def _judge_strangers(self, event: Event, free: list[Any]) -> None:
        """No optimizer holds anything of this loss, and none got gradients, but one steps."""
        accounts = list(self.gradients.accounts.items())
        starving = [
            one
            for one, account in accounts
            if account.steps >= _STEPS and account.gave < account.stepped_before
        ]
        if len(starving) != len([one for one, account in accounts if account.steps]) or not starving:
            return
        optimizer = starving[0]
        names = [name for name in map(self.names.parameter, free[:5]) if name]
        # What nobody has but the optimizer was replaced, which is another mistake.
        if not names or optimizer not in self._stepped or abandoned(optimizer):
            return
        made = self.parts.optimizers.get(optimizer, (0, None))[1]
        self.found(
            f"The optimizer steps, but holds nothing of the model that the loss comes from: "
            f"`{names[0]}` and the others are in no optimizer",
            why="the model that is used never changes",
            place=self._stepped[optimizer],
            fix="Make the optimizer from the parameters of the model that computes the loss.",
            related=((made, "the optimizer was made here"), (event.place, "the gradients arrive here")),
            severity="error",
            parameters=names,
            optimizer=type(optimizer).__name__,
        )

    def _judge_parts(
        self, event: Event, root: Any, name: str, paths: dict[str, Any], owners: list[Any]
    ) -> None:
        """Few parameters are missing, and not only what comes before all that is trained."""
        order = [path for path, one in root.named_parameters() if one.requires_grad]
        held = self._held(root, owners)
        after = [path for path in paths if any(order.index(other) < order.index(path) for other in held)]
        late = any(part.places for path in paths for _, part in self.parts.way(root, path))
        chosen = all(one.dim() < 2 for path, one in root.named_parameters() if path in held)
        if not after or chosen or len(paths) >= len(held) or len(held) + len(paths) != len(order):
            return
        if not late and not self.parts.loaded(root):
            self._keep(event, name, paths, owners[0][0])

    def _held(self, root: Any, owners: list[Any]) -> list[str]:
        own = frozenset().union(*(account.identities(one) for one, account in owners))
        return [path for path, one in root.named_parameters() if id(one) in own and one.requires_grad]

    def _forgotten(self, root: Any) -> bool:
        """Whether a model was made here to be trained: one that was loaded or copied may help as it is."""
        return root.training and self.parts.homemade(root)

    def _keep(self, event: Event, name: str, paths: dict[str, Any], optimizer: Any) -> None:
        """Keeps a finding until the end: an optimizer may be made for them."""
        place = self.parts.optimizers.get(optimizer, (0, None))[1]
        cause = (name, place)
        if cause in self._pending or place is None:
            return
        shown = [f"`{name}{written(path)}`" for path in list(paths)[:3]]
        more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
        self._pending[cause] = _Pending(
            [weakref.ref(one) for one in paths.values()],
            [numbers_of(one) for one in paths.values()],
            {
                "message": f"{', '.join(shown)}{more} get gradients, but no optimizer holds them",
                "why": "they keep their random start while the rest of the model is trained",
                "place": place,
                "fix": "Give them to the optimizer, or freeze them with `requires_grad_(False)`.",
                "related": ((event.place, "the gradients arrive here"),),
                "cause": cause,
                "parameters": [f"{name}{written(path)}" for path in list(paths)[:10]],
            },
        )

    def on_optimizer_made(self, event: Event) -> None:
        """What it takes was not forgotten."""
        own = {id(one) for group in event.subject.param_groups for one in group["params"]}
        for cause, pending in list(self._pending.items()):
            if any(id(reference()) in own for reference in pending.tensors):
                del self._pending[cause]

    @sampled
    def on_step_ended(self, event: Event) -> None:
        """What changes is trained in another way."""
        for cause, pending in list(self._pending.items()):
            for reference, numbers in zip(pending.tensors, pending.numbers, strict=True):
                tensor = reference()
                if tensor is not None and numbers_of(tensor) != numbers:
                    self._pending.pop(cause, None)

    def on_end(self, event: Event) -> None:
        """Tells what was forgotten to the end."""
        for pending in self._pending.values():
            self.found(**pending.told)
