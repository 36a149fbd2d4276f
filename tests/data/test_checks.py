"""What is wrong with data is found before training, with the names of columns and counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from torchstone.config import DataConfig, SplitConfig
from torchstone.data import sources
from torchstone.data.checks import check_data
from torchstone.data.split import Split, make_split
from torchstone.data.target import read_target
from torchstone.finding import Finding

ROWS = 1000


def findings(data: Any, columns: dict[str, str] | None = None, **options: Any) -> dict[str, Finding]:
    """The findings by name; at most one of each in these data sets but for overlaps."""
    config, split = DataConfig(columns=columns or {}), SplitConfig(**options)
    samples = sources.load(data, config, split)
    target = read_target(samples, config)
    found = check_data(samples, target, make_split(samples, target, split, 0))
    return {finding.name: finding for finding in found}


def table(rows: int = ROWS, seed: int = 0, **columns: Any) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "size": rng.normal(size=rows),
        "weight": rng.normal(size=rows),
        **columns,
        "target": rng.choice(["yes", "no"], rows),
    }


@pytest.mark.parametrize("data", ["iris", "wine", "breast-cancer", "diabetes", "digits"])
def test_clean_data_is_passed_over_in_silence(data: str) -> None:
    assert findings(data, val_fraction=0.36) == {}


def test_clean_made_up_data_is_passed_over_in_silence() -> None:
    for seed in range(10):
        assert findings(pl.DataFrame(table(seed=seed))) == {}


def test_few_validation_rows_are_counted() -> None:
    found = findings("iris")
    assert set(found) == {"small-validation"}
    assert found["small-validation"].message == (
        "Only 15 validation rows: metrics on them vary by chance, an accuracy by about ±25 points."
    )
    assert found["small-validation"].evidence == {"rows": 15}
    assert "accuracy" not in findings("diabetes")["small-validation"].message
    assert findings("iris", val_fraction=0) == {}


def test_training_rows_among_test_rows_are_counted() -> None:
    columns = table(part=["train"] * 800 + ["val"] * 100 + ["test"] * 100)
    for name in ("size", "weight"):
        columns[name][900:940] = columns[name][:40]
    found = findings(pl.DataFrame(columns), split_column="part")
    assert set(found) == {"train-evaluation-overlap"}
    finding = found["train-evaluation-overlap"]
    assert finding.message.startswith("40 of 100 test rows are identical to training rows")
    assert finding.evidence == {"split": "test", "shared": 40, "rows": 100, "expected": 0.0}
    assert (finding.code, finding.severity) == ("TS403", "warning")


def test_training_rows_among_validation_rows_of_arrays_are_counted() -> None:
    rng = np.random.default_rng(0)
    for features in (rng.normal(size=(500, 4)), rng.integers(0, 256, (500, 1, 4, 4), dtype=np.uint8)):
        samples = sources.load((features, np.arange(500) % 2))
        target = read_target(samples, DataConfig())
        assert isinstance(samples.features, np.ndarray | pl.DataFrame)
        numbers = np.arange(500)
        split = Split(numbers[:400], numbers[350:450], numbers[450:], "with rows twice")
        (finding,) = check_data(samples, target, split)
        assert finding.message.startswith("50 of 100 validation rows are identical to training rows")


def test_data_that_repeats_itself_is_no_overlap() -> None:
    rng = np.random.default_rng(3)
    # 300 different rows drawn 1000 times: nearly every row has a copy in training, by the data's nature.
    drawn = rng.integers(0, 300, ROWS)
    columns = {
        "size": rng.normal(size=300)[drawn],
        "weight": rng.normal(size=300)[drawn],
        "target": rng.choice(["yes", "no"], ROWS),
    }
    assert "train-evaluation-overlap" not in findings(pl.DataFrame(columns))


def test_a_few_shared_rows_are_no_overlap() -> None:
    columns = table(part=["train"] * 800 + ["val"] * 100 + ["test"] * 100)
    for name in ("size", "weight"):
        columns[name][900:903] = columns[name][:3]
    assert findings(pl.DataFrame(columns), split_column="part") == {}


def test_a_copy_of_the_target_is_named() -> None:
    columns = table()
    columns["answer"] = np.where(columns["target"] == "yes", "accepted", "declined")
    columns["target"] = columns.pop("target")
    found = findings(pl.DataFrame(columns))
    assert set(found) == {"target-in-features"}
    finding = found["target-in-features"]
    assert finding.message == (
        'Column "answer" alone tells 100.00% of the target "target" of the training rows.'
    )
    assert finding.evidence == {"column": "answer", "share": 1.0, "rows": 800}
    assert finding.fix is not None
    assert "--columns answer=drop" in finding.fix.description


def test_a_number_that_gives_the_target_away_is_named() -> None:
    columns = table()
    columns = {"score": np.arange(ROWS) % 5 + 10.5 * (columns["target"] == "yes"), **columns}
    found = findings(pl.DataFrame(columns))
    assert set(found) == {"target-in-features"}
    assert found["target-in-features"].evidence["column"] == "score"


@pytest.mark.parametrize("rows", [300, ROWS, 20_000])
@pytest.mark.parametrize("whole", [False, True], ids=["float", "integer"])
def test_a_measurement_that_parts_the_classes_at_some_value_is_named(rows: int, whole: bool) -> None:
    rng = np.random.default_rng(1)
    measured = rng.normal(size=rows) * 100_000
    if whole:
        measured = measured.astype(np.int64)
    columns = table(rows, measured=measured)
    columns["target"] = np.where(measured > 31_700, "yes", "no")
    found = findings(pl.DataFrame(columns))["target-in-features"]
    assert found.evidence["column"] == "measured"
    assert found.evidence["share"] >= 0.99


def test_a_measurement_with_a_tenth_of_the_rows_on_the_wrong_side_is_not() -> None:
    rng = np.random.default_rng(1)
    measured = rng.normal(size=ROWS)
    columns = table(measured=measured)
    columns["target"] = np.where((measured > 0.3) ^ (rng.random(ROWS) < 0.1), "yes", "no")
    assert findings(pl.DataFrame(columns)) == {}


def test_another_unit_of_a_number_is_named() -> None:
    rng = np.random.default_rng(0)
    columns = {"size": rng.normal(size=ROWS), "price": rng.uniform(1, 9, ROWS)}
    columns["cents"] = np.exp(columns["price"])
    frame = pl.DataFrame({**columns, "noisy": columns["price"] + rng.normal(size=ROWS)})
    config = DataConfig(target=["price"])
    samples = sources.load(frame, config)
    target = read_target(samples, config)
    (finding,) = check_data(samples, target, make_split(samples, target, SplitConfig(), 0))
    assert finding.evidence["column"] == "cents"
    assert finding.evidence["share"] == 1.0


def test_a_column_that_was_dropped_gives_nothing_away() -> None:
    columns = table()
    columns = {"answer": np.where(columns["target"] == "yes", "a", "d"), **columns}
    assert findings(pl.DataFrame(columns), {"answer": "drop"}) == {}


def test_a_strong_feature_gives_nothing_away() -> None:
    columns = table()
    answer = np.where(columns["target"] == "yes", "a", "d")
    answer[::12] = "a"  # right for 19 of 20 rows
    assert findings(pl.DataFrame({"answer": answer, **columns})) == {}


def test_a_majority_gives_nothing_away() -> None:
    rng = np.random.default_rng(0)
    columns = table(2000, kind=rng.choice(["u", "v"], 2000))
    columns["target"] = np.array(["no"] * 1985 + ["yes"] * 15)[rng.permutation(2000)]
    assert "target-in-features" not in findings(pl.DataFrame(columns))


def test_targets_of_test_rows_are_not_read() -> None:
    columns = table(part=["train"] * 800 + ["val"] * 100 + ["test"] * 100)
    # Tells every test row, and nothing of training.
    columns = {"late": np.where(columns["target"] == "yes", "a", "d"), **columns}
    columns["late"][:800] = np.random.default_rng(5).choice(["a", "d"], 800)
    assert findings(pl.DataFrame(columns), split_column="part") == {}


def test_an_identifier_as_an_input_is_named() -> None:
    columns = table(customer=[f"C{number:05d}" for number in range(ROWS)])
    assert findings(pl.DataFrame(columns)) == {}
    found = findings(pl.DataFrame(columns), {"customer": "categorical"})
    finding = found["identifier-as-feature"]
    assert finding.message == (
        'Column "customer" looks like an identifier (1000 different values in 1000 rows) '
        "and is used as an input."
    )
    assert finding.fix is not None
    assert "customer=drop" in finding.fix.description
    columns = table(row_id=list(range(ROWS)))
    assert "identifier-as-feature" in findings(pl.DataFrame(columns), {"row_id": "numeric"})


def test_rare_classes_are_named_with_their_counts() -> None:
    labels = np.array(["often"] * 960 + ["seldom"] * 35 + ["once"] * 5)
    columns = {**table(), "target": labels}
    found = findings(pl.DataFrame(columns))
    assert set(found) == {"rare-class"}
    assert found["rare-class"].message == "Classes with fewer than 10 training rows: once (3)."
    assert found["rare-class"].evidence == {"classes": {"once": 3}}


def test_every_finding_says_why_and_what_to_do() -> None:
    columns = table(60)
    columns = {
        "answer": np.where(columns["target"] == "yes", "a", "d"),
        "customer": [f"C{number:05d}" for number in range(60)],
        **columns,
    }
    columns["target"][:] = np.where(columns["target"] == "yes", "yes", "no")
    columns["target"][:2] = "maybe"
    found = findings(pl.DataFrame(columns), {"customer": "categorical"})
    assert {"rare-class", "identifier-as-feature", "small-validation"} <= set(found)
    for finding in found.values():
        assert finding.severity == "warning"
        assert finding.why.endswith(".")
        assert finding.fix is not None
        assert finding.fix.description
        assert finding.file == "frame"
