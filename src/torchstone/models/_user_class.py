"""The user's own class, `file.py:Class`: found, loaded, and called with what it asks for."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import math
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from torchstone.errors import ModelError, TorchstoneError, did_you_mean
from torchstone.task import InputSpec, Task

_INPUTS = ("inputs", "in_features", "input_size", "input_dim", "n_features", "num_features", "in_dim")
_OUTPUTS = ("outputs", "num_classes", "n_classes", "out_features", "output_size", "output_dim", "out_dim")
_CHANNELS = ("in_channels", "channels", "in_chans")


def load_class(name: str) -> Callable[..., Any]:
    """The class (or function that makes a module) that `file.py:Class` names.

    The file is run as a module, with its folder first on the search path meanwhile, so that it may import its
    neighbours.

    Raises:
        ModelError: the name has not this form, there is no such file or class, or the file does not run.
    """
    path_text, _, attribute = name.rpartition(":")
    if not path_text.endswith(".py") or not attribute.isidentifier():
        raise ModelError(
            f'"{name}" does not name a class.', hint="Write it as file.py:Class, for example my_model.py:Net."
        )
    path = Path(path_text).expanduser().resolve()
    if not path.is_file():
        raise ModelError(f"There is no file {path}.", hint=_near_file(path))
    namespace = _run_file(path)
    found = namespace.get(attribute)
    if found is None:
        raise ModelError(
            f'{path} has no class called "{attribute}".', hint=_near_class(path, attribute, namespace)
        )
    if not callable(found):
        raise ModelError(
            f"{path}:{attribute} is a {type(found).__name__}, not a class or a function that makes a module."
        )
    made: Callable[..., Any] = found
    return made


def call(
    maker: Callable[..., Any], name: str, task: Task, spec: InputSpec, outputs: int, given: dict[str, Any]
) -> nn.Module:
    """The user's class, called with what its signature asks for by name, or with nothing.

    Args:
        maker: the class, or a function that makes a module.
        name: how the user wrote it, for messages.
        task: for a parameter called `task`.
        spec: for `spec`, for the number of inputs (`inputs`, `in_features`, `input_size` ...: the numbers of
            one sample) and of channels (`in_channels` ...: the first axis of one sample).
        outputs: for `outputs`, `num_classes`, `n_classes`, `out_features` ...
        given: the user's own arguments, which go before all of these.

    Raises:
        ModelError: an argument has no parameter, a parameter no value, the constructor fails (said with the
            line of the user's file), or what it makes is not an `nn.Module`.
    """
    arguments = _arguments(maker, name, _offered(task, spec, outputs), given)
    path = Path(name.rpartition(":")[0]).expanduser().resolve()
    try:
        module = maker(**arguments)
    except Exception as error:  # whatever the user's own code raises is shown with its line
        shown = ", ".join(f"{key}={_short(value)}" for key, value in arguments.items())
        raise ModelError(
            f"{_place(path, error)}: {type(error).__name__}: {error}\nwhile making {name}({shown})."
        ) from error
    if not isinstance(module, nn.Module):
        raise ModelError(
            f"{name} makes a {type(module).__name__}, not a torch.nn.Module.",
            hint="Derive the class from torch.nn.Module.",
        )
    return module


@contextmanager
def running(name: str, doing: str, raised: type[TorchstoneError] = ModelError) -> Iterator[None]:
    """Inside, an exception that came through the user's own file is told with the line, not with a traceback.

    Other exceptions stay as they are: they are none of the user's.

    Args:
        name: `file.py:Class`; with the name of a built-in model nothing is changed.
        doing: what the model was needed for, as in "while training".
        raised: the class of the error.
    """
    try:
        yield
    except TorchstoneError:
        raise
    except Exception as error:  # whatever the user's own code raises is shown with its line
        file = name.rpartition(":")[0]
        path = Path(file).expanduser().resolve()
        place = _place(path, error)
        if not file or place == str(path):
            raise
        message = f"{place}: {type(error).__name__}: {error}\nwhile {doing} {name}."
        raise raised(message) from error


def _offered(task: Task, spec: InputSpec, outputs: int) -> dict[str, Any]:
    """Every name that a constructor may ask for, with its value."""
    offered: dict[str, Any] = {"task": task, "spec": spec}
    offered |= dict.fromkeys(_INPUTS, math.prod(spec.shape))
    offered |= dict.fromkeys(_OUTPUTS, outputs)
    if len(spec.shape) >= 2:
        offered |= dict.fromkeys(_CHANNELS, spec.shape[0])
    return offered


def _arguments(
    maker: Callable[..., Any], name: str, offered: dict[str, Any], given: dict[str, Any]
) -> dict[str, Any]:
    parameters = inspect.signature(maker).parameters.values()
    named = {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    if not any(p.kind is p.VAR_KEYWORD for p in parameters) and (unknown := set(given) - set(named)):
        raise ModelError(
            f"{name} has no parameter called {', '.join(sorted(unknown))}.",
            hint=f"Its parameters: {', '.join(named) or 'none'}.",
        )
    arguments = {key: value for key, value in offered.items() if key in named} | given
    required = [p.name for p in named.values() if p.default is p.empty and p.name not in arguments]
    if required:
        raise ModelError(
            f"{name} needs {', '.join(required)}, which torchstone has no value for.",
            hint=f"Give it: --model-arguments {required[0]}=VALUE. Known by name are inputs, outputs, "
            "in_features, out_features, num_classes, in_channels, spec and task.",
        )
    return arguments


def _run_file(path: Path) -> dict[str, Any]:
    """The names that a Python file defines."""
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:12]
    module_name = f"_torchstone_model_{path.stem}_{digest}"
    location = importlib.util.spec_from_file_location(module_name, path)
    if location is None or location.loader is None:
        raise ModelError(f"{path} cannot be loaded as Python.")
    module = importlib.util.module_from_spec(location)
    sys.modules[module_name] = module  # dataclasses and pickling of workers look classes up there
    sys.path.insert(0, str(path.parent))
    try:
        location.loader.exec_module(module)
    except Exception as error:  # whatever the user's own code raises is shown with its line
        del sys.modules[module_name]
        raise ModelError(f"{_place(path, error)}: {type(error).__name__}: {_words(error)}") from error
    finally:
        sys.path.remove(str(path.parent))
    return vars(module)


def _words(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        text = (error.text or "").strip()
        return f"{error.msg}\n    {text}" if text else error.msg
    return str(error)


def _place(path: Path, error: BaseException) -> str:
    """The file and line of the user's own code where an error arose; the file alone where it did not."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).resolve() == path]
    return f"{path}:{own[-1].lineno}" if own else str(path)


def _near_file(path: Path) -> str:
    if not path.parent.is_dir():
        return f"There is no folder {path.parent} either."
    names = sorted(file.name for file in path.parent.glob("*.py"))
    return did_you_mean(path.name, names) or f"Python files there: {', '.join(names[:10]) or 'none'}."


def _near_class(path: Path, attribute: str, namespace: dict[str, Any]) -> str:
    names = [
        name for name, value in namespace.items() if isinstance(value, type) and issubclass(value, nn.Module)
    ]
    own = [name for name in names if namespace[name].__module__ == namespace["__name__"]]
    return did_you_mean(attribute, own) or f"Modules in {path.name}: {', '.join(own) or 'none'}."


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{type(value).__name__}(...)"
