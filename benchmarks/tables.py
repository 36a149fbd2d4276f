"""Twelve tables: torchstone's default model beside gradient boosting and a linear model, on the same splits.

Each table is read, split and trained by `ts.train` with nothing but its files and target; the others get its
training rows and columns, and all are measured on its test rows:

- torchstone: the default model and recipe.
- boosting: scikit-learn's HistGradientBoosting with its defaults, categories and missing values its own way.
- linear: scikit-learn's LogisticRegression (1,000 iterations at most) or Ridge with their defaults, on the
  rows as torchstone encodes them.

The metric of a table is that of its kind: ROC AUC for two classes, log loss for more (accuracy is nearly
always 1 on penguins), RMSE for numbers. A rank is that of the mean over the seeds. The default recipe was
found while scores of these tables could be seen.

    python benchmarks/tables.py --data FOLDER
    python benchmarks/tables.py --data FOLDER --table adult --seeds 5 --output results.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

import torchstone as ts

LOWER_IS_BETTER = ("log_loss", "rmse")


@dataclass(frozen=True)
class Table:
    """One data set: its files below the data folder, and what `ts.train` is told beside them."""

    files: tuple[str, ...]
    metric: str
    target: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    frame: Callable[[Path], pl.DataFrame] | None = None


def heart(file: Path) -> pl.DataFrame:
    """Heart disease as it is usually done: no disease (0) against any (1 to 4)."""
    names = [f"column_{number}" for number in range(1, 15)]
    frame = pl.read_csv(file, has_header=False, new_columns=names, null_values="?")
    return frame.with_columns(pl.col("column_14") > 0)


TABLES = {
    "adult": Table(("adult/adult.data",), "roc_auc", "-1", {"test": "adult/adult.test"}),
    "titanic": Table(("titanic/train.csv",), "roc_auc", "Survived"),
    "california-housing": Table(("california-housing/housing.csv",), "rmse", "median_house_value"),
    "ames-housing": Table(
        ("ames-housing/AmesHousing.csv",), "rmse", "SalePrice", {"columns": {"Order": "drop", "PID": "drop"}}
    ),
    "bank-marketing": Table(("bank-marketing/bank-additional-full.csv",), "roc_auc", "y"),
    "wine-quality": Table(
        ("wine-quality/winequality-red.csv", "wine-quality/winequality-white.csv"),
        "rmse",
        "-1",
        {"task": "regression"},
    ),
    "heart-disease": Table(("heart-disease/processed.cleveland.data",), "roc_auc", "column_14", frame=heart),
    "pima-diabetes": Table(("pima-diabetes/pima-indians-diabetes.csv",), "roc_auc", "-1"),
    "german-credit": Table(("german-credit/german.csv",), "roc_auc", "-1"),
    "horse-colic": Table(
        ("horse-colic/horse-colic.csv",), "roc_auc", "column_24", {"columns": {"column_3": "drop"}}
    ),
    "diamonds": Table(("diamonds/diamonds.csv",), "rmse", "price"),
    "penguins": Table(("penguins/penguins.csv",), "log_loss", "species"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds tabular/")
    parser.add_argument("--table", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--output", type=Path, help="a JSON file for all the numbers")
    parser.add_argument("--model", default="auto", help="another model in the default's place")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings for ts.train")
    arguments = parser.parse_args()
    results: dict[str, dict[str, list[dict[str, float]]]] = {}
    for name in arguments.table:
        results[name] = {}
        for seed in range(arguments.seeds):
            measured = measure(arguments.data / "tabular", TABLES[name], seed, arguments.model, arguments.set)
            for model, numbers in measured.items():
                results[name].setdefault(model, []).append(numbers)
        print(line(name, results[name]), file=sys.stderr, flush=True)
        if arguments.output:
            arguments.output.write_text(json.dumps({"machine": machine(), "results": results}, indent=1))
    print(markdown(results))


def measure(
    folder: Path, table: Table, seed: int, model: str, settings: list[str]
) -> dict[str, dict[str, float]]:
    """Every model's metrics on the test rows of one split."""
    options = dict(table.options)
    if "test" in options:
        options["test"] = str(folder / options["test"])
    data: Any = [str(folder / file) for file in table.files]
    if table.frame is not None:
        data = table.frame(folder / table.files[0])
    with tempfile.TemporaryDirectory() as scratch:
        began = time.perf_counter()
        run = ts.train(
            data,
            target=table.target,
            model=model,
            seed=seed,
            out=f"{scratch}/run",
            quiet=True,
            settings=settings,
            **options,
        )
        seconds = time.perf_counter() - began
        evaluation = ts.evaluate(run, "test")
    ours = {key: float(value["value"]) for key, value in evaluation.metrics.items()}
    prepared = run.context
    return {
        "torchstone": {**ours, "seconds": seconds},
        "boosting": boosting(prepared, seed),
        "linear": linear(prepared),
    }


def boosting(prepared: Any, seed: int) -> dict[str, float]:
    """HistGradientBoosting with its defaults: numbers as they are, other columns as categories."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    columns, categorical = [], []
    frame = prepared.samples.features
    for name in prepared.preprocessing.columns_used:
        values = frame[name]
        if values.dtype.is_numeric() or values.dtype.is_temporal() or values.dtype == pl.Boolean:
            numbers = values.dt.epoch("s") if values.dtype.is_temporal() else values
            columns.append(numbers.cast(pl.Float64).fill_null(np.nan).to_numpy())
            categorical.append(False)
        else:
            columns.append(category_codes(values.to_numpy(), prepared.split.train))
            categorical.append(True)
    kind = HistGradientBoostingRegressor if is_regression(prepared) else HistGradientBoostingClassifier
    return fitted(
        kind(random_state=seed, categorical_features=categorical), np.column_stack(columns), prepared
    )


def category_codes(values: Any, train: Any) -> Any:
    """Codes by frequency in the training rows; missing, unseen and beyond the 254 most frequent are NaN."""
    known = [value for value in values[train] if value is not None]
    names, counts = np.unique(np.asarray(known, dtype=str), return_counts=True)
    place = {name: code for code, name in enumerate(names[np.argsort(-counts, kind="stable")][:254])}
    return np.array([place.get(str(value), np.nan) if value is not None else np.nan for value in values])


def linear(prepared: Any) -> dict[str, float]:
    """Logistic regression or ridge with their defaults, on torchstone's encoding."""
    from sklearn.linear_model import LogisticRegression, Ridge

    inputs = prepared.rows.take(torch.arange(len(prepared.rows))).numpy()
    model = Ridge() if is_regression(prepared) else LogisticRegression(max_iter=1000)
    return fitted(model, inputs, prepared)


def is_regression(prepared: Any) -> bool:
    return bool(prepared.task.kind == "regression")


def fitted(model: Any, inputs: Any, prepared: Any) -> dict[str, float]:
    """Trained on the training rows, measured on the test rows."""
    split, targets = prepared.split, np.asarray(prepared.target.values)
    if is_regression(prepared):
        targets = targets.reshape(len(targets))
    began = time.perf_counter()
    model.fit(inputs[split.train], targets[split.train])
    seconds = time.perf_counter() - began
    predict = model.predict if is_regression(prepared) else model.predict_proba
    return {**scores(targets[split.test], predict(inputs[split.test])), "seconds": seconds}


def scores(targets: Any, predicted: Any) -> dict[str, float]:
    """Scikit-learn's metrics under torchstone's names."""
    from sklearn import metrics

    if predicted.ndim == 1:
        rmse = metrics.root_mean_squared_error(targets, predicted)
        return {"rmse": float(rmse), "r2": float(metrics.r2_score(targets, predicted))}
    auc = predicted[:, 1] if predicted.shape[1] == 2 else predicted
    return {
        "roc_auc": float(metrics.roc_auc_score(targets, auc, multi_class="ovr")),
        "accuracy": float(metrics.accuracy_score(targets, predicted.argmax(axis=1))),
        "log_loss": float(metrics.log_loss(targets, predicted)),
    }


def summary(measured: dict[str, list[dict[str, float]]], metric: str) -> dict[str, tuple[float, float]]:
    """For each model mean and standard deviation over the seeds."""
    return {
        model: (float(np.mean(values)), float(np.std(values)))
        for model, runs in measured.items()
        for values in [[run[metric] for run in runs]]
    }


def ranks(measured: dict[str, list[dict[str, float]]], metric: str) -> dict[str, float]:
    """The models' ranks by their means, 1 the best; equal means share a rank."""
    means = {model: mean for model, (mean, _) in summary(measured, metric).items()}
    sign = 1 if metric in LOWER_IS_BETTER else -1
    signed = {model: sign * mean for model, mean in means.items()}
    every = list(signed.values())
    return {
        model: 1 + sum(other < value for other in every) + (every.count(value) - 1) / 2
        for model, value in signed.items()
    }


def number(value: float, metric: str) -> str:
    return f"{value:,.0f}" if metric == "rmse" and value > 100 else f"{value:.4f}"


def cell(values: tuple[float, float], metric: str) -> str:
    """Mean ± deviation, with the digits that suit the mean."""
    mean, deviation = values
    shown = f"{deviation:,.0f}" if metric == "rmse" and mean > 100 else f"{deviation:.4f}"
    return f"{number(mean, metric)} ± {shown}"


def line(name: str, measured: dict[str, list[dict[str, float]]]) -> str:
    metric = TABLES[name].metric
    cells = [f"{model} {cell(values, metric)}" for model, values in summary(measured, metric).items()]
    seconds = float(np.mean([run["seconds"] for run in measured["torchstone"]]))
    return f"{name} {metric}: {', '.join(cells)} ({seconds:.0f} s a training)"


def markdown(results: dict[str, dict[str, list[dict[str, float]]]]) -> str:
    """The tables of results: the metric of each table with ranks, then everything else that was measured."""
    models = ["torchstone", "boosting", "linear"]
    rows = [
        f"| table | metric | {' | '.join(models)} | seconds |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    placed: dict[str, list[float]] = {model: [] for model in models}
    for name, measured in results.items():
        metric = TABLES[name].metric
        means, order = summary(measured, metric), ranks(measured, metric)
        cells = [cell(means[model], metric) for model in models]
        cells = [
            f"**{text}**" if order[model] < 2 else text for model, text in zip(models, cells, strict=True)
        ]
        seconds = float(np.mean([run["seconds"] for run in measured["torchstone"]]))
        rows.append(f"| {name} | {metric} | {' | '.join(cells)} | {seconds:.0f} |")
        for model in models:
            placed[model].append(order[model])
    mean_ranks = " | ".join(f"{float(np.mean(placed[model])):.2f}" for model in models)
    rows += [f"| mean rank | | {mean_ranks} | |", "", *others(results, models), "", machine()]
    return "\n".join(rows)


def others(results: dict[str, dict[str, list[dict[str, float]]]], models: list[str]) -> list[str]:
    """What else was measured; it decides nothing."""
    rows = [f"| table | metric | {' | '.join(models)} |", "| --- | --- | ---: | ---: | ---: |"]
    for name, measured in results.items():
        for metric in ("roc_auc", "accuracy", "log_loss", "rmse", "r2"):
            if metric == TABLES[name].metric or metric not in measured["linear"][0]:
                continue
            means = summary(measured, metric)
            rows.append(
                f"| {name} | {metric} | {' | '.join(cell(means[model], metric) for model in models)} |"
            )
    return rows


def machine() -> str:
    threads = torch.get_num_threads()
    return (
        f"Python {platform.python_version()}, torch {torch.__version__}, {platform.system()}, "
        f"{os.cpu_count()} processors, {threads} threads."
    )


if __name__ == "__main__":
    main()
