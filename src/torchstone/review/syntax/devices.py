"""Where batches and models live: what a loader gave and was never moved, and which calls move a model."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from torchstone.review.syntax.knowledge import SAME_TENSOR_FUNCTIONS, SAME_TENSOR_METHODS, words
from torchstone.review.syntax.origins import Origin, argument_of, origins, reaching, resolved
from torchstone.review.syntax.values import Value

if TYPE_CHECKING:
    from torchstone.review.syntax.file import File
    from torchstone.review.syntax.frames import Frame
    from torchstone.review.syntax.scopes import Binding, Scope

Callers = tuple[tuple["Frame", ast.Call], ...]
Place = Literal["accelerator", "cpu"]

_ACCELERATOR = re.compile(r"\b(?:cuda|mps|xpu|hpu|xla|npu|gpu)\b")
_DEVICE_NAME = re.compile(r"device|cuda|gpu|rank", re.IGNORECASE)
_PEELED = words("iter next list tuple reversed")
_PLACED = words("to cuda cpu type type_as")
_KEEPS_PLACE = SAME_TENSOR_METHODS - _PLACED
_MAKERS = frozenset(
    f"torch.{name}" for name in words("zeros ones rand randn randint arange full empty linspace eye")
)
_MOST = 60


@dataclass(frozen=True, eq=False)
class Part:
    """What a batch, or a part of it, is at one place.

    Args:
        loader: the loader that gave it.
        moved: the call that moved it to a device; None: nothing did.
        names: what the code calls it on the way.
    """

    loader: Value
    moved: ast.Call | None
    names: frozenset[str]


def place_of(frame: Frame, call: ast.Call) -> Place | None:
    """Where `x.to(...)` or `x.cuda()` moves to; None when it changes a dtype, or that is not known."""
    if not isinstance(call.func, ast.Attribute):
        return None
    if call.func.attr in ("cuda", "cpu"):
        return "accelerator" if call.func.attr == "cuda" else "cpu"
    given = next((k.value for k in call.keywords if k.arg == "device"), call.args[0] if call.args else None)
    if call.func.attr != "to" or given is None or isinstance(given, ast.Starred):
        return None
    value = frame.value(given)
    if value is not None and value.kind == "constant" and isinstance(value.constant, int):
        return "accelerator"
    if value is not None and value.kind in ("tensor", "library"):
        return None
    text = ast.unparse(resolved(Origin(frame, given)).node)
    if _ACCELERATOR.search(text):
        return "accelerator"
    if re.fullmatch(r"(?:torch\.)?(?:device\()?['\"]cpu['\"]\)?", text):
        return "cpu"
    return "accelerator" if _DEVICE_NAME.search(ast.unparse(given)) else None


def part_of_batch(frame: Frame, node: ast.expr, callers: Callers = ()) -> Part | None:
    """The part of a loader's batch that an expression surely is, in whatever shape; None when unclear."""
    return _Tracer().trace(Origin(frame, node, callers))


class _Tracer:
    def __init__(self) -> None:
        self._left = _MOST

    def trace(self, here: Origin) -> Part | None:
        self._left -= 1
        if self._left < 0:
            return None
        node = here.node
        if isinstance(node, ast.Name):
            return self._name(here, node)
        if isinstance(node, ast.Tuple | ast.List):
            first = here.path[0] if here.path else None
            if first is None or not 0 <= first < len(node.elts):
                return None
            return self.trace(Origin(here.frame, node.elts[first], here.callers, here.path[1:]))
        if isinstance(node, ast.Subscript):
            return self.trace(Origin(here.frame, node.value, here.callers))
        if isinstance(node, ast.Attribute) and node.attr in ("data", "T", "mT"):
            return self.trace(Origin(here.frame, node.value, here.callers))
        return self._call(here, node) if isinstance(node, ast.Call) else None

    def _name(self, here: Origin, node: ast.Name) -> Part | None:
        parts = [self._binding(here, binding) for binding in reaching(here.frame, node)]
        known = [part for part in parts if part is not None]
        if not known or len(known) != len(parts) or len({part.moved is None for part in known}) != 1:
            return None
        names = frozenset().union(*(part.names for part in known)) | {node.id}
        return Part(known[0].loader, known[0].moved, names)

    def _binding(self, here: Origin, binding: Binding) -> Part | None:
        frame = here.frame
        if binding.scope is not frame.scope:
            return None
        if binding.kind == "parameter":
            if not here.callers:
                return None
            caller, call = here.callers[-1]
            given = argument_of(frame, call, binding.name)
            return self.trace(Origin(caller, given, here.callers[:-1], here.path)) if given else None
        if binding.value is None:
            return None
        if binding.kind == "for":
            loader = loader_behind(frame, binding.value, (*binding.path, *here.path))
            return Part(loader, None, frozenset()) if loader is not None else None
        if binding.kind != "assign":
            return None
        return self.trace(Origin(frame, binding.value, here.callers, (*binding.path, *here.path)))

    def _call(self, here: Origin, node: ast.Call) -> Part | None:
        frame = here.frame
        name = frame.file.callable_name(frame, node)
        if name is not None:
            return self._library(here, node, name)
        inner = frame.callee(node)
        if inner is not None:
            values = [each.value for each in inner.scope.returns]
            if len(values) != 1 or values[0] is None:
                return None
            return self.trace(Origin(inner, values[0], (*here.callers, (frame, node)), here.path))
        if not isinstance(node.func, ast.Attribute):
            return None
        before = self.trace(Origin(frame, node.func.value, here.callers))
        if before is None or node.func.attr in _KEEPS_PLACE:
            return before
        if node.func.attr in ("to", "cuda"):
            where = place_of(frame, node)
            if where == "accelerator":
                return Part(before.loader, node, before.names)
            dtype = frame.value(node.args[0]) if node.args else None
            same = where is None and dtype is not None and dtype.kind == "library"
            return before if same else None
        return None

    def _library(self, here: Origin, node: ast.Call, name: str) -> Part | None:
        if name == "next":
            loader = loader_behind(here.frame, node, here.path)
            return Part(loader, None, frozenset()) if loader is not None else None
        same = name in SAME_TENSOR_FUNCTIONS or name == "torch.autograd.Variable"
        if same and node.args and not isinstance(node.args[0], ast.List | ast.Tuple):
            return self.trace(Origin(here.frame, node.args[0], here.callers))
        return None


def made_on_cpu(frame: Frame, node: ast.expr) -> ast.Call | None:
    """The call that makes a tensor where torch makes them by default, when nothing moves it afterwards."""
    for _ in range(_MOST):
        if isinstance(node, ast.Name):
            bindings = frame.file.reaching(frame.scope).of(node) or ()
            if len(bindings) != 1 or bindings[0].kind != "assign" or bindings[0].path:
                return None
            if bindings[0].scope is not frame.scope or bindings[0].value is None:
                return None
            node = bindings[0].value
            continue
        if not isinstance(node, ast.Call):
            return None
        name = frame.name(node.func)
        if name in _MAKERS:
            return None if any(k.arg in ("device", "out", None) for k in node.keywords) else node
        if name == "torch.autograd.Variable" and node.args:
            node = node.args[0]
        elif name is None and isinstance(node.func, ast.Attribute) and node.func.attr in _KEEPS_PLACE:
            node = node.func.value
        else:
            return None
    return None


def loader_behind(frame: Frame, node: ast.expr, path: tuple[int | None, ...]) -> Value | None:
    """The loader that a loop over `node` draws from, for the part of its variables at `path`."""
    if isinstance(node, ast.Call) and node.args:
        name = frame.file.callable_name(frame, node) or ""
        if name == "enumerate":
            return loader_behind(frame, node.args[0], path[1:]) if path[:1] == (1,) else None
        if name == "zip":
            position = path[0] if path else None
            if position is None or not 0 <= position < len(node.args):
                return None
            return loader_behind(frame, node.args[position], path[1:])
        if name in _PEELED or name.startswith("tqdm."):
            return loader_behind(frame, node.args[0], path)
    value = frame.value(node)
    return value if value is not None and value.kind == "loader" else None


def gives_cpu_batches(loader: Value) -> bool:
    """Whether a loader surely gives batches on the CPU: a plain one, over data that nothing moves."""
    call, frame = loader.call, loader.frame
    if not loader.sure or loader.name != "torch.utils.data.DataLoader" or call is None or frame is None:
        return False
    words_given = {keyword.arg: keyword.value for keyword in call.keywords}
    dataset = call.args[0] if call.args else words_given.get("dataset")
    if dataset is None or None in words_given or "collate_fn" in words_given or len(call.args) > 6:
        return False
    if isinstance(dataset, ast.Starred):
        return False
    known = False
    for origin in origins(frame, dataset):
        node = origin.node
        if isinstance(node, ast.Call):
            if _places(node):
                return False
            value = origin.frame.value(node)
            if value is not None and value.kind == "dataset":
                if value.cls is not None and any(_is_placed(part.file) for part in value.cls.lineage()):
                    return False
                known = True
    return known


def _places(call: ast.Call) -> bool:
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    return method in ("to", "cuda", "type", "type_as") or any(k.arg == "device" for k in call.keywords)


def _is_placed(file: File) -> bool:
    return moves_inside(file) or makes_on_device(file)


def moves_inside(file: File) -> bool:
    """Whether a class of a file that torch calls moves what it is given, or itself, to a device."""
    if "moves inside" not in file.cache:
        calls = [c for name in ("to", "cuda", "to_device") for c in file.index.calls_by_name.get(name, ())]
        file.cache["moves inside"] = any(_in_torch_class(file, call) for call in calls)
    found: bool = file.cache["moves inside"]
    return found


def makes_on_device(file: File) -> bool:
    """Whether a class of a file that torch calls says on which device it makes tensors or layers."""
    if "makes on device" not in file.cache:
        named = [k for k in file.index.nodes[ast.keyword] if isinstance(k, ast.keyword) and k.arg == "device"]
        file.cache["makes on device"] = any(_in_torch_class(file, keyword) for keyword in named)
    found: bool = file.cache["makes on device"]
    return found


def _in_torch_class(file: File, node: ast.AST) -> bool:
    above = (each for each in file.index.ancestors(node) if isinstance(each, ast.ClassDef))
    return any(file.class_of(file.index.scopes[each]).library_bases() for each in above)


@dataclass(frozen=True, eq=False)
class Move:
    """A call of `to`, `cuda` or `cpu`.

    Args:
        file: where it stands.
        call: the call.
        value: what it is called on.
        place: where it moves to; None when it does not, or that is not known.
    """

    file: File
    call: ast.Call
    value: Value | None
    place: Place | None


def moves(file: File) -> list[Move]:
    """The calls of a file that may move something to a device."""
    if "moves" not in file.cache:
        calls = [
            c for name in ("to", "cuda", "cpu", "to_empty") for c in file.index.calls_by_name.get(name, ())
        ]
        file.cache["moves"] = [
            Move(file, call, file.value(call.func.value), place_of(file.frame_of(call), call))
            for call in calls
            if isinstance(call.func, ast.Attribute)
        ]
    found: list[Move] = file.cache["moves"]
    return found


def calls_by_scope(file: File) -> dict[Scope, list[ast.Call]]:
    """The calls that each function itself makes."""
    if "calls by scope" not in file.cache:
        by_scope: dict[Scope, list[ast.Call]] = {}
        for call in file.index.calls():
            by_scope.setdefault(file.index.scope_of(call), []).append(call)
        file.cache["calls by scope"] = by_scope
    found: dict[Scope, list[ast.Call]] = file.cache["calls by scope"]
    return found


def moves_of(file: File, made: ast.Call) -> list[Move]:
    """The moves of the module that a call makes, and those of what is not known."""
    if "moves by maker" not in file.cache:
        by_maker: dict[ast.Call | None, list[Move]] = {}
        for move in moves(file):
            if move.value is None or move.value.kind == "module":
                by_maker.setdefault(move.value.call if move.value is not None else None, []).append(move)
        file.cache["moves by maker"] = by_maker
    found: dict[ast.Call | None, list[Move]] = file.cache["moves by maker"]
    return [*found.get(made, ()), *found.get(None, ())]


_DONE_FOR_THE_USER = re.compile(
    r"DataParallel|fully_shard|FullyShard|deepspeed|[aA]ccelerat(?:e\b|or\()|Fabric|set_default_device"
    r"|set_default_tensor_type|forward_pre_hook|device_map|dispatch_model|_move_|with torch\.device"
)


def is_wrapped(file: File) -> bool:
    """Whether a file speaks of wrappers or settings that move things or make them elsewhere."""
    if "wrapped" not in file.cache:
        file.cache["wrapped"] = _DONE_FOR_THE_USER.search(file.source.text) is not None
    found: bool = file.cache["wrapped"]
    return found


def moves_for_the_user(file: File) -> bool:
    """Whether a wrapper, a framework or the classes of a file may move inputs or models by themselves."""
    if "moves for the user" not in file.cache:
        file.cache["moves for the user"] = is_wrapped(file) or moves_inside(file)
    found: bool = file.cache["moves for the user"]
    return found
