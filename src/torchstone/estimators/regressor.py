"""A neural network that predicts numbers, as a scikit-learn estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_array

from torchstone.estimators.base import NetworkEstimator
from torchstone.task import Task


class Regressor(RegressorMixin, NetworkEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A neural network that predicts one or more numbers, as a scikit-learn estimator.

    Inputs and targets are standardised, missing values filled and categories of frames encoded as `ts.train`
    does it; statistics come from the rows of `fit` alone. Predictions are in the target's own unit. No file
    is written.

    Args:
        model: a name of `ts.list_models()`, or a module, class or function of your own; see `Classifier`.
        model_arguments: arguments of the model, such as `{"hidden": 64}`.
        epochs: passes over the training rows. Default: the model's own, as for all that follow.
        batch_size: rows per step. Default: chosen from the number of rows.
        optimizer: a class of torch.optim by name, or a function of the parameters that makes one.
        lr: the learning rate.
        weight_decay: decay of weights; biases and normalisation are spared.
        scheduler: `none`, `cosine`, `onecycle` or a class of torch.optim.lr_scheduler by name.
        loss: a loss of torch.nn that fits numbers, by name, such as `HuberLoss`. Default: `MSELoss`.
        patience: stop after this many epochs without a better validation loss; 0 never stops. Default: the
            model's own (for `mlp` 0).
        validation_fraction: the share of rows held out to choose the best epoch by. Default: 0.1 where
            there is a patience, else 0.
        options: further options of `ts.train` by name, such as `{"clip": 1.0, "average": "ema"}`.
        device: `auto`, `cpu`, `cuda`, `mps`.
        random_state: seed of initial weights, order of rows and held-out rows; None draws one from NumPy's
            global generator.
        verbose: show the progress of training.

    Attributes:
        module_: the trained `nn.Module`, on the CPU; inputs and outputs are standardised.
        history_: a polars frame with one row per epoch; losses are of standardised targets.
        n_iter_: the epochs that were trained.
        n_features_in_, feature_names_in_: as scikit-learn defines them.
        columns_left_out_: columns that are no inputs, with the reason.

    Example:
        >>> from sklearn.datasets import load_diabetes
        >>> from torchstone import Regressor
        >>> X, y = load_diabetes(return_X_y=True)
        >>> bool(Regressor("linear", random_state=0).fit(X, y).score(X, y) > 0.4)
        True
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Regressor:
        """Trains a new network.

        Args:
            X: `(N, F)`: an array, or a pandas or polars frame, whose columns may hold words, dates or missing
                values; pictures `(N, C, H, W)` for models of pictures.
            y: numbers, `(N,)` or `(N, T)`.
            sample_weight: how much each row counts.

        Raises:
            ValueError: X, y or weights cannot be used.
            ConfigError: a parameter cannot be used.
            PreflightError: the module's output does not fit the number of targets.
        """
        X, y, weights = self._checked(X, y, sample_weight)
        values = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y", estimator=self)
        self._flat = values.ndim == 1
        values = values.reshape(len(values), -1)
        names = tuple(f"target_{place}" for place in range(values.shape[1]))
        self._train(X, values, Task("regression", names), weights)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The predicted numbers, float64, `(N,)` or `(N, T)` as y was."""
        values = self._outputs(X)
        return values.reshape(-1) if self._flat else values
