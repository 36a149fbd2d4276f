"""Neural networks as scikit-learn estimators: `ts.Classifier` and `ts.Regressor`.

They go through the same preprocessing, batches and loop as `ts.train` and `ts.fit`, write no file, and work
wherever scikit-learn wants an estimator: pipelines, grid search, cross-validation, clone, `n_jobs`.
"""

from __future__ import annotations

from torchstone.estimators.classifier import Classifier
from torchstone.estimators.regressor import Regressor

__all__ = ["EXPECTED_FAILED_CHECKS", "Classifier", "Regressor"]

EXPECTED_FAILED_CHECKS: dict[str, str] = {
    "check_sample_weight_equivalence_on_dense_data": (
        "A row of weight 2 and the same row twice have the same gradient in one batch of all rows, but are "
        "divided differently into mini-batches, and each mini-batch has a mean of its own. (A row of weight "
        "0 is the same as no row.)"
    ),
    "check_methods_subset_invariance": (
        "The check allows a relative difference of 1e-7. Outputs are float32, whose sums are rounded "
        "differently when rows are computed alone and in a batch, by about 1e-6."
    ),
    "check_methods_sample_order_invariance": (
        "The same: in another order a row stands at another place of the batch, where float32 sums may be "
        "rounded differently."
    ),
}
"""The checks of `sklearn.utils.estimator_checks.check_estimator` that fail, and why they must."""
