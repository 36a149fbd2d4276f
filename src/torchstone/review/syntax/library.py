"""What calls of torch and of libraries around it give."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from torchstone.review.syntax.knowledge import (
    LOSSES,
    MODULE_WRAPPERS,
    OPTIMIZERS,
    SAME_MODULE_METHODS,
    SAME_TENSOR_METHODS,
    words,
)
from torchstone.review.syntax.names import canonical
from torchstone.review.syntax.values import Class, Key, Kind, Value

if TYPE_CHECKING:
    from torchstone.review.syntax.frames import Frame

_TENSOR_FUNCTIONS = frozenset(
    f"torch.{name}"
    for name in words(
        "tensor as_tensor from_numpy zeros ones empty full eye arange linspace rand randn randint "
        "randperm normal zeros_like ones_like empty_like full_like rand_like randn_like randint_like "
        "cat stack concat abs exp log sqrt sigmoid softmax log_softmax relu tanh matmul mm bmm mean "
        "sum squeeze unsqueeze flatten reshape permute transpose where clamp einsum bernoulli "
        "multinomial"
    )
)
_TENSOR_METHODS = SAME_TENSOR_METHODS | words(
    "sum mean abs exp log sqrt pow add sub mul div sigmoid softmax log_softmax relu tanh clamp "
    "norm argmax matmul mm bmm eq ne lt gt long int bool masked_fill gather index_select argsort "
    "square"
)
_OTHER_OPTIMIZERS = (
    "bitsandbytes.optim.",
    "torch_optimizer.",
    "apex.optimizers.",
    "timm.optim.",
    "lion_pytorch.",
)
_SCALERS = {"torch.cuda.amp.GradScaler", "torch.amp.GradScaler", "torch.cuda.amp.grad_scaler.GradScaler"}
_FRAMEWORKS = {
    "accelerate.Accelerator",
    "lightning.Fabric",
    "lightning.fabric.Fabric",
    "lightning_fabric.Fabric",
    "pytorch_lightning.Trainer",
    "lightning.Trainer",
    "transformers.Trainer",
}
_LIGHTNING = ("pytorch_lightning.LightningModule", "lightning.LightningModule", "pytorch_lightning.core.")


def canonical_attribute(base: str, name: str) -> str:
    """The dotted name of an attribute of a library's name."""
    return canonical(f"{base}.{name}")


def is_lightning(cls: Class) -> bool:
    """Whether a class is a LightningModule: its Trainer clears, steps and switches modes."""
    return any(base.startswith(_LIGHTNING) for base in cls.library_bases())


def kind_of_bases(bases: list[str], cls: Class) -> Kind:
    """The kind of an object whose class has these library bases."""
    if any(base.startswith(_LIGHTNING) for base in bases) or cls.is_module:
        return "module"
    if any(base in OPTIMIZERS for base in bases):
        return "optimizer"
    if any(base.startswith("torch.optim.lr_scheduler.") for base in bases):
        return "scheduler"
    if any(base.startswith("torch.utils.data.") and base.endswith("Dataset") for base in bases):
        return "dataset"
    if any(base.startswith("torch.utils.data.") and base.endswith("Loader") for base in bases):
        return "loader"
    return "instance"


def call_result(frame: Frame, node: ast.Call, name: str, keys: frozenset[Key]) -> Value | None:
    """What calling a library's class or function gives."""
    if name in MODULE_WRAPPERS and node.args:
        return frame.value(node.args[0])
    kind = _made_by(name)
    if kind is not None:
        return Value(kind, keys, name=name, call=node, frame=frame)
    if name == "copy.deepcopy" and node.args:
        value = frame.value(node.args[0])
        return replace(value, keys=keys) if value is not None else None
    if name in _TENSOR_FUNCTIONS or name == "torch.nn.Parameter":
        return Value("tensor", name=name, call=node, frame=frame)
    if name.startswith("torch.nn.functional.") and name.rsplit(".", 1)[-1].islower():
        return Value("tensor", name=name, call=node, frame=frame)
    return None


def _made_by(name: str) -> Kind | None:
    last = name.rsplit(".", 1)[-1]
    if name in OPTIMIZERS or (name.startswith(_OTHER_OPTIMIZERS) and last[:1].isupper()):
        return "optimizer"
    if name.startswith("torch.optim.lr_scheduler."):
        return "scheduler"
    if name.startswith("transformers.") and last.startswith("get_") and "_schedule" in last:
        return "scheduler"
    if name in LOSSES:
        return "loss"
    if name.startswith("torch.nn.") and name.count(".") == 2 and last[:1].isupper() and last != "Parameter":
        return "module"
    if (name.startswith("torchvision.models.") and last.islower()) or name == "timm.create_model":
        return "module"
    if last == "from_pretrained" and name.startswith("transformers.") and "Model" in name.rsplit(".", 2)[-2]:
        return "module"
    if last == "DataLoader" and name.startswith(("torch.utils.data", "torch_geometric.")):
        return "loader"
    if name in _SCALERS:
        return "scaler"
    if name in _FRAMEWORKS:
        return "framework"
    if name.startswith("torchvision.datasets.") or name == "torch.utils.data.TensorDataset":
        return "dataset"
    return None


def method_result(frame: Frame, node: ast.Call, base: Value, method: str) -> tuple[bool, Value | None]:
    """What a method of a library's object gives: whether it is known, and the value."""
    if base.kind == "module" and method in SAME_MODULE_METHODS:
        own = base.cls is not None and base.cls.method(method) is not None
        return (False, None) if own and method not in ("train", "eval") else (True, base)
    if base.kind == "loss" and method in SAME_MODULE_METHODS:
        return True, base
    if base.kind == "framework" and method in ("prepare", "setup", "setup_dataloaders", "prepare_model"):
        values = tuple(frame.value(argument) for argument in node.args)
        return True, values[0] if len(values) == 1 else Value("sequence", items=values)
    if base.kind == "tensor":
        return True, Value("tensor", call=node, frame=frame) if method in _TENSOR_METHODS else None
    return False, None


def builtin_result(frame: Frame, node: ast.Call) -> Value | None:
    """What Python's own functions give."""
    if not isinstance(node.func, ast.Name) or not node.args:
        return None
    if node.func.id in ("list", "tuple"):
        value = frame.value(node.args[0])
        return value if value is not None and value.kind == "sequence" else None
    return None
