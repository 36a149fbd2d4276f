"""Curves of a classifier: ROC and precision-recall of each class, and how far confidence can be trusted."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from torchstone.metrics import ScoredRows
from torchstone.metrics.classification import BINS, confidence_bins
from torchstone.metrics.rows import Ranked

Array = npt.NDArray[Any]

POINTS = 200
"""The most points of a curve that is kept."""

CLASSES = 20
"""The most classes whose curves are kept: the first ones."""


def curves(scored: ScoredRows) -> dict[str, list[dict[str, Any]]]:
    """ROC and precision-recall curves: of the positive class, of each class against the rest, or of each
    label.

    A class without positive or without negative rows has no curve.

    Returns:
        `roc` and `precision_recall`, each a list of {"class", "x", "y", "area"}: false positive rate
        and recall, recall and precision; the area is ROC AUC and average precision.
    """
    names = scored.task.classes[1:] if scored.task.kind == "binary" else scored.task.classes
    found: dict[str, list[dict[str, Any]]] = {"roc": [], "precision_recall": []}
    for name, ranked in list(zip(names, scored.ranked, strict=True))[:CLASSES]:
        true, said = _counts(ranked)
        positives, negatives = true[-1], said[-1] - true[-1]
        if positives == 0 or negatives == 0:
            continue
        recall, false = true / positives, (said - true) / negatives
        precision = np.divide(true, said, out=np.ones_like(true), where=said > 0)
        area = float(np.trapezoid(recall, false))
        average = float(np.sum(np.diff(recall) * precision[1:]))
        found["roc"].append({"class": name, **_thinned(false, recall), "area": area})
        precision[0] = precision[1]
        found["precision_recall"].append({"class": name, **_thinned(recall, precision), "area": average})
    return found


def _counts(ranked: Ranked) -> tuple[Array, Array]:
    """Positives among, and number of, the highest scores: of none and after each distinct score."""
    true = np.append(0.0, np.cumsum(ranked.positive))
    said = np.arange(len(true), dtype=np.float64)
    if ranked.ends is None:
        return true, said
    kept = np.append(0, ranked.ends + 1)
    return true[kept], said[kept]


def _thinned(x: Array, y: Array) -> dict[str, list[float]]:
    """At most 200 points of a curve, evenly spaced along its way, ends included."""
    if len(x) > POINTS:
        way = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
        places = np.searchsorted(way, np.linspace(0.0, way[-1], POINTS - 1))
        kept = np.unique(np.append(np.minimum(places, len(x) - 1), len(x) - 1))
        x, y = x[kept], y[kept]
    return {"x": x.round(6).tolist(), "y": y.round(6).tolist()}


def calibration(scored: ScoredRows) -> list[dict[str, Any]]:
    """Confidence against accuracy in 15 bins of the top class's probability; empty bins are left out.

    Returns:
        bins of {"low", "high", "confidence", "accuracy", "rows"}, lowest confidence first.
    """
    bins = confidence_bins(scored.confidence)
    rows = np.bincount(bins, minlength=BINS)
    confidence = np.bincount(bins, weights=scored.confidence, minlength=BINS)
    hits = np.bincount(bins, weights=scored.hit, minlength=BINS)
    return [
        {
            "low": i / BINS,
            "high": (i + 1) / BINS,
            "confidence": float(confidence[i] / rows[i]),
            "accuracy": float(hits[i] / rows[i]),
            "rows": int(rows[i]),
        }
        for i in range(BINS)
        if rows[i]
    ]
