"""A run that goes on elsewhere says so, and uses as many threads as before."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch

import torchstone as ts
from torchstone.flow.continuity import as_before
from torchstone.runs.manifest import build_manifest


def test_nothing_is_said_where_nothing_changed(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), as_before(build_manifest(), torch.device("cpu")):
        pass
    assert caplog.records == []


def test_threads_are_those_of_the_run_and_come_back_after_an_error() -> None:
    manifest = build_manifest()
    manifest["machine"]["threads"] = 3
    before = torch.get_num_threads()
    inside = []

    def fails() -> None:
        with as_before(manifest, torch.device("cpu")):
            inside.append(torch.get_num_threads())
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert inside == [3]
    assert torch.get_num_threads() == before


def test_a_resumed_run_tells_of_another_version(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ts.train("iris", model="linear", epochs=1, out=str(tmp_path / "run"), quiet=True)
    path = tmp_path / "run" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["versions"]["torch"] = "2.0.0"
    path.write_text(json.dumps(manifest))
    with caplog.at_level(logging.WARNING):
        run = ts.resume(tmp_path / "run", epochs=2, quiet=True)
    assert len(run.records) == 2
    assert "instead of 2.0.0" in caplog.text


@pytest.mark.parametrize(
    "kept", [{"keep": "last"}, {"keep": "last", "average": "ema"}, {"keep": "best"}, {"average": "swa"}]
)
def test_the_weights_that_are_restored_are_those_that_were_kept(kept: Any, tmp_path: Path) -> None:
    path = tmp_path / "run"
    ts.train("iris", model="mlp", epochs=4, lr=0.1, out=str(path), quiet=True, **kept)
    before = (path / "model.safetensors").read_bytes()
    (path / "model.safetensors").unlink()
    ts.resume(path, quiet=True)
    assert (path / "model.safetensors").read_bytes() == before
