"""The other doors to watching: a block, a cell, our own trainer, a fixture of pytest."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

import torchstone as ts
from torchstone.review import agreement
from torchstone.review.output import watched
from torchstone.review.report import Report

torch = pytest.importorskip("torch")


def train_wrongly(steps: int = 5) -> Any:
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(steps):
        torch.nn.functional.mse_loss(model(torch.randn(8, 3)), torch.randn(8, 1)).backward()
        optimizer.step()
    return model


def test_a_block_is_watched_and_reported(capsys: pytest.CaptureFixture[str]) -> None:
    call, zero_grad = torch.nn.Module.__call__, torch.optim.Optimizer.zero_grad
    with ts.watch() as report:
        train_wrongly()
    (finding,) = report.findings
    assert (finding.code, Path(finding.file or "").name) == ("TS101", "test_watch_doors.py")
    assert report.steps == 5
    output = capsys.readouterr()
    assert output.out == ""
    assert "error[TS101]" in output.err
    assert output.err.endswith("torchstone watched 5 steps and found 1 error.\n")
    assert torch.nn.Module.__call__ is call
    assert torch.optim.Optimizer.zero_grad is zero_grad


def test_what_is_looked_for_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    with ts.watch(ignore=["TS101"], quiet=True) as report:
        train_wrongly()
    assert report.findings == []
    with ts.watch(select=["TS2"], quiet=True) as report:
        train_wrongly()
    assert (report.findings, report.steps, capsys.readouterr().err) == ([], 5, "")
    with pytest.raises(ts.ConfigError, match="no mistake"):
        ts.watch(select=["TS1x"])


def test_a_block_ends_at_a_finding_where_that_is_asked_for() -> None:
    with ts.watch(stop_on="error", quiet=True) as report:
        train_wrongly(50)
        raise AssertionError("not reached")
    assert report.steps < 5
    assert [finding.code for finding in report.findings] == ["TS101"]


def test_a_block_takes_the_flags_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchstone.review import session
    from torchstone.review.watcher import Watcher

    asked: list[dict[str, Any]] = []

    def make(**options: Any) -> Any:
        asked.append(options)
        return Watcher(**options)

    monkeypatch.setattr(session, "Watcher", make)
    with ts.watch(quiet=True):
        pass
    with ts.watch(thorough=True, budget=50, extend_select=["TS516"], quiet=True):
        pass
    usual, own = asked
    assert (usual["thorough"], usual["budget"]) == (False, 0.02)
    assert (own["thorough"], own["budget"]) == (True, 0.5)
    assert own["codes"] - usual["codes"] == {"TS516"}
    for wrong in (-1, 101, float("nan")):
        with pytest.raises(ts.UsageError, match="budget must be a percentage"):
            ts.watch(budget=wrong)


def test_what_a_block_raises_comes_out_of_it() -> None:
    with pytest.raises(ZeroDivisionError), ts.watch(quiet=True):
        _ = 1 / 0


def test_a_comment_at_the_line_lets_a_finding_pass(tmp_path: Path) -> None:
    with ts.watch(quiet=True) as report:
        model = torch.nn.Linear(3, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(5):
            torch.nn.functional.mse_loss(model(torch.randn(8, 3)), torch.randn(8, 1)).backward()
            optimizer.step()  # torchstone: ignore[TS101]
    assert report.findings == []


def test_a_mistake_that_source_and_run_show_is_listed_once(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        textwrap.dedent("""
            import torch
            model = torch.nn.Linear(3, 1)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
            for step in range(5):
                loss = torch.nn.functional.mse_loss(model(torch.randn(8, 3)), torch.randn(8, 1))
                loss.backward()
                optimizer.step()
        """)
    )
    read = ts.check(script).findings
    assert [finding.code for finding in read] == ["TS101"]
    seen = ts.Finding(
        "TS101", "missing-zero-grad", "error", "seen", file=str(script), line=8, evidence={"step": 2}
    )
    (both,) = agreement.agreed([seen], read)
    assert both.message == "seen"
    words = "found in the source, and seen at step 2"
    assert both.evidence == {"step": 2, "source": True, "agreement": words}
    assert f"= run: {words}\n" in watched.render(Report(findings=[both]))
    report = Report()
    agreement.add_source(report, [str(script)])
    (alone,) = report.findings
    assert alone.evidence == {"source": True}


def test_fit_is_watched_and_keeps_the_findings(tmp_path: Path) -> None:
    inputs = torch.randn(64, 3)
    net = torch.nn.Linear(3, 1)

    def step(net: Any, batch: Any, context: Any) -> Any:
        inputs, targets = batch
        return torch.nn.functional.mse_loss(net(inputs), targets[:, 0])  # all pairs

    run = ts.fit(
        net,
        (inputs, inputs.sum(1, keepdim=True)),
        optimizer=torch.optim.Adam,
        step=step,
        epochs=2,
        out=tmp_path / "run",
        quiet=True,
        watch=True,
    )
    assert "TS306" in [finding.code for finding in run.findings]
    kept = json.loads((tmp_path / "run" / "findings.json").read_text())
    assert "TS306" in [finding["code"] for finding in kept]
    assert "TS306" in (tmp_path / "run" / "report.html").read_text()


def fit_a_constant(**options: Any) -> Any:
    inputs = torch.randn(64, 3)
    inputs[:, 0] = 7
    targets = inputs.sum(1, keepdim=True)
    net = torch.nn.Linear(3, 1)
    return ts.fit(
        net,
        (inputs, targets),
        loss=torch.nn.MSELoss(),
        optimizer=torch.optim.Adam,
        epochs=2,
        quiet=True,
        **options,
    )


def test_fit_takes_the_flags_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert [finding.code for finding in fit_a_constant(watch={"thorough": True}).findings] == ["TS416"]
    assert fit_a_constant(watch={"ignore": ["TS416"]}).findings == []
    capsys.readouterr()
    with pytest.raises(ts.TrainingError, match=r"Stopped by stop_on at TS416, .*test_watch_doors\.py:\d+"):
        fit_a_constant(watch={"stop_on": "warning"})
    assert "TS416" in capsys.readouterr().err


def test_our_own_trainer_is_without_mistakes(tmp_path: Path) -> None:
    run = ts.train("iris", out=tmp_path / "run", epochs=3, quiet=True, watch=True)
    assert [finding.name for finding in run.findings] == ["small-validation"]


def test_a_cell_is_watched(capsys: pytest.CaptureFixture[str]) -> None:
    shells = pytest.importorskip("IPython.core.interactiveshell")
    shell = shells.InteractiveShell.instance()
    shell.run_line_magic("load_ext", "torchstone")
    shell.user_ns["train_wrongly"] = train_wrongly
    shell.run_cell("%%watch --select TS101\nmodel = train_wrongly()\nprint('done')")
    output = capsys.readouterr()
    assert "done" in output.out
    assert "error[TS101]" in output.err
    assert shell.user_ns["model"] is not None
    shell.run_cell("%%watch --slect TS101\nmodel = 3")
    assert "no flag --slect" in capsys.readouterr().out
    shell.run_cell("%%watch --thorough --budget=10 --extend-select TS516 --ignore TS101 -q\ntrain_wrongly()")
    assert capsys.readouterr().err == ""
    shell.run_cell("%%watch --budget much\nmodel = 3")
    assert "--budget must be a number, and is 'much'" in capsys.readouterr().out
    shells.InteractiveShell.clear_instance()


def test_a_test_of_pytest_fails_where_an_error_is_found(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        textwrap.dedent("""
            import torch

            def train(clear):
                model = torch.nn.Linear(3, 1)
                optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
                for step in range(5):
                    if clear:
                        optimizer.zero_grad()
                    torch.nn.functional.mse_loss(model(torch.randn(8, 3)), torch.randn(8, 1)).backward()
                    optimizer.step()

            def test_right(torchstone_watch):
                train(True)

            def test_wrong(torchstone_watch):
                train(False)

            def test_unwatched():
                train(False)
        """)
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    if not any(entry.name == "torchstone" for entry in entry_points(group="pytest11")):
        command += ["-p", "torchstone.pytest_plugin"]  # installed before it had the plugin
    done = subprocess.run(
        [*command, "."], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=200
    )
    assert "1 failed, 2 passed" in done.stdout, done.stdout
    assert "error[TS101]" in done.stdout
