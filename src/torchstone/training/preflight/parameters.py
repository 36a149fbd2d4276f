"""Whether there is something to learn, and an optimizer that learns it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from torch import nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from torchstone.finding import Finding
from torchstone.training.objective import Objective
from torchstone.training.preflight.mistake import mistake

_MAKE_AFTER = "Make the optimizer from the finished module: torch.optim.Adam(net.parameters())."


def trained_parameters(module: nn.Module, objective: Objective) -> list[nn.Parameter]:
    """What a gradient can change: of the module, and of a loss that has parameters."""
    return [parameter for parameter in _own(module, objective) if parameter.requires_grad]


def check_parameters(
    module: nn.Module, objective: Objective, optimizers: Sequence[Optimizer]
) -> list[Finding]:
    """TS504 nothing can learn, TS502 nobody trains it, TS503 the optimizer holds what was replaced."""
    trained = trained_parameters(module, objective)
    if not trained:
        if not any(True for _ in module.parameters()) and objective.step is not None:
            return []  # the step knows what it trains
        count = sum(1 for _ in module.parameters())
        return [
            mistake(
                "TS504",
                f"None of the {count} parameters of net ({type(module).__name__}) requires a gradient."
                if count
                else f"net ({type(module).__name__}) has no parameters.",
                "There is nothing that training could change.",
                "Set requires_grad_(True) on the parameters that are to be trained."
                if count
                else "Register the layers: as attributes, in nn.Sequential or in nn.ModuleList, "
                "not in a plain list.",
            )
        ]
    if not optimizers or objective.step is not None:
        return []
    held = [p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
    own = {id(parameter) for parameter in _own(module, objective)}
    foreign = [parameter for parameter in held if id(parameter) not in own]
    missing = [p for p in trained if id(p) not in {id(parameter) for parameter in held}]
    if len(missing) == len(trained):
        return [_nothing_held(trained, foreign)]
    if foreign and missing:
        return [
            mistake(
                "TS503",
                f"The optimizer holds {len(foreign)} parameters that net no longer has, and lacks "
                f"{len(missing)} that it has: {', '.join(_names(module, missing)[:3])}.",
                "A layer that was replaced after the optimizer was made is never trained.",
                _MAKE_AFTER,
                severity="warning",
            )
        ]
    return []


def _nothing_held(trained: Sequence[nn.Parameter], foreign: Sequence[nn.Parameter]) -> Finding:
    shapes = Counter(tuple(p.shape) for p in trained if not is_lazy(p))
    replaced = bool(shapes) and shapes == Counter(tuple(p.shape) for p in foreign if not is_lazy(p))
    return mistake(
        "TS503" if replaced else "TS502",
        "The optimizer holds the parameters of another module of the same shapes, none of net's."
        if replaced
        else f"The optimizer holds none of the {len(trained)} parameters of net that require a gradient.",
        "Training would change nothing in net.",
        _MAKE_AFTER,
    )


def _own(module: nn.Module, objective: Objective) -> list[nn.Parameter]:
    loss = objective.loss
    return [*module.parameters(), *(loss.parameters() if isinstance(loss, nn.Module) else ())]


def _names(module: nn.Module, parameters: Sequence[nn.Parameter]) -> list[str]:
    wanted = {id(parameter) for parameter in parameters}
    return [name for name, parameter in module.named_parameters() if id(parameter) in wanted]
