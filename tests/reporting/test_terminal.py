"""What the command line shows: figures of the run, every name as text, whole rows in a pipe."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console

import torchstone as ts
from torchstone.finding import Finding, Fix
from torchstone.reporting import terminal
from torchstone.reporting.measured import metric_label
from torchstone.reporting.scales import number
from torchstone.task import Task

HOSTILE = "<b>&\"'`[red]\x1b[31m\x07🙂"
LONG = "n" * 300
CLASSES = ["<i>se&t", "[bold]ver", "vi\"r'🙂"]  # of the run `hostile`
BINARY = Task("binary", ("income",), ("<=50K", ">50K"))


def _piped(show: Callable[[Console], None]) -> str:
    file = io.StringIO()
    show(Console(file=file, width=80))
    return file.getvalue()


def _on_terminal(show: Callable[[Console], None], width: int = 80) -> str:
    file = io.StringIO()
    show(Console(file=file, width=width, force_terminal=True, color_system=None, legacy_windows=False))
    return file.getvalue()


def _plan(**more: Any) -> Callable[[Console], None]:
    facts: dict[str, Any] = {
        "data": "adult.data",
        "task": BINARY,
        "split": {"method": "stratified", "train": 26048, "val": 3256, "test": 3257},
        "model": "tabm",
        "parameters": 123456,
        "device": "cpu",
    }
    return lambda console: terminal.print_plan(console, **{**facts, **more})


def test_the_plan_tells_rows_classes_split_and_model() -> None:
    shown = _piped(
        _plan(
            columns={"age": "numeric", "sex": "categorical", "hours": "numeric"},
            left_out={"id": "identifier"},
            training={"epochs": 30, "lr": 0.002, "batch size": None},
            notes=["adult.data: comma separated, UTF-8, without a header line."],
            out="runs/adult",
        )
    )
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert lines == [
        "data adult.data 32,561 rows",
        "target income binary: <=50K, >50K",
        "columns 2 numeric: age, hours",
        "1 categorical: sex",
        "left out id: identifier",
        "split 26,048 to train on · 3,256 to validate · 3,257 kept for the test (stratified)",
        "model tabm 123,456 parameters",
        "training epochs 30, lr 0.00200",
        "device cpu",
        "run runs/adult",
        "· adult.data: comma separated, UTF-8, without a header line.",
    ]


def test_more_than_a_dozen_names_are_counted() -> None:
    names = {f"column_{place}": "numeric" for place in range(1, 31)}
    shown = _piped(_plan(columns=names))
    assert "30 numeric: column_1," in shown
    assert "column_12 and 18 more" in shown
    assert "column_13" not in shown


@pytest.mark.parametrize("name", [LONG, "two\nlines", "\x1b[31mred\x07", "[bold]x[/bold]", "tab\there"])
def test_a_name_of_any_kind_is_one_row_of_plain_text(name: str) -> None:
    columns = {name: "numeric", "age": "numeric"}
    shown = _piped(_plan(columns=columns, left_out={name: "constant"}, data=name, out="runs/a"))
    assert len(shown.splitlines()) == 8
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", shown)
    if name in (LONG, "[bold]x[/bold]"):
        assert shown.count(name) == 3
    if "\n" in name:
        assert shown.count("two↵lines") == 3


def _evaluation(classes: list[str], task: Task | None = None) -> dict[str, Any]:
    metric = {"value": 0.875, "low": 0.85, "high": 0.9}
    return {
        "split": "val",
        "rows": 1234,
        "task": (task or Task("multiclass", ("y",), tuple(classes))).to_json(),
        "metrics": {
            "accuracy": metric,
            "precision": metric,
            "log_loss": {**metric, "low": None, "high": None},
        },
        "per_class": [
            {"class": name, "precision": 0.5, "recall": 0.25, "f1": 0.3333, "support": 1000}
            for name in classes
        ],
        "notes": ["12 rows had a label that training never saw."],
    }


def test_every_metric_is_one_row_with_its_interval() -> None:
    shown = _piped(lambda console: terminal.print_evaluation(console, _evaluation(["a", "b", "c"])))
    rows = [re.split(r"\s{2,}", line.strip()) for line in shown.splitlines()]
    assert rows[0] == ["1,234 validation rows"]
    assert ["Accuracy", "0.8750", "0.8500 to 0.9000"] in rows
    assert ["Log loss", "0.8750", "–"] in rows
    assert ["b", "0.500", "0.250", "0.333", "1,000"] in rows
    assert "12 rows had a label that training never saw." in shown


@pytest.mark.parametrize("name", [LONG, "two\nlines", "\x1b[2J", "[red]"])
def test_classes_of_any_name_are_one_row_each_in_a_pipe(name: str) -> None:
    plain = _piped(lambda console: terminal.print_evaluation(console, _evaluation(["a", "b", "c"])))
    shown = _piped(lambda console: terminal.print_evaluation(console, _evaluation(["a", name, "c"])))
    assert len(shown.splitlines()) == len(plain.splitlines())
    assert "\x1b" not in shown
    assert (name in shown) is name.isprintable()


def test_a_narrow_terminal_holds_every_line() -> None:
    shown = _on_terminal(
        lambda console: terminal.print_evaluation(console, _evaluation(["a", LONG, "c"])), width=60
    )
    assert max(map(len, shown.splitlines())) <= 60
    assert shown.count("n") >= 300  # folded, not cut


@pytest.mark.parametrize("classes", [("no", "yes"), ("<=50K", "[b]>50K\n")])
def test_for_two_classes_it_is_said_which_one_precision_is_of(classes: tuple[str, str]) -> None:
    evaluation = _evaluation(list(classes), Task("binary", ("y",), classes))
    shown = _piped(lambda console: terminal.print_evaluation(console, evaluation))
    name = classes[1].replace("\n", "↵")
    assert f"Precision is of the class “{name}”." in shown
    evaluation["metrics"] |= {"recall": {"value": 0.5}, "f1": {"value": 0.5}}
    shown = _piped(lambda console: terminal.print_evaluation(console, evaluation))
    assert f"Precision, Recall and F1 are of the class “{name}”." in shown


def test_for_three_classes_no_class_is_said() -> None:
    assert "of the class" not in _piped(
        lambda console: terminal.print_evaluation(console, _evaluation(["a", "b", "c"]))
    )


def test_the_metrics_of_a_real_run_are_those_of_its_evaluation(runs: dict[str, Any]) -> None:
    run = runs["hostile"]
    evaluation = json.loads((run.path / "evaluations" / "test.json").read_text())
    shown = _piped(lambda console: terminal.print_evaluation(console, evaluation))
    rows = [re.split(r"\s{3,}", line.strip()) for line in shown.splitlines()]
    for key, measured in evaluation["metrics"].items():
        assert [metric_label(key), number(measured["value"], 4)] in [row[:2] for row in rows]
    for name in CLASSES:
        assert name in shown


def test_a_real_run_of_two_classes_names_its_class(runs: dict[str, Any]) -> None:
    shown = _piped(lambda console: terminal.print_run(console, runs["binary"].summary()))
    assert "of the class “k2”." in shown
    assert "Trained 1 epoch; the weights are those of epoch 1." in shown
    path = runs["binary"].path
    for line in (
        f"report   {path}/report.html",
        f"predict  torchstone predict {path} DATA -o predictions.csv",
    ):
        assert line in shown


def test_last_weights_are_not_called_those_of_the_best_epoch(runs: dict[str, Any]) -> None:
    shown = _piped(lambda console: terminal.print_run(console, runs["last"].summary()))
    assert "Trained 3 epochs." in shown
    assert "the weights are" not in shown


def test_runs_side_by_side_are_one_row_each(runs: dict[str, Any], tmp_path: Path) -> None:
    folder = runs["hostile"].path.parent
    listed = ts.list_runs(str(folder))
    shown = _piped(lambda console: terminal.print_runs(console, listed, str(folder)))
    lines = shown.splitlines()
    assert [name for name in sorted(runs) if not any(line.startswith(f"{name} ") for line in lines)] == []
    head = next(line for line in lines if line.startswith("run "))
    assert "Accuracy" in head
    hostile = next(line for line in lines if line.startswith("hostile "))
    assert "*" in hostile  # measured on its test rows
    assert "* on the test rows; the others on validation rows." in lines
    empty = _piped(lambda console: terminal.print_runs(console, [], str(tmp_path)))
    assert f"Norunsin{tmp_path}." in "".join(empty.split())


def test_findings_stand_errors_first_with_place_reason_and_fix() -> None:
    found = [
        Finding(code="TS000", name="rare-class", severity="warning", message="class “b” has 3 rows",
                why="it cannot be measured"),
        Finding(code="TS301", name="softmax", severity="error", message=f"{HOSTILE} is wrong", file="net.py",
                line=7, fix=Fix("remove the softmax", safe=True, edits=())),
    ]  # fmt: skip
    shown = _piped(lambda console: terminal.print_findings(console, found))
    lines = shown.splitlines()
    assert lines[0].startswith("error TS301: <b>&\"'`[red]")
    assert lines[1:3] == ["  net.py:7", "  → remove the softmax"]
    assert lines[3:] == ["warning: class “b” has 3 rows", "  it cannot be measured"]
    assert "\x1b" not in shown


def test_a_summary_of_predictions_tells_count_place_and_notes() -> None:
    summary = {"rows": 12345, "output": "out\x1b.csv", "seconds": 2.5, "notes": ["x" * 150, "second"]}
    shown = _piped(lambda console: terminal.print_prediction_summary(console, summary))
    assert shown.splitlines() == [
        "12,345 predictions written to out\ufffd.csv in 2.5 s", f"· {'x' * 150}", "· second"
    ]  # fmt: skip


def test_letters_of_all_scripts_and_spaces_without_break_are_shown() -> None:
    names = ["größe", "名前", "العمر", "👩‍🔬", "86\u00a0%"]
    shown = _piped(_plan(columns=dict.fromkeys(names, "numeric")))
    for name in names:
        assert name in shown


def test_a_column_of_a_file_with_a_hostile_name_is_trained_and_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "two\nlines \x1b[31m" + LONG
    frame = pl.DataFrame({name: [row * 7 % 13 for row in range(60)], "kind": ["a", "b"] * 30})
    ts.train(frame, target="kind", model="linear", epochs=1, out=str(tmp_path / "run"))
    shown = capsys.readouterr().err
    assert "\x1b" not in shown
    line = next(line for line in shown.splitlines() if line.startswith("columns"))
    assert line.endswith(f"1 numeric: two↵lines \ufffd[31m{LONG}")
