"""A penalty on gradients that does not reach the parameters: `create_graph=True` is missing.

## What it does
Reports `torch.autograd.grad` without `create_graph=True` whose result becomes part of a loss that a
backward pass goes back through, as in the gradient penalty of WGAN-GP or R1.

## Why is this bad?
Without `create_graph=True` the gradients are plain numbers: the penalty changes the value of the loss and
nothing else, or `backward()` stops with "does not require grad".

## References
- [torch.autograd.grad](https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad.html)
"""

from __future__ import annotations

import ast
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector
from torchstone.review.gradients import tensors
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.gradients import gradient_sources
from torchstone.review.syntax.scopes import Scope

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS118"
NAME = "missing-penalty-graph"
SEVERITY: Severity = "error"
MENTIONS = ("grad",)
INVOLVES = ("autograd",)

BAD = (
    Example(
        """
        import torch

        critic = torch.nn.Linear(2, 1)
        points = torch.randn(8, 2, requires_grad=True)
        score = critic(points)
        gradient = torch.autograd.grad(score.sum(), points)[0]  # TS118
        penalty = ((gradient.norm(2, dim=1) - 1) ** 2).mean()
        loss = score.mean() + 10 * penalty
        loss.backward()
        """,
        fixed="""
        import torch

        critic = torch.nn.Linear(2, 1)
        points = torch.randn(8, 2, requires_grad=True)
        score = critic(points)
        gradient = torch.autograd.grad(score.sum(), points, create_graph=True)[0]
        penalty = ((gradient.norm(2, dim=1) - 1) ** 2).mean()
        loss = score.mean() + 10 * penalty
        loss.backward()
        """,
    ),
)
GOOD = (
    """
    import torch

    critic = torch.nn.Linear(2, 1)
    points = torch.randn(8, 2, requires_grad=True)
    score = critic(points)
    gradient = torch.autograd.grad(score.sum(), points, create_graph=True)[0]
    penalty = ((gradient.norm(2, dim=1) - 1) ** 2).mean()
    loss = score.mean() + 10 * penalty
    loss.backward()
    """,
    """
    import torch

    model = torch.nn.Linear(2, 1)
    points = torch.randn(8, 2, requires_grad=True)
    gradient = torch.autograd.grad(model(points).sum(), points)[0]
    adversarial = points + 0.1 * gradient.sign()
    loss = model(adversarial.detach()).mean()
    loss.backward()
    """,
)

_MEASURES = ("norm", "pow", "square", "sum", "mean", "abs", "sqrt", "view", "reshape", "flatten", "size")
_SIZES = ("norm", "pow", "**", "square")


def check(file: File) -> Iterator[Finding]:
    """Looks at each call of `torch.autograd.grad`."""
    for call in file.index.calls_by_name.get("grad", ()):
        frame = file.frame_of(call)
        if frame.name(call.func) != "torch.autograd.grad":
            continue
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        if None in given or len(call.args) > 4:
            continue
        if "create_graph" in given:
            value = given["create_graph"]
            if isinstance(value, ast.Constant) and value.value is True:
                yield from _plain_input(file, frame, call)
                continue
            if not isinstance(value, ast.Constant):
                continue
        if _becomes_loss(file, call):
            yield _finding(file, call, given.get("create_graph"))


def _becomes_loss(file: File, call: ast.Call) -> bool:
    """Whether what a gradient is made into is measured and goes into a backward."""
    name = _assigned(file, call)
    scope = file.index.scope_of(call)
    return name is not None and _goes_back(file, scope, call, name, measured=False, depth=0)


def _assigned(file: File, node: ast.AST) -> str | None:
    """The only name that the value of a node, or a part of it, is assigned to."""
    parent = file.index.parents.get(node)
    while isinstance(parent, ast.Subscript | ast.Attribute | ast.BinOp | ast.UnaryOp) or (
        isinstance(parent, ast.Call) and isinstance(parent.func, ast.Attribute) and node is parent.func
    ):
        node, parent = parent, file.index.parents.get(parent)
    if isinstance(parent, ast.Assign) and len(parent.targets) == 1:
        target = parent.targets[0]
        if isinstance(target, ast.Tuple | ast.List) and len(target.elts) == 1:
            target = target.elts[0]
        return target.id if isinstance(target, ast.Name) else None
    return None


def _goes_back(file: File, scope: Scope, made: ast.Call, name: str, *, measured: bool, depth: int) -> bool:
    """Whether a name, made by a call, becomes the loss of a backward by measures and sums alone."""
    start = file.statement(made)
    losses = {name: measured}
    for node in sorted(_statements(file, scope), key=lambda each: each.lineno):
        value = node.value
        if value is None or node.lineno <= start.lineno:
            continue
        used = {part.id for part in ast.walk(value) if isinstance(part, ast.Name)} & losses.keys()
        targets = _targets(node)
        if not used or not _is_measure(value, used):
            if isinstance(node, ast.Assign):
                for each in targets & losses.keys():
                    del losses[each]
            continue
        text = ast.unparse(value)
        now = all(losses[each] for each in used) or any(word in text for word in _SIZES)
        if isinstance(node, ast.Return):
            if depth < 2 and any(
                _goes_back(caller.file, caller.scope, call, into, measured=now, depth=depth + 1)
                for caller, call, _ in file.callers(scope)
                if (into := _assigned(caller.file, call)) is not None
            ):
                return True
            continue
        losses.update(dict.fromkeys(targets, now))
    for call in file.index.calls_by_name.get("backward", ()):
        if file.index.scope_of(call) is scope and isinstance(call.func, ast.Attribute):
            value = call.func.value
            if isinstance(value, ast.Name) and losses.get(value.id):
                return True
    return False


def _targets(node: ast.Assign | ast.AugAssign | ast.Return) -> set[str]:
    """The names that a statement gives a value."""
    if isinstance(node, ast.Return):
        return set()
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _statements(file: File, scope: Scope) -> list[ast.Assign | ast.AugAssign | ast.Return]:
    kinds = (ast.Assign, ast.AugAssign, ast.Return)
    nodes = [node for kind in kinds for node in file.index.nodes[kind] if file.index.scope_of(node) is scope]
    return [node for node in nodes if isinstance(node, ast.Assign | ast.AugAssign | ast.Return)]


def _is_measure(value: ast.expr, names: set[str]) -> bool:
    """Whether an expression is a measure of names, or a sum with it: no call but norms, powers and means."""
    for call in (part for part in ast.walk(value) if isinstance(part, ast.Call)):
        inside = {part.id for part in ast.walk(call) if isinstance(part, ast.Name)}
        if inside & names:
            called = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            if called not in _MEASURES:
                return False
    return not isinstance(value, ast.Tuple | ast.List | ast.Dict)


def _plain_input(file: File, frame: Frame, call: ast.Call) -> Iterator[Finding]:
    """Gradients with respect to points that were made of data alone, and require none."""
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    points = given.get("inputs") or (call.args[1] if len(call.args) > 1 else None)
    if not isinstance(points, ast.Name):
        return
    bindings = frame.file.reaching(frame.scope).of(points) or ()
    if len(bindings) != 1 or bindings[0].kind != "assign" or bindings[0].path:
        return
    made = bindings[0].value
    if isinstance(made, ast.Call) and any(keyword.arg == "requires_grad" for keyword in made.keywords):
        return  # `Variable(points, requires_grad=True)` is a new leaf
    sources = gradient_sources(frame, points)
    if not sources or any(source.kind not in ("data", "cut") for source in sources):
        return
    yield file.finding(
        CODE,
        NAME,
        SEVERITY,
        call,
        f"`{points.id}` is made of data and does not require gradients, so there is none to take",
        why="the program stops here",
        fix=Fix(f"Call `{points.id}.requires_grad_()` before the model sees it."),
        related=(file.related(bindings[0].node, f"`{points.id}` is made here"),),
    )


def _finding(file: File, call: ast.Call, flag: ast.expr | None) -> Finding:
    description = "Pass `create_graph=True`."
    fix = Fix(description)
    last = max(
        [*call.args, *(keyword.value for keyword in call.keywords)],
        key=lambda each: (each.end_lineno or 0, each.end_col_offset or 0),
    )
    if flag is not None:
        fix = Fix(description, safe=True, edits=(file.replace(flag, "True"),))
    elif last.lineno == last.end_lineno:
        line = file.source.lines[last.lineno - 1].encode()
        own = line[last.col_offset : last.end_col_offset].decode()
        fix = Fix(description, safe=True, edits=(file.replace(last, f"{own}, create_graph=True"),))
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        call,
        "the penalty is made of these gradients, and without `create_graph=True` it reaches no parameter",
        why="the penalty changes the loss's value, but not what the model learns",
        fix=fix,
    )


_STEPS = 10
_TIMES = 2
"""So many backward passes went from a loss with such a part."""

_MOST = 256
_ADDING = ("add", "radd", "iadd", "sub", "rsub", "isub")


@dataclass
class _Derived:
    """A tensor that was computed from a gradient without a history.

    Args:
        tensor: it.
        place: where the gradient was asked for.
        use: `gradient`, `number` (all of it made one number), or `loss` (that number is a part of one).
    """

    tensor: weakref.ref[Any]
    place: Place
    use: str = "gradient"


class Watch(Detector):
    """Looks whether a number made from gradients without a history is added to a loss that goes backward."""

    AFTER = ("gradient",)

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._derived: dict[int, _Derived] = {}
        self._times: dict[Place, int] = {}

    def on_gradient(self, event: Event) -> None:
        """A gradient that is followed."""
        if self.stream.step >= _STEPS:
            return
        place = event.place
        held = event.result if isinstance(event.result, tuple | list) else [event.result]
        if event.create_graph:
            if all(one is not None for one in held):  # the points do require gradients
                self.right(place, 2)
            return
        self.doubt(place)
        for one in tensors(event.result)[:8] if place is not None else ():
            if one.grad_fn is None and one.numel() > 1 and place is not None:
                self._follow(one, place, "gradient")

    def on_derived(self, event: Event) -> None:
        """What is computed from it."""
        result = event.subject
        for one in event.operands:
            known = self._derived.get(id(one))
            if known is None or known.tensor() is not one:
                continue
            size = one.numel() if one is not None else 0
            if result.grad_fn is None:
                number = known.use == "number" or (result.numel() == 1 and size > 1)
                self._follow(result, known.place, "number" if number else "gradient")
            elif result.numel() == 1 and (
                known.use == "loss" or (known.use == "number" and event.values["name"] in _ADDING)
            ):
                self._follow(result, known.place, "loss")

    def on_backward(self, event: Event) -> None:
        """Whether the loss has it as a part."""
        known = self._derived.get(id(event.subject))
        if known is None or known.use != "loss" or known.tensor() is not event.subject:
            return
        self._times[known.place] = self._times.get(known.place, 0) + 1
        if self._times[known.place] >= _TIMES:
            self.found(
                "The loss has a part that is computed from gradients which have no history themselves",
                why="the penalty changes the value of the loss, and no parameter gets a gradient from it",
                place=known.place,
                fix="Ask for the gradients with `create_graph=True`.",
                related=((event.place, "this backward pass does not reach the penalty"),),
            )

    def on_step_ended(self, event: Event) -> None:
        """Nothing is followed across steps."""
        if self._derived:
            self._derived.clear()
            self.stream.followed.clear()

    def _follow(self, tensor: Any, place: Place, use: str) -> None:
        if len(self._derived) < _MOST:
            self._derived[id(tensor)] = _Derived(weakref.ref(tensor), place, use)
            self.stream.followed.add(id(tensor))
