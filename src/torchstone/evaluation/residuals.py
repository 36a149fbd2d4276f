"""Residuals of a regression: how they are spread, and predicted against true values."""

from __future__ import annotations

from typing import Any

import numpy as np

from torchstone.metrics import ScoredRows

_QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_BINS = 30
_POINTS = 500


def residuals(scored: ScoredRows, seed: int = 0) -> list[dict[str, Any]]:
    """For each target the residuals, prediction less truth, in the target's unit.

    Args:
        scored: the rows measured.
        seed: of the choice of at most 500 points.

    Returns:
        one of {"target", "mean", "deviation", "quantiles": {"0.05": ...}, "histogram": {"edges", "counts"},
        "points": {"true", "predicted"}} for each target.
    """
    count = min(_POINTS, len(scored))
    chosen = np.sort(np.random.default_rng(seed).choice(len(scored), count, replace=False))
    found = []
    for place, name in enumerate(scored.task.targets):
        true, predicted = scored.targets[:, place], scored.outputs[:, place]
        errors = predicted - true
        # A few rows far out would leave all others in one bin.
        low, high = np.quantile(errors, [0.005, 0.995])
        counts, edges = np.histogram(np.clip(errors, low, high), bins=_BINS)
        found.append(
            {
                "target": name,
                "mean": float(errors.mean()),
                "deviation": float(errors.std()),
                "quantiles": {
                    str(share): float(value)
                    for share, value in zip(_QUANTILES, np.quantile(errors, _QUANTILES), strict=True)
                },
                "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
                "points": {"true": true[chosen].tolist(), "predicted": predicted[chosen].tolist()},
            }
        )
    return found
