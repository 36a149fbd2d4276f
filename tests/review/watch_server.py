"""Runs programs watched, each in a fork of one process that has imported torch already.

Reads one JSON document a line from stdin, `{"folder": ..., "script": ...}`, perhaps with `"thorough": true`,
and answers each with one line, `{"findings": [...], "failures": [...], "error": "..." or null,
"output": "..."}`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

SECONDS = 120


def serve() -> None:
    """Answers until stdin ends."""
    import sklearn.datasets
    import sklearn.model_selection  # noqa: F401 - imported once for all programs
    import torch
    import torch._dynamo

    from torchstone.review.catalogue import load_catalogue

    load_catalogue()
    torch.set_num_threads(1)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(json.loads(line))) + "\n")
        sys.stdout.flush()


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Runs one program in a child."""
    with tempfile.TemporaryDirectory() as folder:
        answer, output = Path(folder, "answer.json"), Path(folder, "output.txt")
        child = os.fork()
        if not child:
            _in_child(job, answer, output)
        os.waitpid(child, 0)
        if not answer.exists():
            return {"findings": [], "failures": [], "error": "the child died", "output": _read(output)}
        found: dict[str, Any] = json.loads(answer.read_text())
        return {**found, "output": _read(output)}


def _read(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def _in_child(job: dict[str, Any], answer: Path, output: Path) -> None:
    status = 1
    try:
        signal.alarm(SECONDS)
        _watch(job, answer, output)
        status = 0
    finally:
        sys.stdout.flush()
        os._exit(status)


def _watch(job: dict[str, Any], answer: Path, output: Path) -> None:
    from torchstone.review import running
    from torchstone.review.watcher import Watcher

    sink = os.open(output, os.O_WRONLY | os.O_CREAT)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    os.chdir(job["folder"])
    watcher = Watcher(thorough=bool(job.get("thorough")))
    watcher.start()
    ended: BaseException | None = None
    try:
        running.run_script(job["script"], [])
    except BaseException as error:
        ended = error
    report = watcher.stop(ended)
    words = None
    if ended is not None and not isinstance(ended, SystemExit):
        words = "".join(traceback.format_exception(ended))
    answer.write_text(
        json.dumps(
            {
                "findings": [finding.to_json() for finding in report.findings],
                "failures": watcher.failures,
                "disproved": sorted(report.disproved),
                "error": words,
            }
        )
    )


if __name__ == "__main__":
    serve()
