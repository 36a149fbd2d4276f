"""Weights are loaded whose names or shapes are not those of the model.

## What it does
Explains the error that ended the program, under its traceback: whether all names have a prefix too much or
too few (`module.`, `_orig_mod.`), whether the weights lie one level deeper in what was saved, or which layers
are missing, left over or of another shape.

## Why is this bad?
The program stops, and its error is a list of names. `strict=False`, the remedy that comes to mind, loads
nothing at all in the first two cases, and the model works on with random weights.

## References
- [Saving and loading models](https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torchstone.finding import Severity
from torchstone.review.crashes import Crash
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.objects import is_tensor

if TYPE_CHECKING:
    from torchstone.review.stream import Event

CODE = "TS810"
NAME = "state-mismatch"
SEVERITY: Severity = "error"
ONLY_RUN = True

BAD = (
    Example(
        """
        from torch import nn

        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        saved = {f"module.{name}": value for name, value in model.state_dict().items()}
        model.load_state_dict(saved)  # TS810
        """
    ),
    Example(
        """
        from torch import nn

        model = nn.Linear(4, 8)
        checkpoint = {"epoch": 3, "model": model.state_dict()}
        model.load_state_dict(checkpoint)  # TS810
        """
    ),
)
GOOD = (
    """
    from torch import nn

    model = nn.Linear(4, 8)
    checkpoint = {"epoch": 3, "model": model.state_dict()}
    model.load_state_dict(checkpoint["model"])
    """,
)

_MOST = 5


class Watch(Detector):
    """Explains the error that ended the program."""

    def on_crash(self, event: Event) -> None:
        """How the names of the model and of what it was given go together."""
        crash = Crash(event.subject)
        model = crash.argument("self", "load_state_dict")
        state = crash.argument("state_dict", "load_state_dict")
        if crash.kind != "state" or not isinstance(state, Mapping) or not hasattr(model, "state_dict"):
            return
        own = model.state_dict()
        message, fix = _explained(own, state)
        both = [name for name in own if name in state and is_tensor(state[name])]
        wrong = [name for name in both if tuple(state[name].shape) != tuple(own[name].shape)]
        self.found(
            message.format(model=type(model).__name__),
            why="no weight is loaded where one does not fit",
            place=crash.place,
            fix=fix,
            missing=[name for name in own if name not in state][:_MOST],
            unexpected=[str(name) for name in state if name not in own][:_MOST],
            shapes={name: [list(own[name].shape), list(state[name].shape)] for name in wrong[:_MOST]},
        )


def _explained(own: Mapping[str, Any], state: Mapping[str, Any]) -> tuple[str, str]:
    inner = next(
        (key for key, value in state.items() if isinstance(value, Mapping) and own.keys() & value.keys()), ""
    )
    if inner:
        return (
            f"The weights of the {{model}} lie one level deeper, under {inner!r}",
            f"Load that part: `load_state_dict(checkpoint[{inner!r}])`.",
        )
    given, wanted = [str(key) for key in state], list(own)
    if prefix := _prefix(given, wanted):
        return (
            f"All names of what is loaded begin with `{prefix}`, and those of the {{model}} do not",
            f"Cut it off: `{{name.removeprefix({prefix!r}): value for name, value in state.items()}}`; "
            "better, save the state of the model inside of its wrapper.",
        )
    if prefix := _prefix(wanted, given):
        return (
            f"The names of the {{model}} begin with `{prefix}`, and those of what is loaded do not",
            "Load the weights before the model is wrapped, or into the model inside of the wrapper.",
        )
    if set(given) == set(wanted):
        return (
            "Layers of the {model} have other shapes than what is loaded",
            "Make the model with the sizes that it was saved with; the evidence has both shapes.",
        )
    return (
        f"{len(set(wanted) - set(given))} of {len(wanted)} weights of the {{model}} are missing in what is "
        f"loaded, and {len(set(given) - set(wanted))} of its names are unknown to the model",
        "Make the model as it was when it was saved, or rename what was renamed since.",
    )


def _prefix(longer: list[str], shorter: list[str]) -> str:
    """What all names of one side begin with more than the other side's."""
    if not longer or not shorter:
        return ""
    prefix = longer[0].split(".")[0] + "."
    fitting = {name.removeprefix(prefix) for name in longer if name.startswith(prefix)}
    return prefix if len(fitting) == len(longer) and len(fitting & set(shorter)) * 2 > len(shorter) else ""
