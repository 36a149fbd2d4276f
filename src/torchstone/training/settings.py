"""The numbers of the loop, checked when they are given."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from torchstone.errors import ConfigError, did_you_mean

Precision = Literal["auto", "float32", "bfloat16", "float16"]
Average = Literal["none", "ema", "swa"]
Keep = Literal["best", "last"]


@dataclass(frozen=True)
class Settings:
    """How the loop trains; the names are those of `config.toml` and of `ts.fit`.

    Args:
        epochs: passes over the training samples at most.
        max_time: stop after this many seconds of training, those before a resume included.
        accumulate: batches whose gradients make one optimizer step.
        clip: the largest norm of all gradients together.
        monitor: what decides which epoch is best: `val_loss`, `train_loss` or a metric's key.
        mode: `min` or `max`; default: the metric's own direction.
        patience: stop after this many epochs without an improvement; None or 0 never stops.
        min_delta: an improvement is a change of the monitored value by more than this.
        keep: the weights that the module ends with: those of the best epoch or the last.
        average: average of the weights over steps (`ema`) or over the epochs of the last quarter (`swa`).
        average_decay: decay of the `ema` average per step.
        precision: of forward pass and loss; `auto` is bfloat16 on a GPU that has it, else float32.
        compile: call the module through `torch.compile`.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        seed: seed of random layers.
        deterministic: only operations that give the same bits each time.
        log_every: optimizer steps between two records of the loss; default: about 20 an epoch and not more
            than ten a second.
        save_every: least seconds between two checkpoints.

    Raises:
        ConfigError: names every value out of range.
    """

    epochs: int = 10
    max_time: float | None = None
    accumulate: int = 1
    clip: float | None = None
    monitor: str = "val_loss"
    mode: Literal["min", "max"] | None = None
    patience: int | None = None
    min_delta: float = 0.0
    keep: Keep = "best"
    average: Average = "none"
    average_decay: float = 0.999
    precision: Precision = "float32"
    compile: bool = False
    device: str = "cpu"
    seed: int = 0
    deterministic: bool = False
    log_every: int | None = None
    save_every: float = 30.0

    def __post_init__(self) -> None:
        problems = [*self._ranges(), *self._choices()]
        if problems:
            raise ConfigError("\n".join(problems))

    def _ranges(self) -> list[str]:
        limits: dict[str, tuple[str, Any]] = {
            "epochs": ("a whole number of at least 1", lambda v: _whole(v) and v >= 1),
            "accumulate": ("a whole number of at least 1", lambda v: _whole(v) and v >= 1),
            "max_time": (
                "None or a number of seconds above 0",
                lambda v: v is None or (_number(v) and v > 0),
            ),
            "clip": ("None or a number above 0", lambda v: v is None or (_number(v) and v > 0)),
            "patience": (
                "None or a whole number of at least 0",
                lambda v: v is None or (_whole(v) and v >= 0),
            ),
            "min_delta": ("a number of at least 0", lambda v: _number(v) and v >= 0),
            "average_decay": ("a number between 0 and 1", lambda v: _number(v) and 0 < v < 1),
            "seed": ("a whole number of at least 0", lambda v: _whole(v) and v >= 0),
            "log_every": (
                "None or a whole number of at least 1",
                lambda v: v is None or (_whole(v) and v >= 1),
            ),
            "save_every": ("a number of seconds of at least 0", lambda v: _number(v) and v >= 0),
        }
        return [
            f"{name}: expected {expected}, got {getattr(self, name)!r}."
            for name, (expected, holds) in limits.items()
            if not holds(getattr(self, name))
        ]

    def _choices(self) -> list[str]:
        choices: dict[str, tuple[Any, ...]] = {
            "mode": (None, "min", "max"),
            "keep": get_args(Keep),
            "average": get_args(Average),
            "precision": get_args(Precision),
        }
        return [
            f"{name}: expected one of {', '.join(map(str, known))}, got {getattr(self, name)!r}. "
            f"{did_you_mean(str(getattr(self, name)), map(str, known))}".strip()
            for name, known in choices.items()
            if getattr(self, name) not in known
        ]

    @classmethod
    def names(cls) -> list[str]:
        """The names of all settings."""
        return [field.name for field in fields(cls)]


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value  # not NaN
