"""In which mode each forward runs: the events of a program in order, loops twice, branches joined."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from torchstone.review.syntax.effects import roots
from torchstone.review.syntax.events import Block, Branch, Call, Event, Loop, Seen, Switch, Switching
from torchstone.review.syntax.knowledge import MODE_LAYERS, TORCHVISION_WITH_MODE
from torchstone.review.syntax.values import Class, Key, Value

if TYPE_CHECKING:
    from torchstone.review.syntax.file import File
    from torchstone.review.syntax.frames import Frame

Mode = Literal["train", "eval", "unknown"]
_BUDGET = 200_000
_HELD_OUT = re.compile(
    r"(?:^|[._\[\"'])(?:val|valid|validation|test|testing|eval|evaluation|dev)(?:$|[._\d\]\"']|set|load)"
)


@dataclass(frozen=True, eq=False)
class Mark:
    """A mode that a model may be in.

    Args:
        mode: the mode.
        setter: what set it; None: the model was made so.
        passes: for each loop around the setter the number of the round.
    """

    mode: Mode
    setter: Event | None = None
    passes: tuple[tuple[Loop, int], ...] = ()


@dataclass(eq=False)
class Observation:
    """A forward of a model and the modes it was seen to run in, each time the analysis came to it."""

    seen: Seen
    rounds: list[tuple[tuple[tuple[Loop, int], ...], tuple[Mark, ...]]] = field(default_factory=list)

    @property
    def model(self) -> Value:
        """The model."""
        assert self.seen.event.target is not None  # noqa: S101 (forwards have one)
        return self.seen.event.target

    def modes(self) -> set[Mode]:
        """All modes that it may run in."""
        return {mark.mode for _, marks in self.rounds for mark in marks}

    def left_over(self) -> Mark | None:
        """An eval mode that an earlier round of a loop left behind."""
        for passes, marks in self.rounds:
            now = dict(passes)
            for mark in marks:
                if mark.mode == "eval" and any(now.get(loop, n) != n for loop, n in mark.passes):
                    return mark
        return None


State: TypeAlias = dict[Key, tuple[Mark, ...]]
_UNKNOWN = (Mark("unknown"),)
_ANY: Key = ("any",)
"""Stands for every model that has no mode of its own in a state."""


def forwards(file: File) -> list[Observation]:
    """All forwards that the programs of a file run, with their modes."""
    if "forwards" not in file.cache:
        found: list[Observation] = []
        file.cache["forwards"] = found
        if not file.source.complete:
            return found  # a cell that does not parse may set any mode
        for frame, block in roots(file):
            simulation = _Simulation()
            known: Switching = "on" if isinstance(frame.scope.node, ast.Module) else "unknown"
            simulation.block(block, {}, (), (), known)
            found += simulation.observations.values()
        file.cache["forwards"] = found
    result: list[Observation] = file.cache["forwards"]
    return result


class _Simulation:
    def __init__(self) -> None:
        self.observations: dict[Event, Observation] = {}
        self._left = _BUDGET
        self._rounds = 0
        self._loops: tuple[tuple[Loop, int], ...] = ()

    def block(
        self,
        block: Block,
        state: State,
        loops: tuple[Loop, ...],
        calls: tuple[Call, ...],
        recording: Switching,
    ) -> State:
        for part in block.parts:
            self._left -= 1
            if self._left < 0:
                return state
            if isinstance(part, Event):
                state = self._event(part, state, loops, calls, recording)
            elif isinstance(part, Loop):
                state = self._loop(part, state, loops, calls, recording)
            elif isinstance(part, Call):
                state = self.block(part.body, state, loops, (*calls, part), recording)
            elif isinstance(part, Switch):
                state = self.block(part.body, state, loops, calls, part.kind)
            elif isinstance(part, Branch):
                state = self._branch(part, state, loops, calls, recording)
        return state

    def _loop(
        self, loop: Loop, state: State, loops: tuple[Loop, ...], calls: tuple[Call, ...], recording: Switching
    ) -> State:
        around = self._loops
        after = state
        results = [state]
        for _ in range(2):
            self._rounds += 1
            self._loops = (*around, (loop, self._rounds))
            after = self.block(loop.body, dict(after), (*loops, loop), calls, recording)
            results.append(after)
        self._loops = around
        # A loop is taken to run: of the state before it nothing stays that its body sets.
        return results[-1]

    def _branch(
        self,
        branch: Branch,
        state: State,
        loops: tuple[Loop, ...],
        calls: tuple[Call, ...],
        recording: Switching,
    ) -> State:
        results = []
        for path in branch.paths:
            result = self.block(path, dict(state), loops, calls, recording)
            if not path.ends:
                results.append(result)
        return _merge(results) if results else state

    def _event(
        self,
        event: Event,
        state: State,
        loops: tuple[Loop, ...],
        calls: tuple[Call, ...],
        recording: Switching,
    ) -> State:
        target = event.target
        if event.kind == "forward" and target is not None:
            if event not in self.observations:
                self.observations[event] = Observation(Seen(event, loops, (), calls, recording))
            marks = tuple(mark for key in target.keys for mark in _marks(state, key, target))
            self.observations[event].rounds.append((self._loops, marks or _UNKNOWN))
        elif event.kind in ("train", "eval", "mode"):
            mode: Mode = "unknown" if event.kind == "mode" else event.kind
            if target is None:
                return {_ANY: _UNKNOWN}
            mark = Mark(mode, event, self._loops)
            for key in target.keys:
                before = () if len(target.keys) == 1 else _marks(state, key, target)
                state[key] = (*before, mark)
        elif event.kind == "opaque":
            for value in event.values:
                if value.kind == "module":
                    state.update(dict.fromkeys(value.keys, _UNKNOWN))
                elif value.kind in ("instance", "framework", "function", "sequence"):
                    return {_ANY: _UNKNOWN}
        return state


def _marks(state: State, key: Key, value: Value) -> tuple[Mark, ...]:
    if key in state:
        return state[key]
    if _ANY in state:
        return _UNKNOWN
    return (Mark("train"),) if _made_in_training_mode(key, value) else _UNKNOWN


def _made_in_training_mode(key: Key, value: Value) -> bool:
    """Whether a model is known to be as its constructor made it: in training mode, and a whole model."""
    if key[0] != "new" or not value.sure:
        return False
    if value.frame is not None and value.frame.scope.method_of is not None:
        around = value.frame.file.class_of(value.frame.scope.method_of)
        if around.is_module:
            return False  # a part of a model follows the model's mode
    name = value.name or ""
    return value.cls is not None or name.startswith(("torch.nn.", "torchvision.models."))


def _merge(states: list[State]) -> State:
    first, *rest = states
    for state in rest:
        for key in {*first, *state}:
            mine, other = first.get(key), state.get(key)
            if mine is other:
                continue
            # Not set on one way: as it was made, or unknown, there.
            both = (*(mine or (Mark("train"),)), *(other or (Mark("train"),)))
            first[key] = tuple(dict.fromkeys(both))
    return first


# Models and loops


def has_mode_layers(model: Value) -> bool | None:
    """Whether a model surely has layers that depend on the mode; None when that cannot be seen."""
    return _Layers().of(model)


class _Layers:
    def __init__(self) -> None:
        self._busy: set[int] = set()

    def of(self, value: Value) -> bool | None:
        if value.cls is not None:
            return self._class(value.cls)
        name = value.name or ""
        if name in MODE_LAYERS:
            return True
        if name.startswith("torchvision.models."):
            return True if name.rsplit(".", 1)[-1].startswith(TORCHVISION_WITH_MODE) else None
        if name in ("torch.nn.Sequential", "torch.nn.ModuleList") and value.call and value.frame:
            return self._calls(value.frame, value.call)
        return False if name.startswith("torch.nn.") else None

    def _class(self, cls: Class) -> bool | None:
        if id(cls) in self._busy:
            return False
        self._busy.add(id(cls))
        result: bool | None = False if cls.is_known else None
        for part in cls.lineage():
            for node in ast.walk(part.node):
                if not isinstance(node, ast.Call):
                    continue
                frame = part.file.frame_of(node)
                found = self._call(frame, node)
                if found:
                    return True
                if found is None:
                    result = None
        return result

    def _calls(self, frame: Frame, root: ast.Call) -> bool | None:
        result: bool | None = False
        for node in ast.walk(root):
            if isinstance(node, ast.Call) and node is not root:
                found = self._call(frame, node)
                if found:
                    return True
                if found is None:
                    result = None
        return result

    def _call(self, frame: Frame, node: ast.Call) -> bool | None:
        called = frame.value(node.func)
        if called is None:
            return False
        if called.kind == "class" and called.cls is not None and called.cls.is_module:
            return self._class(called.cls)
        name = called.name if called.kind == "library" else None
        if name in MODE_LAYERS:
            return not _switched_off(node)
        if name is not None and name.startswith("torch.nn.functional.dropout"):
            return any(keyword.arg == "training" for keyword in node.keywords)
        if name is not None and name.startswith("torchvision.models."):
            return True if name.rsplit(".", 1)[-1].startswith(TORCHVISION_WITH_MODE) else None
        return False


def _switched_off(node: ast.Call) -> bool:
    """`Dropout(0)`, `Dropout(p=0.0)`."""
    given = [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "p")]
    return any(isinstance(value, ast.Constant) and value.value in (0, 0.0) for value in given)


def is_held_out(loop: Loop) -> bool:
    """Whether a loop goes over validation or test data, by the names and arguments of its loader."""
    if not isinstance(loop.node, ast.For | ast.AsyncFor):
        return False
    texts = [ast.unparse(loop.node.iter)]
    loader = loader_of(loop.frame, loop.node.iter)
    if loader is not None and loader.call is not None and loader.frame is not None:
        texts.append(ast.unparse(loader.call.args[0]) if loader.call.args else "")
        parent = loader.frame.file.index.parents.get(loader.call)
        if isinstance(parent, ast.Assign):
            texts += [ast.unparse(target) for target in parent.targets]
        if loader.call.args and _is_test_set(loader.frame, loader.call.args[0]):
            return True
    text = " ".join(texts).lower()
    words = re.findall(r"[a-z_0-9.]+", text)
    return any(_HELD_OUT.search(word) for word in words) and not any("train" in word for word in words)


def _is_test_set(frame: Frame, node: ast.expr) -> bool:
    value = frame.value(node)
    if value is None or value.kind != "dataset" or value.call is None:
        return False
    for keyword in value.call.keywords:
        if isinstance(keyword.value, ast.Constant):
            if keyword.arg == "train" and keyword.value.value is False:
                return True
            if keyword.arg == "split" and keyword.value.value in ("test", "val", "valid"):
                return True
    return False


def loader_of(frame: Frame, node: ast.expr) -> Value | None:
    """The loader that a loop goes over, behind `enumerate`, `tqdm` and the like."""
    while isinstance(node, ast.Call) and node.args:
        value = frame.value(node)
        if value is not None and value.kind == "loader":
            return value
        node = node.args[0]
    value = frame.value(node)
    return value if value is not None and value.kind == "loader" else None
