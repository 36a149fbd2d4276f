"""Loaders: what each one is called, which loops train on it and which evaluate on it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Branch, Loop, Seen
from torchstone.review.syntax.modes import loader_of

if TYPE_CHECKING:
    from torchstone.review.syntax.file import File
    from torchstone.review.syntax.frames import Frame
    from torchstone.review.syntax.values import Value

_TRAINS = frozenset({"backward", "step", "gradient", "update", "zero"})
_GUARD = re.compile(r"train|optim|phase|mode|eval|none|grad|backward|is_test", re.IGNORECASE)
_HELD_OUT = re.compile(r"(?:^|[^a-z])(?:val|valid|validation|test|testing|eval|dev)(?![a-z])", re.IGNORECASE)
_HELD_OUT_JOINED = re.compile(
    r"(?:^|[^a-z])(?:val|valid|test|eval)(?:set|data|loader|_?dl|iter)", re.IGNORECASE
)


@dataclass(eq=False)
class Loader:
    """One `DataLoader(...)` that the code makes.

    Args:
        value: the loader.
        call: what makes it.
        frame: where it is made.
        names: what the code calls it.
        trains: the loops that surely train on it.
        evaluates: the loops that run a model over it and surely do not train.
    """

    value: Value
    call: ast.Call
    frame: Frame
    names: list[str] = field(default_factory=list)
    trains: list[Loop] = field(default_factory=list)
    evaluates: list[Loop] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name that tells most."""
        told = [name for name in self.names if is_held_out_name(name) or is_training_name(name)]
        return (told or self.names or [ast.unparse(self.call.func)])[0]

    @property
    def is_for_training(self) -> bool:
        """Whether a loop trains on it, or its name says so and none evaluates on it."""
        named = any(is_training_name(name) for name in self.names)
        return bool(self.trains) or (named and not self.is_held_out)

    @property
    def is_held_out(self) -> bool:
        """Whether it is called validation or test data, and nothing says that it is trained on."""
        told = any(is_held_out_name(name) for name in self.names)
        return told and not self.trains and not any(is_training_name(name) for name in self.names)

    def given(self, position: int, name: str) -> ast.expr | None:
        """An argument of the loader; None when it is not given."""
        for keyword in self.call.keywords:
            if keyword.arg == name:
                return keyword.value
        return self.call.args[position] if position < len(self.call.args) else None

    @property
    def dataset(self) -> ast.expr | None:
        """What it loads from."""
        return self.given(0, "dataset")

    @property
    def is_plain(self) -> bool:
        """Whether all of its arguments can be read."""
        starred = any(isinstance(argument, ast.Starred) for argument in self.call.args)
        return not starred and all(keyword.arg is not None for keyword in self.call.keywords)

    @property
    def keeps_order(self) -> bool:
        """Whether it surely gives the samples in the order of the data set."""
        if not self.is_plain:
            return False
        others = [self.given(3, "sampler"), self.given(4, "batch_sampler")]
        if any(each is not None and not _is_constant(each, None) for each in others):
            return False
        shuffle = self.given(2, "shuffle")
        return shuffle is None or _is_constant(shuffle, False) or _is_constant(shuffle, None)


def is_held_out_name(name: str) -> bool:
    """Whether a name is one of validation or test data."""
    return bool(_HELD_OUT.search(name) or _HELD_OUT_JOINED.search(name))


def is_training_name(name: str) -> bool:
    """Whether a name is one of training data."""
    return "train" in name.lower()


def _is_constant(node: ast.expr, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def loaders(file: File) -> list[Loader]:
    """The loaders that the programs of a file loop over, and those that it makes itself."""
    if "loaders" not in file.cache:
        file.cache["loaders"] = list(_Finder(file).found.values())
    found: list[Loader] = file.cache["loaders"]
    return found


class _Finder:
    """Collects loaders by what they are made by."""

    def __init__(self, file: File) -> None:
        self.found: dict[object, Loader] = {}
        for call in file.index.calls_by_name.get("DataLoader", ()):
            frame = file.frame_of(call)
            loader = self._add(frame.value(call))
            if loader is not None:
                loader.names += assigned_names(file, call)
        rounds: dict[Loop, list[Seen]] = {}
        for root in events(file):
            for seen in root:
                for loop in seen.loops:
                    rounds.setdefault(loop, []).append(seen)
        for loop, inside in rounds.items():
            self._loop(loop, inside)

    def _add(self, value: Value | None) -> Loader | None:
        if value is None or value.kind != "loader" or not value.sure or len(value.keys) != 1:
            return None
        if value.name != "torch.utils.data.DataLoader" or value.call is None or value.frame is None:
            return None
        return self.found.setdefault(value.keys, Loader(value, value.call, value.frame))

    def _loop(self, loop: Loop, inside: list[Seen]) -> None:
        if not isinstance(loop.node, ast.For | ast.AsyncFor):
            return
        loader = self._add(loader_of(loop.frame, loop.node.iter))
        if loader is None:
            return
        loader.names += [name for name in _called(loop, inside, loader.value) if name not in loader.names]
        kinds = {seen.event.kind for seen in inside}
        if any(seen.event.kind == "backward" and not _is_guarded(seen, loop) for seen in inside):
            loader.trains.append(loop)
        elif "forward" in kinds and not kinds & _TRAINS:
            loader.evaluates.append(loop)


def _is_guarded(seen: Seen, loop: Loop) -> bool:
    """Whether a branch between the loop and the event asks whether this is training at all."""
    around = set(loop.frame.file.index.ancestors(loop.node))
    return any(_guards(branch) for branch, _ in seen.branches if branch.node not in around)


def _guards(branch: Branch) -> bool:
    test = getattr(branch.node, "test", None)
    return test is None or bool(_GUARD.search(ast.unparse(test)))


def assigned_names(file: File, call: ast.Call) -> list[str]:
    """The names that a call's result is assigned to."""
    node: ast.AST = call
    position: int | None = None
    for parent in file.index.ancestors(call):
        if isinstance(parent, ast.Tuple | ast.List) and isinstance(node, ast.expr) and position is None:
            position = parent.elts.index(node)
        elif isinstance(parent, ast.Dict) and node in parent.values:
            key = parent.keys[parent.values.index(node)]
            return [str(key.value)] if isinstance(key, ast.Constant) else []
        elif isinstance(parent, ast.Assign):
            target = parent.targets[0]
            if position is not None:
                parts = target.elts if isinstance(target, ast.Tuple | ast.List) else []
                return [ast.unparse(parts[position])] if position < len(parts) else []
            return [ast.unparse(each) for each in parent.targets]
        elif isinstance(parent, ast.AnnAssign):
            return [ast.unparse(parent.target)]
        elif isinstance(parent, ast.stmt):
            scope = file.index.scope_of(parent)
            named = isinstance(parent, ast.Return) and scope.name.endswith(("dataloader", "loader"))
            return [scope.name] if named else []
        node = parent
    return []


def _called(loop: Loop, inside: list[Seen], value: Value) -> list[str]:
    """What the loop and the calls that led to it call its loader."""
    assert isinstance(loop.node, ast.For | ast.AsyncFor)  # noqa: S101 (only such loops are asked)
    names = [
        ast.unparse(node)
        for node in ast.walk(loop.node.iter)
        if isinstance(node, ast.Name | ast.Attribute) and _is_same(loop.frame.value(node), value)
    ]
    for call in inside[0].calls:
        arguments = (*call.node.args, *(keyword.value for keyword in call.node.keywords))
        names += [ast.unparse(a) for a in arguments if _is_same(call.frame.value(a), value)]
    return names


def _is_same(value: Value | None, other: Value) -> bool:
    return value is not None and value.kind == "loader" and value.keys == other.keys
