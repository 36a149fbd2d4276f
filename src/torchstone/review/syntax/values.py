"""Abstract values: what an expression is, as far as reading can tell. Unknown is None."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from torchstone.review.syntax.file import File
    from torchstone.review.syntax.frames import Frame
    from torchstone.review.syntax.scopes import Scope

Kind = Literal[
    "library",  # a name of a library: module, class or function
    "file",  # another file of the project, imported as a module
    "class",  # a class of the project
    "function",  # a function or a method of the project
    "module",  # an instance of a torch.nn.Module
    "loss",  # an instance of one of torch's losses
    "optimizer",
    "scheduler",
    "scaler",
    "loader",
    "dataset",
    "instance",  # an object of a class of the project that is none of these
    "framework",  # Accelerator, Fabric, a Trainer: does things for the user
    "tensor",
    "sequence",  # a tuple or a list of which the parts are known
    "constant",
]

Key: TypeAlias = tuple[object, ...]
_NO_MODULES = {"Parameter", "UninitializedParameter", "Buffer", "UninitializedBuffer", "PackedSequence"}


@dataclass(frozen=True, eq=False)
class Value:
    """What an expression is.

    Args:
        kind: its kind.
        keys: the objects that it may be; two values that share a key may be the same object.
        name: the dotted name of its library class or function.
        cls: its class in the project.
        function: the scope of a function.
        call: the call that made it, evaluated in `frame`.
        frame: where it was made; for a function the frame that it is defined in.
        owner: the object that a bound method belongs to.
        items: the parts of a sequence.
        constant: the constant's value.
        file: the file that stands for an imported module.
        sure: False when only a name or an annotation says so.
    """

    kind: Kind
    keys: frozenset[Key] = frozenset()
    name: str | None = None
    cls: Class | None = None
    function: Scope | None = None
    call: ast.Call | None = None
    frame: Frame | None = None
    owner: Value | None = None
    items: tuple[Value | None, ...] | None = None
    constant: object = None
    file: File | None = None
    sure: bool = True

    def may_be(self, other: Value | None) -> bool:
        """Whether the two may be the same object."""
        return other is not None and bool(self.keys & other.keys)

    @property
    def identity(self) -> Key:
        """Equal for values that are alike in all that the analysis asks."""
        owner = self.owner.identity if self.owner is not None else None
        return (self.kind, self.keys, self.name, self.cls, self.function, self.items, id(self.file), owner)


@dataclass(eq=False)
class Class:
    """A class of the project.

    Args:
        scope: its body.
        file: where it is defined.
    """

    scope: Scope
    file: File
    _bases: list[Value | None] | None = field(default=None, repr=False)
    _busy: bool = field(default=False, repr=False)

    @property
    def name(self) -> str:
        """The class's own name."""
        return self.scope.name

    @property
    def node(self) -> ast.ClassDef:
        """Its definition."""
        assert isinstance(self.scope.node, ast.ClassDef)  # noqa: S101 (only such scopes are given)
        return self.scope.node

    @property
    def bases(self) -> list[Value | None]:
        """What it inherits from; None where that is unknown."""
        if self._bases is None:
            if self._busy:
                return []
            self._busy = True
            frame = self.file.root(self.scope.parent or self.file.index.module)
            self._bases = [frame.value(base) for base in self.node.bases]
            self._busy = False
        return self._bases

    def lineage(self) -> list[Class]:
        """The class and the project's classes that it inherits from, the nearest first."""
        found: list[Class] = []
        waiting = [self]
        while waiting:
            cls = waiting.pop(0)
            if cls not in found:
                found.append(cls)
                waiting.extend(base.cls for base in cls.bases if base is not None and base.cls is not None)
        return found

    def library_bases(self) -> list[str]:
        """Dotted names of the library classes that it inherits from."""
        return [
            base.name
            for cls in self.lineage()
            for base in cls.bases
            if base is not None and base.kind == "library" and base.name
        ]

    @property
    def is_known(self) -> bool:
        """Whether all that it inherits from is known."""
        bases = [base for cls in self.lineage() for base in cls.bases]
        return all(base is not None and base.kind in ("class", "library") for base in bases)

    @property
    def is_module(self) -> bool:
        """Whether it is a torch.nn.Module."""
        prefixes = ("torch.nn.", "torchvision.models.", "torch_geometric.nn.")
        return any(
            base.startswith(prefixes) and base.rsplit(".", 1)[-1] not in _NO_MODULES
            for base in self.library_bases()
        )

    def method(self, name: str) -> tuple[Class, Scope] | None:
        """The method of that name and the class that defines it."""
        for cls in self.lineage():
            for binding in reversed(cls.scope.bindings.get(name, [])):
                if binding.kind == "function":
                    return cls, cls.file.index.scopes[binding.node]
        return None

    def methods(self) -> Iterator[Scope]:
        """The methods that the class itself defines."""
        for bindings in self.scope.bindings.values():
            for binding in bindings:
                if binding.kind == "function":
                    yield self.file.index.scopes[binding.node]


def join(values: list[Value | None]) -> Value | None:
    """What is true of all of them; None when they are of different kinds or one is unknown."""
    known = [value for value in values if not (value and value.kind == "constant" and value.constant is None)]
    if not known:
        return values[0] if values else None
    first = known[0]
    if first is None or len(known) == 1:
        return first
    same = [value for value in known if value is not None and value.kind == first.kind]
    if len(same) != len(known):
        return None
    if all(value is first or value.identity == first.identity for value in same):
        return first
    if first.kind in ("function", "library", "file", "class", "constant", "sequence"):
        return None
    call = first.call if all(value.call is first.call for value in same) else None
    return Value(
        first.kind,
        frozenset().union(*(value.keys for value in same)),
        name=first.name if all(value.name == first.name for value in same) else None,
        cls=first.cls if all(value.cls is first.cls for value in same) else None,
        call=call,
        frame=first.frame if call is not None else None,
        sure=all(value.sure for value in same),
    )
