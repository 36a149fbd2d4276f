from __future__ import annotations

from pathlib import Path

import pytest

import torchstone as ts


def test_a_run_is_measured_on_validation_or_test_rows_alone(tmp_path: Path) -> None:
    run = ts.train("iris", model="linear", epochs=1, out=str(tmp_path / "run"), quiet=True)
    with pytest.raises(ts.ConfigError, match=r"split: .* got 'train'"):
        ts.evaluate(run, "train")  # type: ignore[arg-type]
