"""One batch through module and loss, as a training step would send it."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from torchstone.errors import DataError
from torchstone.finding import Finding
from torchstone.task import Task
from torchstone.training.modes import Modes
from torchstone.training.named import argument_names, refused
from torchstone.training.objective import Objective
from torchstone.training.preflight.agreement import check_call
from torchstone.training.preflight.calls import LossCalls, RefusedCallError
from torchstone.training.preflight.crash import explained, explained_loss
from torchstone.training.preflight.gradient import reaches
from torchstone.training.preflight.mistake import mistake, refuse
from torchstone.training.preflight.parameters import trained_parameters
from torchstone.training.preflight.route import Route, not_finite
from torchstone.training.preflight.untouched import copied, device_of, untouched


def try_batch(
    module: nn.Module,
    batch: Any,
    task: Task | None,
    objective: Objective,
    targets: Tensor | None,
    precision: AbstractContextManager[Any],
) -> list[Finding]:
    """Runs the batch and gives what is wrong; nothing stays of it.

    Raises:
        PreflightError: module or loss failed on it, and it is known why.
        DataError: there are no targets for a loss of torch.
        ConfigError: a loss of torch does not take the values of its arguments.
        Exception: module or loss failed by an error of the user's own code.
    """
    module = getattr(module, "_orig_mod", module)  # a compiled module is not compiled for a trial
    everything = nn.ModuleList(
        [module, objective.loss] if isinstance(objective.loss, nn.Module) else [module]
    )
    with untouched(everything, device_of(module, batch.inputs)), torch.enable_grad():
        Modes(module).train()
        with precision:
            outputs = _outputs(module, batch.inputs)
            if not_finite(outputs):
                return [_nan(module, batch.inputs)]
            return _check_loss(module, outputs, batch, task, objective, targets)


def _outputs(module: nn.Module, inputs: Any) -> Any:
    try:
        return module(copied(inputs))
    except Exception as error:
        refuse(explained(error, module, inputs), error)
        raise


def _check_loss(
    module: nn.Module,
    outputs: Any,
    batch: Any,
    task: Task | None,
    objective: Objective,
    targets: Tensor | None,
) -> list[Finding]:
    labels = targets if objective.counted else None
    calls = LossCalls(batch.targets, lambda call: check_call(call, task, labels))
    try:
        with calls:
            loss = objective.of_outputs(outputs, batch)
    except RefusedCallError as call:
        return call.findings
    except Exception as error:
        with LossCalls(batch.targets, lambda call: check_call(call, task, labels)):
            arguments = _at_fault(objective, outputs, batch)
        if arguments:
            raise refused("loss", _kind(objective.loss), arguments, error) from error
        refuse(explained_loss(error, _name(objective.loss), outputs, batch.targets), error)
        if batch.targets is None and _is_torchs(objective.loss):
            raise DataError(
                f"The training data has no targets, and {_name(objective.loss)} compares with them.",
                hint="Give (X, y), or a loss of your own, which gets None in the place of targets.",
            ) from error
        raise
    if calls.all_ignored:  # a batch without a single label that counts says nothing
        return []
    if not bool(torch.isfinite(loss.detach()).all()):
        return [
            mistake(
                "TS601",
                f"{_name(objective.loss)} gives {float(loss.detach()):g}.",
                "A loss that is not finite ends the training at its first step.",
                "Look for a NaN among targets and weights, and for log(0) or a division by 0 in the loss.",
            )
        ]
    trained = trained_parameters(module, objective)
    if trained and not reaches(loss, trained):
        return [_cut(loss, trained)]
    return []


def _at_fault(objective: Objective, outputs: Any, batch: Any) -> dict[str, Any]:
    """The arguments of a loss of torch without which it takes the batch; none when it fails without too."""
    loss = objective.loss
    if not _is_torchs(loss):
        return {}
    usual, given = _usual(loss)
    plain = Objective(usual)
    plain.members = objective.members
    try:
        plain.of_outputs(outputs, batch)
    except Exception:  # the caller raises the error of the loss as it was given
        return {}
    return given


def _usual(loss: Any) -> tuple[Any, dict[str, Any]]:
    """A loss of torch as it is by default, and the arguments that this one was given besides."""
    if not isinstance(loss, nn.Module):
        keywords: dict[str, Any] = {}
        while isinstance(loss, functools.partial):
            keywords, loss = {**loss.keywords, **keywords}, loss.func
        return loss, keywords
    usual = type(loss)()
    names = argument_names(type(loss), without=("size_average", "reduce"))
    different = {name: getattr(loss, name) for name in names if hasattr(loss, name)}
    return usual, {
        name: value for name, value in different.items() if value is not getattr(usual, name, None)
    }


def _kind(loss: Any) -> Any:
    """The class of a loss of torch.nn, or the function that `functools.partial` wraps."""
    while isinstance(loss, functools.partial):
        loss = loss.func
    return type(loss) if isinstance(loss, nn.Module) else loss


def _is_torchs(loss: Any) -> bool:
    """Whether a loss is a class of torch.nn or a function of torch.nn.functional, also with arguments."""
    place = str(getattr(_kind(loss), "__module__", ""))
    return place in ("torch.nn.modules.loss", "torch.nn.functional")


def _cut(loss: Tensor, trained: list[nn.Parameter]) -> Finding:
    seen = "has no gradient at all" if not loss.requires_grad else "is connected to none of them"
    return mistake(
        "TS107",
        f"The loss reaches none of the {len(trained)} parameters: it {seen}.",
        "Without a way back from the loss nothing is learned.",
        "Look for detach(), .data, item(), NumPy, argmax, rounding or torch.no_grad() between "
        "the parameters and the loss.",
    )


def _nan(module: nn.Module, inputs: Any) -> Finding:
    if count := not_finite(inputs):
        return mistake(
            "TS601",
            f"The outputs are not finite, as {count} numbers of the inputs are NaN or infinite.",
            "One such number makes the loss and every gradient NaN.",
            "Fill or leave out missing values before training.",
        )
    with Route(module) as route:
        module(copied(inputs))
    where = route.path(route.origin if route.origin is not None else module)
    return mistake(
        "TS601",
        f"{where} makes NaN or infinite numbers of finite ones.",
        "One such number makes the loss and every gradient NaN.",
        "Look for log, division, sqrt or exp at the edge of their domain, for weights that are not finite, "
        "and for inputs that were not scaled.",
        path=where,
    )


def _name(loss: Any) -> str:
    return str(getattr(_kind(loss), "__name__", "The loss"))
