"""The rows with the largest loss: named by place, with what tells about them first."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from torchstone.reporting.scales import number, percent
from torchstone.reporting.worst import worst_section
from torchstone.task import Task

BINARY = Task("binary", ("y",), ("no", "yes"))


def _row(**more: Any) -> dict[str, Any]:
    row = {
        "index": 0,
        "place": "/data/people.csv:17",
        "target": "yes",
        "prediction": "no",
        "confidence": 0.975,
        "loss": 3.6889,
        "features": {"age": 41.0, "town": "Ulm", "height": None},
    }
    return {**row, **more}


def _section(
    task: Task, rows: list[dict[str, Any]], importance: Any = (), pictures: Any = None
) -> dict[str, Any]:
    section = worst_section(task, {"worst": rows}, importance, pictures)
    assert section is not None
    return section


def test_without_worst_rows_there_is_no_section() -> None:
    assert worst_section(BINARY, {}, [], None) is None
    assert worst_section(BINARY, {"worst": []}, [], None) is None


def test_a_row_is_named_by_file_and_line_with_its_figures() -> None:
    row = _section(BINARY, [_row()])["parts"][0][0]
    assert (row["place"], row["target"], row["prediction"]) == ("people.csv:17", "yes", "no")
    assert row["wrong"]
    assert [figure["text"].replace("\u00a0", " ") for figure in row["numbers"]] == ["97.5 %", "3.69"]
    assert [figure["value"] for figure in row["numbers"]] == [0.975, 3.6889]  # what a column is sorted by
    assert row["first"] == [("age", "41"), ("town", "Ulm"), ("height", "–")]


def test_important_columns_stand_first_and_the_rest_is_folded() -> None:
    features = {f"c{place}": place for place in range(9)}
    importance = [{"column": "c7"}, {"column": "gone"}, {"column": "c2"}]
    row = _section(BINARY, [_row(features=features)], importance)["parts"][0][0]
    assert [name for name, _ in row["first"]] == ["c7", "c2", "c0", "c1", "c3"]
    assert [name for name, _ in row["rest"]] == ["c4", "c5", "c6", "c8"]


def test_eight_rows_are_shown_and_the_others_folded() -> None:
    section = _section(BINARY, [_row(place=f"a.csv:{line}") for line in range(20)])
    assert [row["place"] for row in section["parts"][0]] == [f"a.csv:{line}" for line in range(8)]
    assert len(section["parts"][1]) == 12


def test_where_nothing_is_wrong_it_is_called_least_sure() -> None:
    right = _row(prediction="yes", confidence=0.6)
    assert _section(BINARY, [right])["title"] == "Where it is least sure"
    assert _section(BINARY, [right, _row()])["title"] == "Where it is most wrong"
    assert not _section(BINARY, [right])["parts"][0][0]["wrong"]


def test_numbers_have_a_loss_and_no_confidence() -> None:
    task = Task("regression", ("price",))
    section = _section(task, [_row(target=12.5, prediction=250000.25, confidence=None)])
    assert section["heads"] == ["loss"]
    assert section["title"] == "Where it is most wrong"
    row = section["parts"][0][0]
    assert (row["target"], row["prediction"]) == ("12.50", "250,000")
    assert len(row["numbers"]) == 1
    assert not row["wrong"]


def test_labels_are_listed() -> None:
    task = Task("multilabel", ("a", "b"), ("a", "b"))
    row = _section(task, [_row(target=["a", "b"], prediction=[])])["parts"][0][0]
    assert (row["target"], row["prediction"]) == ("a, b", "–")


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_shown_pixel_by_pixel(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, channels, 6, 4), dtype=np.uint8)
    section = _section(BINARY, [_row(index=3)], pictures=pixels)
    (shown,) = section["pictures"]
    assert shown["alt"] == "yes taken for no"
    address = shown["picture"]
    assert address.startswith("data:image/png;base64,")
    image = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))
    drawn = np.asarray(image)
    expected = pixels[3, 0] if channels == 1 else pixels[3].transpose(1, 2, 0)
    assert np.array_equal(drawn, expected)


def test_the_worst_rows_of_a_real_run_fall_in_loss(runs: dict[str, Any]) -> None:
    run = runs["binary"]
    evaluation = json.loads((run.path / "evaluations" / "val.json").read_text())
    section = _section(Task.from_json(evaluation["task"]), evaluation["worst"], evaluation["importance"])
    rows = section["parts"][0] + section["parts"][1]
    losses = [row["numbers"][1]["value"] for row in rows]
    assert losses == sorted(losses, reverse=True)
    for row, measured in zip(rows, evaluation["worst"], strict=True):
        assert row["wrong"] == (measured["target"] != measured["prediction"])
        assert row["numbers"][0]["text"] == percent(measured["confidence"])
        assert row["numbers"][1]["text"] == number(measured["loss"])
