"""Runs a script unwatched or watched, in a fork of one process that has imported torch, and says what it did.

Reads one JSON document a line, `{"script": path, "watched": bool, "before": code or null}`, perhaps with
`"thorough": true`, and answers each with one line: output, status, weights, random streams, graphs that were
compiled, tensors that stayed alive.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

SECONDS = 120


def serve() -> None:
    """Answers until stdin ends."""
    import torch
    import torch._dynamo
    import torch.fx
    import torch.optim.swa_utils  # imported once for all scripts

    from torchstone.review.catalogue import load_catalogue

    load_catalogue()
    torch.set_num_threads(1)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(json.loads(line))) + "\n")
        sys.stdout.flush()


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Runs one script in a child."""
    with tempfile.TemporaryDirectory() as folder:
        answer, output, errors = (Path(folder, name) for name in ("answer", "output", "errors"))
        child = os.fork()
        if not child:
            try:
                _in_child(job, answer, output, errors)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(99)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        told = json.loads(answer.read_text()) if answer.exists() else {}
        return {**told, "status": status, "output": output.read_text(), "errors": errors.read_text()}


def _in_child(job: dict[str, Any], answer: Path, output: Path, errors: Path) -> None:
    from torchstone.review import running
    from torchstone.review.watcher import Watcher

    signal.alarm(SECONDS)
    random.seed(0)  # Python seeds it anew in a fork
    for number, path in ((0, Path(os.devnull)), (1, output), (2, errors)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    os.chdir(answer.parent)
    exec(job.get("before") or "pass", {})
    watcher = Watcher(thorough=bool(job.get("thorough"))) if job["watched"] else None
    if watcher is not None:
        watcher.start()
    status = 0
    try:
        running.run_script(job["script"], [])
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException as error:
        status = 1
        running.show(error)
        del error
    told = _told()  # while it is being watched
    if watcher is not None:
        report = watcher.stop()
        told["findings"] = [finding.to_json() for finding in report.findings]
        told["failures"] = watcher.failures
    answer.write_text(json.dumps(told))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _told() -> dict[str, Any]:
    """What the script left behind: its objects' values, the random streams, and what is not freed."""
    import torch
    from torch._dynamo.utils import counters

    names = vars(sys.modules["__main__"])
    weights = {name: _hash(value) for name, value in sorted(names.items()) if _is_state(value)}
    streams = _hash([torch.get_rng_state(), random.getstate()])
    graphs = {name: dict(counters[name]) for name in ("stats", "frames", "graph_break")}
    names.clear()
    with contextlib.suppress(Exception):
        torch._dynamo.reset()
    gc.collect()
    kinds = (torch.Tensor, torch.nn.Module, torch.optim.Optimizer, torch.utils.data.DataLoader)
    held = [one for one in gc.get_objects() if issubclass(type(one), kinds)]
    state = torch.get_rng_state()  # the watcher keeps some of its own, to be able to replay a call
    alive = sum(
        not (type(one) is torch.Tensor and one.dtype == state.dtype and one.shape == state.shape)
        for one in held
    )
    return {"weights": weights, "streams": streams, "graphs": graphs, "alive": alive}


def _is_state(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor | torch.nn.Module | torch.optim.Optimizer)


def _hash(value: Any) -> str:
    import torch

    digest = hashlib.sha256()

    def take(part: Any) -> None:
        if isinstance(part, torch.Tensor):
            digest.update(part.detach().float().contiguous().numpy().tobytes())
        elif isinstance(part, torch.nn.Module | torch.optim.Optimizer):
            take(part.state_dict())
        elif isinstance(part, dict):
            for name, held in part.items():
                digest.update(str(name).encode())
                take(held)
        elif isinstance(part, list | tuple):
            for held in part:
                take(held)
        else:
            digest.update(repr(part).encode())

    take(value)
    return digest.hexdigest()


if __name__ == "__main__":
    serve()
