"""What the user's code behind a module can reach and change when it is called, and how to put it back.

A module's own attributes are the smaller part: a `forward` appends to a list of the script, draws from a
generator of its own, counts in an object. All that its code names is followed, and of what cannot be put
back, such as files and writers, it is said so: such a module is not called.
"""

from __future__ import annotations

import dis
import functools
import inspect
import operator
import re
import sys
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torchstone.review.places import is_users
from torchstone.review.syntax.knowledge import words

_MOST = 5000
"""So many values are followed; a module that reaches more is not called."""

_DOING = frozenset(
    words(
        "open input exec eval write writelines save dump savez system popen Popen urlopen connect send "
        "publish add_scalar add_scalars add_histogram add_image add_figure log_metric wandb backward "
        "zero_grad step load_state_dict set_ manual_seed seed "
        "set_state set_rng_state barrier all_reduce all_gather broadcast info warning error debug train eval "
        "register_forward_hook register_forward_pre_hook register_hook set_grad_enabled perf_counter"
    )
)
"""Names in code that does more than compute, or may."""

_CONTAINERS = (list, dict, set, deque, OrderedDict, defaultdict, Counter)
_PLAIN = (str, bytes, int, float, complex, bool, type(None), range, slice, type(...), types.ModuleType)
_HARMLESS = (
    "torch",
    "pathlib",
    "re",
    "enum",
    "decimal",
    "datetime",
    "typing",
    "fractions",
    "numpy",
    "weakref",
)
"""Of types from these modules, values that are not spoken of below are constants."""

_ACTING = ("torch.utils", "torch.optim", "torch.jit", "torch._dynamo", "torch.distributed", "torch.cuda")


_OF_TORCH = re.compile(r"_(parameters|buffers|modules|\w+_hooks\w*)$")
"""Attributes that torch itself gives a module."""


class Reach:
    """What a call of a module may change besides its buffers and the random streams of torch.

    Args:
        module: the module.
        given: what it is called with.
        again: whether a call is made once more as it was: with the hooks of the user's, and with compiled
            code run as it was written.
    """

    def __init__(self, module: Any, given: Any = (), *, again: bool = False) -> None:
        self.module = module
        self.clean = True
        """Whether all that was found can be put back."""
        self.why: Any = None
        """What cannot."""
        self.tensors: list[Any] = []
        """Those that are written back, besides the module's own."""
        self.writes = False
        """Whether the user's code writes into tensors, as far as can be read from it."""
        self.draws = False
        """Whether it has random generators of its own, which stand elsewhere now than at an earlier call."""
        self._again = again
        self._parts = {id(part) for part in module.modules()}
        self._own = {id(tensor) for tensor in (*module.parameters(), *module.buffers())}
        self._seen: dict[int, Any] = {}
        self._classes: set[int] = set()
        self._undo: list[Callable[[], Any]] = []
        self._waiting: list[Any] = []
        for part in module.modules():
            self._follow_part(part)
        self._waiting.append(given)
        while self._waiting and self.clean:
            self._visit(self._waiting.pop())

    @contextmanager
    def put_back(self) -> Iterator[None]:
        """Afterwards all is as it was when this was made."""
        try:
            yield
        finally:
            for undo in reversed(self._undo):
                undo()

    @property
    def reason(self) -> str:
        """What cannot be put back, in words."""
        if isinstance(self.why, tuple):
            name, doing = self.why
            return f"`{name}` uses " + ", ".join(f"`{each}`" for each in doing)
        if isinstance(self.why, type):
            return f"it reaches an object of the class `{self.why.__qualname__}`"
        return str(self.why)

    def refuse(self, why: Any) -> None:
        """Says that something cannot be put back."""
        if self.clean:
            self.clean, self.why = False, why

    def _follow_part(self, part: Any) -> None:
        self._seen[id(part)] = part
        attributes = vars(part)
        if "forward" in attributes or (attributes.get("_compiled_call_impl") is not None and not self._again):
            self.refuse(type(part))
        self._follow_hooks(part)
        self._keep_names(attributes, list(attributes))
        if getattr(part, "max_norm", None) is not None or type(part).__module__.startswith(_ACTING):
            self.refuse(type(part))
        self._keep_content(part._parameters)
        self._waiting += [value for name, value in attributes.items() if not _OF_TORCH.match(name)]
        self._follow_class(type(part), {"forward", "__call__", "__getattr__"})

    def _follow_hooks(self, part: Any) -> None:
        kinds = [part._forward_hooks, part._forward_pre_hooks]
        if self._again:
            kinds += [part._backward_hooks, part._backward_pre_hooks]
            kinds += [one._backward_hooks or {} for one in part._parameters.values() if one is not None]
        for hook in [hook for kind in kinds for hook in kind.values()]:
            home = getattr(hook, "__module__", None) or type(hook).__module__
            if home.startswith(("torch.", "torchstone.")):
                continue
            if self._again and _is_users(hook):
                self._waiting.append(hook)
            else:
                self.refuse(f"it has the hook `{getattr(hook, '__qualname__', type(hook).__qualname__)}`")

    def _follow_class(self, kind: type, names: set[str] | None) -> None:
        """The user's methods of a class: those of some names and what they name in turn, or all."""
        own = [each for each in kind.__mro__ if _is_users_class(each)]
        libraries = [each for each in kind.__mro__ if each not in own and each is not object]
        if any(not each.__module__.startswith("torch.nn") for each in libraries):
            names = None
        methods: dict[str, types.FunctionType | None] = {}
        for each in reversed(own):
            methods |= {name: _function(value) for name, value in vars(each).items()}
            self._keep_attributes(each)
        wanted = [name for name in methods if name != "__init__"] if names is None else list(names)
        done: set[str] = set()
        while wanted:
            name = wanted.pop()
            function = methods.get(name)
            if name not in done and function is not None:
                self._waiting.append(function)
                wanted += _named(function.__code__) | _named(inspect.unwrap(function).__code__)
            done.add(name)

    def _keep_attributes(self, kind: type) -> None:
        """The attributes of a class that are no methods."""
        if id(kind) in self._classes:
            return
        self._classes.add(id(kind))
        own = {
            name: value
            for name, value in vars(kind).items()
            if _function(value) is None and not name.startswith(("__", "_abc"))
        }
        names = set(vars(kind))
        self._waiting += own.values()

        def undo() -> None:
            for name in set(vars(kind)) - names:
                delattr(kind, name)
            for name, value in own.items():
                if vars(kind).get(name) is not value:
                    setattr(kind, name, value)

        self._undo.append(undo)

    def _visit(self, value: Any) -> None:
        if isinstance(value, _PLAIN) or id(value) in self._seen:
            return
        if len(self._seen) > _MOST:
            self.refuse("it reaches too many objects")
            return
        self._seen[id(value)] = value
        if isinstance(value, types.FunctionType):
            self._follow_function(value)
        elif isinstance(value, types.MethodType):
            self._waiting += [value.__self__, value.__func__]
        elif isinstance(value, functools.partial):
            self._waiting += [value.func, *value.args, *value.keywords.values()]
        elif isinstance(value, tuple | frozenset):
            self._waiting += list(value)
        elif type(value) in _CONTAINERS:
            self._keep_content(value)
        elif isinstance(value, type):
            if _is_users_class(value):
                self._follow_class(value, None)
        else:
            self._visit_object(value)

    def _visit_object(self, value: Any) -> None:
        home = type(value).__module__
        if hasattr(value, "_parameters") and hasattr(value, "_modules"):
            if id(value) not in self._parts:
                self.refuse(type(value))
        elif hasattr(value, "grad_fn"):
            self._keep_tensor(value)
        elif (state := _state_of(value)) is not None:
            self.draws = True
            self._undo.append(state)
        elif home == "numpy" and hasattr(value, "flags") and value.ndim:
            self._undo.append(functools.partial(_write, value, value.copy()))
        elif _is_users_class(type(value)) or type(value).__name__ in ("SimpleNamespace", "Namespace"):
            if not hasattr(value, "__dict__"):
                self.refuse(type(value))
                return
            self._keep_names(vars(value), list(vars(value)))
            self._waiting += list(vars(value).values())
            self._follow_class(type(value), None)
        elif type(value).__name__.endswith("Config"):
            pass
        elif not _is_constant(value):
            self.refuse(type(value))

    def _follow_function(self, function: types.FunctionType) -> None:
        code = function.__code__
        if (original := getattr(function, "_torchdynamo_orig_callable", None)) is not None:
            if self._again:
                self._waiting.append(original)
            else:
                self.refuse(f"`{function.__qualname__}` is compiled")
            return
        if not is_users(code.co_filename):  # perhaps around a function of the user's
            self._waiting.append(getattr(function, "__wrapped__", None))
            return
        names = _named(code)
        if _DOING & names:
            self.refuse((function.__qualname__, sorted(_DOING & names)))
            return
        self.writes = self.writes or _writes(code)
        self._follow_names(function.__globals__, names)
        for cell in function.__closure__ or ():
            try:
                content = cell.cell_contents
            except ValueError:  # nothing is in it yet
                continue
            self._undo.append(functools.partial(setattr, cell, "cell_contents", content))
            self._waiting.append(content)
        self._waiting += [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]

    def _follow_names(self, scope: dict[str, Any], names: set[str]) -> None:
        held = [name for name in names if name in scope]
        self._keep_names(scope, held)
        for name in held:
            value = scope[name]
            if isinstance(value, types.ModuleType) and is_users(getattr(value, "__file__", None) or "<"):
                if id(value) not in self._seen:
                    self._seen[id(value)] = value
                    self._follow_names(vars(value), names)
            else:
                self._waiting.append(value)

    def _keep_names(self, scope: dict[str, Any], names: list[str]) -> None:
        before = {name: scope[name] for name in names}
        whole = len(names) == len(scope)

        def undo() -> None:
            for name in [name for name in scope if whole and name not in before]:
                del scope[name]
            for name, value in before.items():
                if name not in scope or scope[name] is not value:
                    scope[name] = value

        self._undo.append(undo)

    def _keep_content(self, value: Any) -> None:
        content = _content(value)
        self._waiting += content

        def undo() -> None:
            now = _content(value)
            if len(now) == len(content) and all(map(operator.is_, now, content)):
                return
            value.clear()
            if isinstance(value, dict):
                dict.update(value, zip(content[::2], content[1::2], strict=True))
            elif isinstance(value, set):
                value.update(content)
            else:
                value.extend(content)

        self._undo.append(undo)

    def _keep_tensor(self, value: Any) -> None:
        """A tensor that is no parameter and no buffer of the module may be written into."""
        if id(value) in self._own or not value.is_leaf or not hasattr(value, "data_ptr"):
            return
        self.tensors.append(value)
        self._undo.append(written_back(value))


def written_back(tensor: Any) -> Callable[[], None]:
    """Gives a tensor the values that it has now, where it has others then."""
    before = tensor.detach().clone()

    def undo() -> None:
        if not before.equal(tensor.detach()):
            tensor.data.copy_(before)

    return undo


def _writes(code: types.CodeType) -> bool:
    """Whether a function, read in haste, may write into a tensor."""
    names = {*code.co_names, *(name for each in code.co_consts if type(each) is tuple for name in each)}
    if any(
        type(name) is str and (name in ("data", "out") or re.search("[a-z0-9]_$", name)) for name in names
    ):
        return True
    for each in dis.get_instructions(code):
        if each.opname == "STORE_SUBSCR" or (each.opname == "BINARY_OP" and each.argrepr.endswith("=")):
            return True
    return any(isinstance(each, types.CodeType) and _writes(each) for each in code.co_consts)


def _is_users(hook: Any) -> bool:
    """Whether a function, or what is called like one, is the user's."""
    while isinstance(hook, functools.partial):
        hook = hook.func
    hook = getattr(hook, "__func__", hook)
    code = getattr(hook, "__code__", None)
    return _is_users_class(type(hook)) if code is None else is_users(code.co_filename)


def _is_constant(value: Any) -> bool:
    """Whether a value of a library cannot be changed, as far as is known."""
    home = type(value).__module__
    if hasattr(value, "__next__") or home.startswith(_ACTING):
        return False
    return home.split(".")[0] in _HARMLESS or (callable(value) and home in ("builtins", "functools"))


def _content(value: Any) -> list[Any]:
    """What is in a container; of a dictionary keys and values in turn."""
    return [each for pair in value.items() for each in pair] if isinstance(value, dict) else list(value)


def _is_users_class(kind: type) -> bool:
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return is_users(file) if file else kind.__module__ == "__main__"


def _function(value: Any) -> types.FunctionType | None:
    """The function behind a method, a static one, or a property."""
    if isinstance(value, functools.cached_property):
        return _function(value.func)
    value = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
    value = getattr(value, "__wrapped__", value) if not isinstance(value, types.FunctionType) else value
    return value if isinstance(value, types.FunctionType) else None


def _named(code: types.CodeType) -> set[str]:
    """The names that a function's code uses, other than its own variables."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _named(constant)
    return names


def _state_of(value: Any) -> Callable[[], Any] | None:
    """Puts a random generator back; None for what is none."""
    kind, home = type(value).__name__, type(value).__module__
    if kind == "Generator" and home.startswith("torch"):
        return functools.partial(value.set_state, value.get_state())
    if home.startswith("numpy.random") and hasattr(value, "bit_generator"):
        return functools.partial(setattr, value.bit_generator, "state", value.bit_generator.state)
    if home.startswith("numpy.random") and hasattr(value, "set_state"):
        return functools.partial(value.set_state, value.get_state())
    if kind in ("Random", "SystemRandom") and home == "random":
        return functools.partial(value.setstate, value.getstate()) if kind == "Random" else None
    return None


def _write(array: Any, before: Any) -> None:
    if array.flags.writeable:
        array[...] = before
