"""The log of a run's records, and the list of a folder's runs."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from torchstone.errors import RunError, RunPathError
from torchstone.runs.directory import RunDirectory
from torchstone.runs.listing import list_runs
from torchstone.runs.manifest import build_manifest, update_status
from torchstone.runs.metrics_log import MetricsLog


@pytest.fixture
def log(tmp_path: Path) -> MetricsLog:
    return MetricsLog(tmp_path / "metrics.jsonl")


def test_a_record_is_a_line_that_others_see_at_once(log: MetricsLog) -> None:
    assert log.read() == []
    log.append({"event": "step", "step": 1, "loss": 0.5})
    log.append({"event": "step", "step": 2, "loss": math.nan, "name": "é"})
    assert (
        log.path.read_text("utf-8").splitlines()[1]
        == '{"event": "step", "step": 2, "loss": null, "name": "é"}'
    )
    log.sync()
    log.close()
    log.append({"step": 3})
    assert [record["step"] for record in MetricsLog(log.path).read()] == [1, 2, 3]


@pytest.mark.parametrize("torn", ['{"step": 3, "lo', '{"step": 3}', "x" * 9000])
def test_a_torn_last_line_is_passed_over(torn: str, log: MetricsLog) -> None:
    for step in (1, 2):
        log.append({"step": step})
    log.close()
    with log.path.open("a") as file:
        file.write(torn)
    assert [record["step"] for record in log.read()] == [1, 2]
    log.append({"step": 4})
    assert [record["step"] for record in log.read()] == [1, 2, 4]


def test_a_file_of_one_torn_line(log: MetricsLog) -> None:
    log.path.write_text('{"st')
    log.append({"step": 1})
    assert log.read() == [{"step": 1}]


def test_another_damaged_line_is_said(log: MetricsLog) -> None:
    for bad in ("{]", "[1]"):
        log.path.write_text(f'{{"step": 1}}\n{bad}\n{{"step": 2}}\n')
        with pytest.raises(RunError, match="damaged in line 2"):
            log.read()


def test_records_after_a_checkpoint_are_dropped(log: MetricsLog) -> None:
    for step in (1, 2, 3):
        log.append({"step": step})
    assert log.truncate(2) == [{"step": 1}, {"step": 2}] == log.read()
    log.append({"step": 3, "again": True})
    assert log.read()[-1] == {"step": 3, "again": True}


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "gone" / "metrics.jsonl")
    with pytest.raises(RunError, match="cannot be written"):
        log.append({"step": 1})
    (tmp_path / "gone").mkdir()
    log.append({"step": 2})
    assert log.read() == [{"step": 2}]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux")
def test_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")
    with pytest.raises(RunError, match="No space left on device"):
        MetricsLog(tmp_path / "metrics.jsonl").append({"step": 1})


def make(folder: Path, started: str, **entries: Any) -> RunDirectory:
    directory = RunDirectory.create(folder)
    manifest = build_manifest(
        task={"kind": "binary"}, model={"name": "tabm"}, data={"name": "adult.csv", "rows": 9}
    )
    directory.write_json(directory.manifest_path, {**manifest, "started": started, **entries})
    return directory


def test_the_runs_of_a_folder(tmp_path: Path) -> None:
    done = make(tmp_path / "b", "2026-01-02T00:00:00+00:00")
    update_status(done, "finished", seconds=12.5, result={"epoch": 3}, error=None)
    metrics = {"accuracy": {"value": 0.9, "low": 0.8, "high": 1.0}}
    done.write_json("evaluations/val.json", {"metrics": metrics})
    update_status(make(tmp_path / "a", "2026-01-03T00:00:00+00:00"), "failed", error="the loss is NaN")
    make(tmp_path / "c", "2026-01-01T00:00:00+00:00")
    (tmp_path / "no run").mkdir()
    (tmp_path / "file").write_text("")
    runs = list_runs(tmp_path)
    assert [(run["name"], run["status"]) for run in runs] == [
        ("c", "running"),
        ("b", "finished"),
        ("a", "failed"),
    ]
    assert runs[2]["problem"] == "the loss is NaN"
    assert runs[1] == {
        "path": str(tmp_path / "b"), "name": "b", "status": "finished", "problem": None,
        "started": "2026-01-02T00:00:00+00:00", "seconds": 12.5, "data": "adult.csv", "task": "binary",
        "model": "tabm", "result": {"epoch": 3}, "evaluations": {"val": {"accuracy": 0.9}},
    }  # fmt: skip
    assert list_runs(tmp_path / "b") == [runs[1]]


def test_a_run_whose_process_is_no_more_is_stopped(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    directory = make(tmp_path / "a", "2026")
    manifest = directory.read_object(directory.manifest_path)
    manifest["process"]["pid"] = process.pid
    directory.write_json(directory.manifest_path, manifest)
    assert list_runs(tmp_path)[0]["status"] == "stopped"


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"status": "strange"}), json.dumps({})])
def test_a_damaged_run_is_listed_as_such(content: str, tmp_path: Path) -> None:
    make(tmp_path / "a", "2026").write_text("manifest.json", content)
    (run,) = list_runs(tmp_path)
    assert run["status"] == "damaged"
    assert "manifest.json" in run["problem"]


def test_a_damaged_evaluation_is_said(tmp_path: Path) -> None:
    make(tmp_path / "a", "2026").write_text("evaluations/val.json", "{")
    (run,) = list_runs(tmp_path)
    assert run["evaluations"] == {}
    assert "val.json is damaged" in run["problem"]


def test_there_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(RunPathError, match="does not exist"):
        list_runs(tmp_path / "gone")
    assert list_runs(tmp_path) == []


def test_listing_imports_no_torch() -> None:
    program = (
        "import sys, torchstone.runs.listing, torchstone.runs.metrics_log; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_what_a_killed_process_left_blocks_no_run(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for name in (f"..probe-{gone.pid}.{gone.pid}-0123abcd", f".probe-{gone.pid}"):
        (tmp_path / name).touch()
    RunDirectory.create(tmp_path)
    assert not list(tmp_path.iterdir())
    for name in (f".probe-{os.getpid()}", "notes.txt"):  # another run begins here, or it is the user's own
        (tmp_path / name).touch()
        with pytest.raises(RunPathError, match="is not empty"):
            RunDirectory.create(tmp_path)
        (tmp_path / name).unlink()
