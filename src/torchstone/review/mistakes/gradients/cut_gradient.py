"""The way from the parameters to the loss is cut, so nothing is learned.

## What it does
Follows a loss from its backward pass to where it comes from, and reports it when every way is cut: by
`detach()`, `.data`, `.item()`, `torch.tensor(...)`, NumPy, argmax, rounding or a comparison.

## Why is this bad?
A cut ends the graph. `backward()` stops with "does not require grad", and the usual remedy, a loss that is
made to require gradients, only hides it: no gradient reaches the parameters and the model never changes.

## References
- [Autograd mechanics](https://docs.pytorch.org/docs/stable/notes/autograd.html)
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.gradients import way_back
from torchstone.review.mistake import Example
from torchstone.review.objects import is_tensor
from torchstone.review.pausing import STEADY
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.gradients import Source, gradient_sources
from torchstone.review.syntax.training import loss_of

if TYPE_CHECKING:
    from torchstone.review.gradients import Pass
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS107"
NAME = "cut-gradient"
SEVERITY: Severity = "error"
MENTIONS = ("backward",)

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Linear(4, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in [(torch.randn(8, 4), torch.randint(0, 2, (8,)))] * 3:
            optimizer.zero_grad()
            predicted = model(x).argmax(1).float()  # TS107
            loss = nn.functional.mse_loss(predicted, y.float())
            loss.requires_grad_()
            loss.backward()
            optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in [(torch.randn(8, 4), torch.randint(0, 2, (8,)))] * 3:
        optimizer.zero_grad()
        output = model(x)
        loss = nn.functional.cross_entropy(output, y)
        loss.backward()
        optimizer.step()
        print((output.argmax(1) == y).float().mean())
    """,
    """
    import torch
    from torch import nn

    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x in [torch.randn(8, 4)] * 3:
        soft = model(x).sigmoid()
        hard = soft + (soft.round() - soft).detach()
        optimizer.zero_grad()
        hard.sum().backward()
        optimizer.step()
    """,
    """
    import torch
    from torch import nn
    from torch.distributions import Categorical

    policy, value = nn.Linear(4, 2), nn.Linear(4, 1)
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
    judge = torch.optim.Adam(value.parameters(), lr=0.01)

    def episode():
        chances, states = [], []
        for time in range(5):
            state = torch.randn(4)
            chosen = Categorical(logits=policy(state))
            chances.append(chosen.log_prob(chosen.sample()))
            states.append(state)
        return chances, states

    for _ in range(20):
        chances, states = episode()
        returns = torch.ones(5)
        worth = value(torch.stack(states)).squeeze(-1)
        loss = -(torch.stack(chances) * (returns - worth.detach())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        judge.zero_grad()
        nn.functional.mse_loss(worth, returns).backward()
        judge.step()
    """,
)


def check(file: File) -> Iterator[Finding]:
    """Looks at what each backward goes back through."""
    if not file.index.calls_by_name.get("backward"):
        return
    done: set[int] = set()
    for seen in events(file):
        for each in seen:
            if each.event.kind != "backward":
                continue
            cut = _cut(each)
            if cut is not None and id(cut.node) not in done:
                done.add(id(cut.node))
                yield _finding(file, cut, each)


def _cut(backward: Seen) -> Source | None:
    """Where the graph of a loss ends, when no way leads on to parameters."""
    loss = loss_of(backward)
    found = gradient_sources(backward.event.frame, loss, loss=True) if loss is not None else None
    if not found or any(source.kind not in ("cut", "data") for source in found):
        return None
    return next((source for source in found if source.kind == "cut"), None)


def _finding(file: File, cut: Source, backward: Seen) -> Finding:
    own = cut.frame.file is file
    place = cut.node if own else backward.place(file)
    text = ast.unparse(cut.node)
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    related = [backward.event.frame.file.related(backward.event.node, "the backward pass")]
    if not own:
        related.insert(0, cut.frame.file.related(cut.node, "the graph ends here"))
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        place,
        f"`{shown}` cuts the graph between the parameters and the loss: no gradient reaches them",
        why="the parameters do not move",
        fix=Fix("Compute the loss from the model's output by operations that gradients pass."),
        related=tuple(related),
    )


_TIMES = 3
"""So often a loss that reaches nothing is told, where it does not end the program."""

_LOOKS = 10
"""So often the loss of each line is followed."""

_MOST = 8
"""So many cuts are kept in mind."""

_FLAT = ("round", "floor", "ceil", "sign")
"""Operations whose gradient is zero everywhere."""

_FLAT_NODES = re.compile(r"^(Round|Floor|Ceil|Trunc|Sign)Backward\d")


class Watch(Detector):
    """Looks whether a loss reaches no parameter though the model behind it has a history."""

    PAUSES = STEADY

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._cuts: dict[tuple[str, Place | None], None] = {}
        self._times = 0
        self._learned = False
        self._judged: Counter[Place | None] = Counter()
        """So often a loss of a line was followed to its parameters after one had been found to reach some."""
        self._suspect: tuple[Pass, Place | None, bool] | None = None

    def on_forward_began(self, event: Event) -> None:
        """What was cut before is not on the way from this module to a loss."""
        if self._cuts and next(event.subject.parameters(), None) is not None:  # none: a loss
            self._cuts.clear()

    def on_cut(self, event: Event) -> None:
        """A result that has no gradient."""
        if not self._learned and len(self._cuts) < _MOST:
            self._cuts[event.values["name"], event.place] = None

    @sampled
    def on_backward(self, event: Event) -> None:
        """Judges the way from the loss to the parameters."""
        self._suspect = None
        loss = event.subject
        if not is_tensor(loss):
            return
        if self._learned:
            self._judge_line(event)
            return
        passes = [each for each in self.gradients.passes if each.root and each.attached and each.learns]
        flat = loss.grad_fn is not None
        if flat and self._reaches(loss):
            self._learned = True  # a way that is there once is no mistake of this kind
            self._judge_line(event)
        elif passes and (not flat or self._is_trained(passes)):
            self._suspect = passes[-1], event.place, flat
            self._times += loss.requires_grad
            if self._times >= _TIMES:
                self._tell()

    def _judge_line(self, event: Event) -> None:
        """Says of a line that goes back whether its loss reaches parameters; the source may doubt it."""
        place = event.place
        if self._judged[place] < _LOOKS and self.gradients.accounts:
            self._judged[place] += 1
            if event.subject.grad_fn is not None and self._reaches(event.subject):
                self.right(place)
            else:
                self.doubt(place)

    def on_crash(self, event: Event) -> None:
        """A loss without a history ends the program."""
        if "does not require grad" in str(event.subject):
            self._tell()

    def _is_trained(self, passes: list[Pass]) -> bool:
        modules = [each.module() for each in passes]
        return any(module is not None and self.gradients.trains(module) for module in modules)

    def _reaches(self, loss: Any) -> bool:
        """Whether a gradient that is not zero by its making comes to a parameter of an optimizer."""
        accounts = list(self.gradients.accounts.items())
        for node in way_back(loss, stop=_FLAT_NODES.match):
            leaf = getattr(node, "variable", None)
            if node is None or not accounts:
                return True  # too large a graph, or nobody trains
            if leaf is not None and any(id(leaf) in a.identities(optimizer) for optimizer, a in accounts):
                return True
        return not accounts

    def _tell(self) -> None:
        if self._suspect is None:
            return
        forward, backward, flat = self._suspect
        module = forward.module()
        output = "the model's output" if module is None else f"the output of `{self.names.module(module)}`"
        cuts = [(name, place) for name, place in self._cuts if place and (name in _FLAT) == flat]
        lines = {place for _, place in cuts}
        name, place = cuts[0] if len(lines) == 1 else ("", backward)
        self.found(
            f"The loss reaches no parameter: on the way from {output} to it "
            + (f"`{name}` ends the gradient" if name else "the gradient ends"),
            why="no parameter gets a gradient, so nothing is learned",
            place=place,
            fix="Compute the loss from the output itself, by operations that have a gradient.",
            related=(
                (backward, "this backward pass reaches nothing"),
                (forward.place, "this output has a gradient"),
                *((where, f"`{what}` gives a result without gradient") for what, where in cuts[:3]),
            ),
            cause=backward,  # cuts are told in the first steps only
        )
