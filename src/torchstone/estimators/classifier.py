"""A neural network that tells classes apart, as a scikit-learn estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from torchstone.estimators.base import NetworkEstimator
from torchstone.task import Task, TaskKind


class Classifier(ClassifierMixin, NetworkEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A neural network that tells classes apart, as a scikit-learn estimator.

    Numbers are standardised, missing values filled and categories of frames encoded as `ts.train` does it;
    statistics come from the rows of `fit` alone. No file is written.

    Args:
        model: a name of `ts.list_models()`, or a module, class or function of your own: a module is copied, a
            class is called with what its parameters ask for by name (`inputs`, `outputs`, `spec` ...).
        model_arguments: arguments of the model, such as `{"hidden": 64}`.
        epochs: passes over the training rows. Default: the model's own, as for all that follow.
        batch_size: rows per step. Default: chosen from the number of rows.
        optimizer: a class of torch.optim by name, or a function of the parameters that makes one.
        lr: the learning rate.
        weight_decay: decay of weights; biases and normalisation are spared.
        scheduler: `none`, `cosine`, `onecycle` or a class of torch.optim.lr_scheduler by name.
        loss: a loss of torch.nn that fits classes, by name. Default: `CrossEntropyLoss`.
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
        classes_: the classes, sorted.
        module_: the trained `nn.Module`, on the CPU; its inputs are preprocessed rows.
        history_: a polars frame with one row per epoch.
        n_iter_: the epochs that were trained.
        n_features_in_, feature_names_in_: as scikit-learn defines them.
        columns_left_out_: columns that are no inputs, with the reason.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> from torchstone import Classifier
        >>> X, y = load_iris(return_X_y=True)
        >>> bool(Classifier(epochs=20, random_state=0).fit(X, y).score(X, y) > 0.9)
        True
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Classifier:
        """Trains a new network.

        Args:
            X: `(N, F)`: an array, or a pandas or polars frame, whose columns may hold words, dates or missing
                values; pictures `(N, C, H, W)` for models of pictures.
            y: a class for each row.
            sample_weight: how much each row counts.

        Raises:
            ValueError: X, y or weights cannot be used.
            ConfigError: a parameter cannot be used.
            PreflightError: the module's output does not fit the classes.
        """
        X, y, weights = self._checked(X, y, sample_weight)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class, {self.classes_[0]!r}; training needs at least two classes.")
        kind: TaskKind = "binary" if len(self.classes_) == 2 else "multiclass"
        task = Task(kind, ("target",), tuple(str(name) for name in self.classes_))
        self._train(X, codes.astype(np.int64), task, weights)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, float64 `(N, classes)` in the order of `classes_`."""
        return self._outputs(X)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each row, `(N,)`."""
        most = self.predict_proba(X).argmax(axis=1)
        predicted: np.ndarray = self.classes_[most]
        return predicted
