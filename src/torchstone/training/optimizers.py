"""Optimizers by name, with weight decay for weights alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import Parameter
from torch.optim import Optimizer

from torchstone.errors import ConfigError
from torchstone.training.named import BAD_VALUE, argument_names, check_arguments, find_class, refused

_SPARED = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
    nn.LocalResponseNorm,
    nn.Embedding,
    nn.EmbeddingBag,
)


def known_optimizers() -> dict[str, type[Optimizer]]:
    """The optimizers of torch.optim by class name."""
    return {
        name: value
        for name, value in vars(torch.optim).items()
        if isinstance(value, type) and issubclass(value, Optimizer) and value is not Optimizer
    }


def build_optimizer(
    name: str,
    module: nn.Module,
    lr: float | None = None,
    weight_decay: float | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> Optimizer:
    """An optimizer over the parameters of a module that require gradients.

    Args:
        name: a class of torch.optim, in any case.
        module: what is trained.
        lr: the learning rate; None: the class's own default.
        weight_decay: decay of weights; biases, normalisation and embeddings are spared. None: the class's
            default, without sparing when that is zero.
        arguments: further arguments of the class, such as `{"momentum": 0.9}`.

    Raises:
        ConfigError: unknown class, unknown arguments, or values that the class refuses.
    """
    kind = find_class("optimizer", name, known_optimizers(), "torch.optim")
    known = argument_names(kind, without=("params", "lr", "weight_decay"))
    takes = argument_names(kind)
    given = dict(arguments or {})
    lr = given.pop("lr", lr) if "lr" in takes else lr
    weight_decay = given.pop("weight_decay", weight_decay) if "weight_decay" in takes else weight_decay
    keywords = check_arguments("optimizer_arguments", kind, given, known)
    if lr is not None and "lr" in takes:
        keywords["lr"] = lr
    if weight_decay:
        if "weight_decay" not in takes:
            raise ConfigError(f"weight_decay: {kind.__name__} has none.", hint="Set weight_decay to 0.")
        keywords["weight_decay"] = weight_decay
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not trained:
        raise ConfigError(
            "The model has no parameter that requires a gradient, so there is nothing to train."
        )
    params: Any = decay_groups(module) if weight_decay else trained
    try:
        optimizer: Optimizer = kind(params, **keywords)
    except BAD_VALUE as error:
        raise refused("optimizer", kind, keywords, error) from error
    return optimizer


def decay_groups(module: nn.Module) -> list[dict[str, Any]]:
    """Two parameter groups: weights, and what weight decay spares.

    Spared are parameters of less than two dimensions, those called bias, and those of normalisation and
    embedding layers. A group that would be empty is left out.
    """
    decayed: list[Parameter] = []
    spared: list[Parameter] = []
    seen: set[int] = set()
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            if id(parameter) in seen or not parameter.requires_grad:
                continue
            seen.add(id(parameter))
            is_spared = isinstance(part, _SPARED) or parameter.ndim < 2 or name.startswith("bias")
            (spared if is_spared else decayed).append(parameter)
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": spared, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def parameters_of(optimizers: Iterable[Optimizer]) -> list[Parameter]:
    """All parameters that the optimizers change, each once."""
    unique = {
        id(parameter): parameter
        for optimizer in optimizers
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    return list(unique.values())


def needs_closure(optimizer: Optimizer) -> bool:
    """Whether a step of the optimizer evaluates the loss several times (L-BFGS)."""
    return isinstance(optimizer, torch.optim.LBFGS)
