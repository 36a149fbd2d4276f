"""What Classifier and Regressor share: their parameters, and one training without a directory."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    _check_sample_weight,
    check_array,
    check_consistent_length,
    check_is_fitted,
)
from torch import nn
from torch.optim import Optimizer

from torchstone.config import TrainConfig, TrainingConfig, from_options
from torchstone.data.batches import TensorBatches
from torchstone.data.split import LEAST_ROWS
from torchstone.data.target import Target
from torchstone.errors import ConfigError
from torchstone.estimators.inputs import (
    as_value_errors,
    checked,
    is_mixed,
    new_samples,
    training_samples,
)
from torchstone.evaluation.evaluate import model_outputs
from torchstone.evaluation.restore import Restored
from torchstone.fitting import FitArguments, fit
from torchstone.flow import monitoring, planning
from torchstone.flow.learner import build_loss
from torchstone.flow.preparation import Prepared, divide_and_encode
from torchstone.models.build import build_model, build_own, is_user_class, recipe
from torchstone.task import Task
from torchstone.training import losses
from torchstone.training.device import choose_device
from torchstone.training.optimizers import build_optimizer
from torchstone.training.randomness import own_randomness
from torchstone.training.schedules import Schedule, build_schedule

Model = str | nn.Module | Callable[..., nn.Module]

_VALIDATION = 0.1
"""The share of rows that is held out when training is to stop early."""


class NetworkEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A neural network as a scikit-learn estimator; see `Classifier` and `Regressor`."""

    def __init__(
        self,
        model: Model = "mlp",
        *,
        model_arguments: Mapping[str, Any] | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        optimizer: str | Callable[..., Any] | None = None,
        lr: float | None = None,
        weight_decay: float | None = None,
        scheduler: str | None = None,
        loss: str | None = None,
        patience: int | None = None,
        validation_fraction: float | None = None,
        options: Mapping[str, Any] | None = None,
        device: str = "auto",
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.model_arguments = model_arguments
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.lr = lr
        self.weight_decay = weight_decay
        self.scheduler = scheduler
        self.loss = loss
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.options = options
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True  # filled, with an indicator, as in `ts.train`
        return tags

    def _checked(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, np.ndarray, np.ndarray | None]:
        """X, y and weights after scikit-learn's checks."""
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y is None."
            )
        self._mixed = is_mixed(X)
        X = checked(self, X, mixed=self._mixed, fitting=True)
        y = check_array(y, ensure_2d=False, dtype=None, input_name="y", estimator=self)
        check_consistent_length(X, y)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
            if not sample_weight.any():
                raise ValueError("The weights of all samples are 0: there is nothing to learn from.")
        return X, y, sample_weight

    def _train(self, X: Any, values: np.ndarray, task: Task, weights: np.ndarray | None) -> None:
        """Trains, and sets the fitted attributes.

        Args:
            X: checked inputs.
            values: targets as `Target.values` has them.
            task: what is to be learned.
            weights: of the samples, or None.
        """
        if weights is not None and not weights.all():  # a row of weight 0 is no row, in no statistic
            kept = np.flatnonzero(weights)
            X, values, weights = X[kept], values[kept], weights[kept]
        prepared = self._prepared(X, values, task)
        loss = build_loss(prepared)
        training = prepared.config.training
        with own_randomness(training.seed, None, choose_device(self.device)[0]):
            module = self._module(prepared, losses.outputs_for(task, loss))
        train, val = _batches(prepared, loss, module, weights)
        asked = _asked(training, has_validation=val is not None)
        run = fit(
            FitArguments(
                net=module,
                train=train,
                val=val,
                loss=loss,
                optimizer=self._optimizer(training, module),
                scheduler=_scheduler(training, train.steps, task),
                quiet=not self.verbose,
                **asked,
            )
        )
        self._restored = Restored(
            module=run.module.cpu().eval(),  # so that it can be sent to another process or machine
            task=task,
            spec=prepared.preprocessing.spec,
            preprocessing=prepared.preprocessing,
            target_scaling=prepared.scaling,
            output_kind=losses.output_kind(loss, task),
            config=prepared.config,
            manifest={},
            reading=prepared.samples.reading,
        )
        self.module_ = self._restored.module
        self.history_ = run.history
        self.n_iter_ = len(run.records)
        self.columns_left_out_ = dict(prepared.preprocessing.columns_left_out)

    def _prepared(self, X: Any, values: np.ndarray, task: Task) -> Prepared:
        """Split, preprocessing and rows, as in `ts.train`."""
        samples = training_samples(X, values, getattr(self, "feature_names_in_", None))
        target = Target(task, values, np.ones(len(values), dtype=bool))
        with as_value_errors():
            return divide_and_encode(samples, target, self._config(len(samples)))

    def _config(self, rows: int) -> TrainConfig:
        """The parameters as the configuration of a training."""
        name = self.model if isinstance(self.model, str) else _place(self.model)
        patience = self.patience
        if patience is None:
            patience = recipe(name).get("patience") or 0
        fraction = self.validation_fraction
        if fraction is None:
            fraction = _VALIDATION if patience and rows >= LEAST_ROWS else 0.0
        if callable(self.optimizer) and not (self.lr is None and self.weight_decay is None):
            raise ConfigError("optimizer: a function has its own lr and weight_decay; leave these out.")
        own = {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "optimizer": None if callable(self.optimizer) else self.optimizer,
            "lr": self.lr,
            "weight_decay": self.weight_decay,
            "scheduler": self.scheduler,
            "loss": self.loss,
        }
        return from_options(
            {
                "model": name,
                "model_arguments": dict(self.model_arguments or {}),
                "val_fraction": fraction,
                "test_fraction": 0.0,
                "patience": patience,
                "device": self.device,
                "seed": self._seed(),
                **{name: value for name, value in own.items() if value is not None},
                **(self.options or {}),
            }
        )

    def _optimizer(self, training: TrainingConfig, module: nn.Module) -> Any:
        """The user's function, or an optimizer by name."""
        if callable(self.optimizer):
            return self.optimizer
        name, arguments = planning.known(training.optimizer), training.optimizer_arguments
        return build_optimizer(name, module, training.lr, training.weight_decay, arguments)

    def _seed(self) -> int:
        if isinstance(self.random_state, Integral):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _module(self, prepared: Prepared, outputs: int) -> nn.Module:
        """A new module; what the user gave is never changed."""
        task, spec, config = prepared.task, prepared.preprocessing.spec, prepared.config.model
        if isinstance(self.model, str):
            return build_model(config.model, task, spec, outputs, config.model_arguments)
        if isinstance(self.model, nn.Module):
            return copy.deepcopy(self.model)
        return build_own(self.model, config.model, task, spec, outputs, config.model_arguments)

    def _outputs(self, X: Any) -> np.ndarray:
        """Probabilities `(N, classes)` or numbers `(N, targets)` for the rows of X."""
        check_is_fitted(self)
        samples = new_samples(checked(self, X, mixed=self._mixed, fitting=False), self._restored.reading)
        with as_value_errors():
            rows = self._restored.preprocessing.encode(samples)
        return model_outputs(self._restored, rows, device=choose_device(self.device)[0])


def _batches(
    prepared: Prepared, loss: nn.Module, module: nn.Module, weights: np.ndarray | None
) -> tuple[TensorBatches, TensorBatches | None]:
    """Training rows in a new order each epoch; validation rows, where there are any, always in the same."""
    options, split = prepared.config.training, prepared.split
    targets = losses.shape_targets(prepared.scaling.scale(prepared.target.values), prepared.task, loss)
    of_rows = None if weights is None else torch.from_numpy(weights).float()
    train = TensorBatches(
        prepared.rows,
        targets,
        torch.from_numpy(split.train),
        batch_size=planning.known(options.batch_size),
        shuffle=True,
        seed=options.seed,
        weights=of_rows,
        join_single=planning.has_batch_statistics(module),
    )
    if not len(split.val):
        return train, None
    indices = torch.from_numpy(split.val)
    return train, TensorBatches(
        prepared.rows, targets, indices, batch_size=4096, shuffle=False, weights=of_rows
    )


def _asked(training: TrainingConfig, *, has_validation: bool) -> dict[str, Any]:
    """The options of a training that `fit` has under the same name."""
    names = {field.name for field in fields(FitArguments)} & set(type(training).model_fields)
    asked = {name: getattr(training, name) for name in names - {"loss", "optimizer", "scheduler"}}
    return asked if has_validation else {**asked, "patience": None}


def _scheduler(training: TrainingConfig, steps: int, task: Task) -> Callable[[Optimizer], Schedule | None]:
    """A function of the optimizer that makes the schedule over the whole training.

    Args:
        training: the resolved options.
        steps: batches of an epoch.
        task: whose metric a scheduler may follow.
    """

    def make(optimizer: Optimizer) -> Schedule | None:
        return build_schedule(
            training.scheduler,
            optimizer,
            steps_per_epoch=-(-steps // training.accumulate),
            epochs=planning.known(training.epochs),
            warmup=training.warmup,
            arguments=training.scheduler_arguments,
            mode=monitoring.mode(task, training.monitor),
        )

    return make


def _place(model: nn.Module | Callable[..., Any]) -> str:
    """A model of the user's own as messages name it: `file.py:Class`."""
    made = type(model) if isinstance(model, nn.Module) else model
    name = getattr(made, "__name__", type(made).__name__)
    try:
        file = inspect.getsourcefile(made) or "memory"
    except TypeError:
        file = "memory"
    place = f"{file}:{name}"
    assert is_user_class(place)  # noqa: S101 - so that no recipe of ours is looked for
    return place
