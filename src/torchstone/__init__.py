"""torchstone trains PyTorch models and reviews PyTorch training code.

The public names are listed here by hand and imported when they are first used, so that
`import torchstone` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torchstone.api import (
        check,
        evaluate,
        fit,
        list_models,
        list_runs,
        load,
        predict,
        resume,
        train,
        watch,
    )
    from torchstone.errors import (
        ConfigError,
        DataError,
        Interrupted,
        MissingExtraError,
        ModelError,
        PreflightError,
        RunError,
        TorchstoneError,
        TrainingError,
        UsageError,
    )
    from torchstone.estimators import Classifier, Regressor
    from torchstone.evaluation.evaluate import Evaluation
    from torchstone.finding import Finding
    from torchstone.review.report import Report
    from torchstone.run import Run
    from torchstone.training.callbacks import Callback

__version__ = "0.1.0"

_HOME = {
    "Callback": "torchstone.training.callbacks",
    "Classifier": "torchstone.estimators",
    "ConfigError": "torchstone.errors",
    "DataError": "torchstone.errors",
    "Evaluation": "torchstone.evaluation.evaluate",
    "Finding": "torchstone.finding",
    "Interrupted": "torchstone.errors",
    "MissingExtraError": "torchstone.errors",
    "ModelError": "torchstone.errors",
    "PreflightError": "torchstone.errors",
    "Regressor": "torchstone.estimators",
    "Report": "torchstone.review.report",
    "Run": "torchstone.run",
    "RunError": "torchstone.errors",
    "TorchstoneError": "torchstone.errors",
    "TrainingError": "torchstone.errors",
    "UsageError": "torchstone.errors",
    "check": "torchstone.api",
    "evaluate": "torchstone.api",
    "fit": "torchstone.api",
    "list_models": "torchstone.api",
    "list_runs": "torchstone.api",
    "load": "torchstone.api",
    "predict": "torchstone.api",
    "resume": "torchstone.api",
    "load_ipython_extension": "torchstone.notebook",
    "train": "torchstone.api",
    "watch": "torchstone.api",
}
"""Where each public name is defined."""

TRAIN_PACKAGES = (
    "numpy",
    "polars",
    "safetensors",
    "sklearn",
    "tensorboard",
    "torch",
    "torchvision",
)
"""What the extra `train` brings; where one of them is missing, the error names the extra."""

__all__ = [
    "Callback",
    "Classifier",
    "ConfigError",
    "DataError",
    "Evaluation",
    "Finding",
    "Interrupted",
    "MissingExtraError",
    "ModelError",
    "PreflightError",
    "Regressor",
    "Report",
    "Run",
    "RunError",
    "TorchstoneError",
    "TrainingError",
    "UsageError",
    "check",
    "evaluate",
    "fit",
    "list_models",
    "list_runs",
    "load",
    "predict",
    "resume",
    "train",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'torchstone' has no attribute {name!r}")
    try:
        value = getattr(importlib.import_module(_HOME[name]), name)
    except ModuleNotFoundError as error:
        if error.name not in TRAIN_PACKAGES:
            raise
        from torchstone.errors import MissingExtraError

        raise MissingExtraError(error.name, "train") from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, "__version__"})
