"""Nested values (dicts, tuples, numbers, arrays, tensors) as JSON and named tensors, and back, exactly."""

from __future__ import annotations

import base64
import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torchstone.errors import RunError

_TAG = "$"
"""The key of a JSON object that stands for something JSON does not have: {"$": kind, "value": ...}."""
_DICTS: dict[str, Callable[[Any], dict[Any, Any]]] = {
    "dict": dict,
    "Counter": Counter,
    "OrderedDict": OrderedDict,
}


def flatten(value: Any) -> tuple[dict[str, Tensor], Any]:
    """Takes nested values apart.

    Args:
        value: dicts with any simple keys, lists, tuples, sets, None, booleans, numbers (NaN and infinities
            too), strings, bytes, NumPy arrays and numbers, torch dtypes and devices, tensors.

    Returns:
        The tensors and arrays by their path, such as `state/0/exp_avg` (not copies), and JSON values without
        NaN for all the rest.

    Raises:
        RunError: something else is among them; names its path.
    """
    tensors: dict[str, Tensor] = {}
    return tensors, _taken_apart(value, "", tensors)


def unflatten(tensors: Mapping[str, Tensor], json: Any) -> Any:
    """The inverse of `flatten`.

    Raises:
        RunError: a tensor is missing, or the JSON is none of `flatten`.
    """
    if isinstance(json, list):
        return [unflatten(tensors, item) for item in json]
    if not isinstance(json, dict):
        return json
    if _TAG not in json:
        return {key: unflatten(tensors, item) for key, item in json.items()}
    try:
        return _tagged(tensors, json[_TAG], json["value"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"The stored state is damaged: {json[_TAG]} {error}.") from None


def _taken_apart(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        return {_TAG: "tensor", "value": _keep(value, path, tensors)}
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biufc":
            raise _refused(path, f"array of {value.dtype}")
        native = np.array(value, dtype=value.dtype.newbyteorder("="), order="C")
        name = _keep(torch.from_numpy(native.reshape(value.shape)), path, tensors)
        return {_TAG: "array", "value": name}
    if value is None or (isinstance(value, bool | str) and type(value) in (bool, str)):
        return value
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return value
    if isinstance(value, dict):
        return _dict_apart(value, path, tensors)
    if type(value) in (list, tuple, set, frozenset):
        items = [_taken_apart(item, f"{path}/{place}", tensors) for place, item in enumerate(value)]
        return items if type(value) is list else {_TAG: type(value).__name__, "value": items}
    return _simple(value, path)


def _simple(value: Any, path: str) -> Any:
    """What is written as words or numbers with a tag."""
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return {_TAG: "number", "value": [value.dtype.str, repr(value.item())]}
    if type(value) is float:
        return {_TAG: "float", "value": repr(value)}
    if type(value) is complex:
        return {_TAG: "complex", "value": [repr(value.real), repr(value.imag)]}
    if type(value) is bytes:
        return {_TAG: "bytes", "value": base64.b64encode(value).decode("ascii")}
    if isinstance(value, torch.dtype):
        return {_TAG: "dtype", "value": str(value).removeprefix("torch.")}
    if isinstance(value, torch.device):
        return {_TAG: "device", "value": str(value)}
    raise _refused(path, type(value).__name__)


def _dict_apart(value: dict[Any, Any], path: str, tensors: dict[str, Tensor]) -> Any:
    kind = type(value).__name__ if type(value) in _DICTS.values() else "dict"
    if kind == "dict" and _TAG not in value and all(type(key) is str for key in value):
        return {key: _taken_apart(item, f"{path}/{key}", tensors) for key, item in value.items()}
    pairs = [
        [_taken_apart(key, f"{path}/key", tensors), _taken_apart(item, f"{path}/{key}", tensors)]
        for key, item in value.items()
    ]
    return {_TAG: kind, "value": pairs}


def _keep(tensor: Tensor, path: str, tensors: dict[str, Tensor]) -> str:
    """Puts a tensor under its path; under another name where a key such as "a/b" took that."""
    name = wanted = path.removeprefix("/") or "value"
    number = 1
    while name in tensors:
        number += 1
        name = f"{wanted}#{number}"
    tensors[name] = tensor.detach()
    return name


def _refused(path: str, kind: str) -> RunError:
    return RunError(
        f"The state holds a {kind} at {path.removeprefix('/') or 'its top'}, which cannot be stored."
    )


def _tagged(tensors: Mapping[str, Tensor], kind: str, value: Any) -> Any:
    if kind == "tensor":
        return tensors[value]
    if kind == "array":
        return tensors[value].cpu().numpy()
    if kind in _DICTS:
        pairs = {_as_key(unflatten(tensors, key)): unflatten(tensors, item) for key, item in value}
        return _DICTS[kind](pairs)
    if kind in ("tuple", "set", "frozenset"):
        make = {"tuple": tuple, "set": set, "frozenset": frozenset}[kind]
        return make(unflatten(tensors, item) for item in value)
    if kind == "number":
        dtype = np.dtype(value[0])
        plain: Any = {"b": _truth, "f": float}.get(dtype.kind, int)
        return dtype.type(plain(value[1]))
    if kind == "float":
        return float(value)
    if kind == "complex":
        return complex(float(value[0]), float(value[1]))
    if kind == "bytes":
        return base64.b64decode(value)
    if kind == "dtype":
        return getattr(torch, value)
    if kind == "device":
        return torch.device(value)
    raise ValueError("is no kind of value that is known")


def _truth(text: str) -> bool:
    return text == "True"


def _as_key(key: Any) -> Any:
    return tuple(key) if isinstance(key, list) else key
