"""What `torchstone predict` says of new data, and of a name that it cannot write to."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import torchstone as ts
from torchstone.cli import run
from torchstone.data import sources


@pytest.fixture(scope="module")
def towns(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on 80 rows of two towns."""
    path = tmp_path_factory.mktemp("runs") / "towns"
    rows = {"town": ["Bonn", "Ulm"] * 40, "age": [row * 7 % 13 for row in range(80)], "kind": ["a", "b"] * 40}
    ts.train(pl.DataFrame(rows), target="kind", model="linear", epochs=1, out=str(path), quiet=True)
    return path


def test_rows_with_values_that_training_never_had_are_counted_over_all_parts(
    towns: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torchstone.evaluation.predict.BATCH_ROWS", 7)
    monkeypatch.setattr(sources, "BATCH_ROWS", 7)
    new = pl.DataFrame({"town": ["Bonn", "Jena", "Ulm", "Trier"] * 10, "age": [5] * 40})
    new.write_csv(tmp_path / "new.csv")
    for output in ("out.csv", "out.parquet"):
        assert run(["predict", str(towns), str(tmp_path / "new.csv"), "-o", str(tmp_path / output)]) == 0
        shown = capsys.readouterr().err
        assert shown.count("never seen in training") == 1
        assert '"town" in 20 rows' in shown
    assert run(["predict", str(towns), str(tmp_path / "new.csv")]) == 0
    shown = capsys.readouterr()
    assert '"town" in 20 rows' in shown.err
    assert len(shown.out.splitlines()) == 41


def test_nothing_is_said_where_all_was_seen(
    towns: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pl.DataFrame({"town": ["Bonn", None], "age": [5, 6]}).write_csv(tmp_path / "new.csv")
    assert run(["predict", str(towns), str(tmp_path / "new.csv"), "-o", str(tmp_path / "o.csv")]) == 0
    assert "never seen" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "said"),
    [("out.xlsx", "cannot be written as .xlsx"), ("out", "has no ending that says the format")],
)
def test_a_format_that_cannot_be_written_is_said_plainly(
    towns: Path, tmp_path: Path, name: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new.csv").write_text("town,age\nUlm,1\n")
    assert run(["predict", str(towns), str(tmp_path / "new.csv"), "-o", str(tmp_path / name)]) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert ".parquet" in shown
