"""A watched script does what it did unwatched: output, status, weights, tracebacks; mistakes are told."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from torchstone.cli.watch import split

TRAINING = """
    import hashlib, sys
    import torch
    from torch import nn

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    data = torch.utils.data.TensorDataset(torch.randn(64, 4), torch.randint(0, 2, (64,)))
    loader = torch.utils.data.DataLoader(data, batch_size=16, shuffle=True, num_workers={workers})
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    for epoch in range(3):
        model.train()
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(inputs), targets)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        schedule.step()
    weights = b"".join(value.numpy().tobytes() for value in model.state_dict().values())
    print(hashlib.sha256(weights).hexdigest(), torch.rand(1).item(), sys.argv[1:], __name__, sys.path[0])
"""


def script(folder: Path, text: str, name: str = "train.py") -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(text))
    return path


def python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False)


def watch(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return python(folder, "-m", "torchstone", "watch", *words)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_watched_script_prints_and_computes_what_it_did_unwatched(tmp_path: Path, workers: int) -> None:
    script(tmp_path, TRAINING.format(workers=workers))
    plain = python(tmp_path, "train.py", "--epochs", "3", "--help")
    watched = watch(tmp_path, "train.py", "--epochs", "3", "--help")
    assert (watched.stdout, watched.returncode) == (plain.stdout, 0)
    assert "--help" in watched.stdout
    assert watched.stderr == "torchstone watched 12 steps and found no mistake.\n"


def test_a_module_is_run_as_python_runs_it(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    script(
        tmp_path / "package",
        "from . import part\nimport sys\nprint(part.x, sys.argv[1:], __name__)",
        "run.py",
    )
    script(tmp_path / "package", "x = 3", "part.py")
    watched = watch(tmp_path, "-m", "package.run", "--deep")
    assert (watched.stdout, watched.returncode) == ("3 ['--deep'] __main__\n", 0)
    missing = watch(tmp_path, "-m", "package.none")
    assert missing.returncode == 2
    assert "There is no module package.none" in missing.stderr


@pytest.mark.parametrize(
    "ending",
    [
        "sys.exit(3)",
        "sys.exit('no')",
        "sys.exit()",
        "raise SystemExit(0)",
        "1 / 0",
        "raise RuntimeError('mat1 and mat2 shapes cannot be multiplied')",
    ],
)
def test_status_and_traceback_are_those_of_python(tmp_path: Path, ending: str) -> None:
    text = "import sys, torch\nmodel = torch.nn.Sequential(torch.nn.Linear(4, 2))\ndef main():\n"
    script(tmp_path, f"{text}    {ending}\nmain()\n")
    plain, watched = python(tmp_path, "train.py"), watch(tmp_path, "train.py")
    assert watched.returncode == plain.returncode
    assert watched.stderr.startswith(plain.stderr)
    assert watched.stderr.removeprefix(plain.stderr) == "torchstone watched 0 steps and found no mistake.\n"


def test_an_error_of_torch_is_explained_under_its_traceback(tmp_path: Path) -> None:
    script(
        tmp_path, "import torch\nmodel = torch.nn.Sequential(torch.nn.Linear(4, 2))\nmodel(torch.randn(2, 5))"
    )
    plain, watched = python(tmp_path, "train.py"), watch(tmp_path, "train.py")
    assert watched.returncode == plain.returncode == 1
    assert plain.stderr in watched.stderr
    assert (
        "`model[0]` (Linear) has a weight of shape (2, 4) and got an input of shape (2, 5)" in watched.stderr
    )


def test_torch_is_imported_when_the_script_imports_it(tmp_path: Path) -> None:
    script(tmp_path, "import sys\nprint('torch' in sys.modules)\nimport torch\nprint(torch.nn.Linear(1, 1))")
    assert watch(tmp_path, "train.py").stdout.startswith("False\nLinear(")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals as on Unix")
def test_ctrl_c_ends_by_the_signal_and_still_reports(tmp_path: Path) -> None:
    script(tmp_path, "import time, torch\nprint('ready', flush=True)\ntime.sleep(60)")
    words = [sys.executable, "-m", "torchstone", "watch", "train.py"]
    with subprocess.Popen(
        words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in errors
    assert errors.endswith("torchstone watched 0 steps and found no mistake.\n")


def test_a_finding_is_told_at_once_and_in_the_report(tmp_path: Path) -> None:
    wrong = TRAINING.format(workers=0).replace("optimizer.zero_grad()", "pass")
    script(tmp_path, wrong)
    watched = watch(tmp_path, "--format", "json", "--output", "findings.json", "train.py")
    assert watched.returncode == 0
    assert watched.stdout == python(tmp_path, "train.py").stdout
    assert watched.stderr.startswith("torchstone: train.py:19: TS101 missing-zero-grad (step 2): ")
    report = json.loads((tmp_path / "findings.json").read_text())
    (finding,) = report["findings"]
    assert (finding["code"], finding["file"], finding["line"]) == ("TS101", "train.py", 19)
    assert finding["evidence"]["step"] == 2
    assert finding["related"][0]["line"] == 17
    assert watch(tmp_path, "--fail-on", "error", "train.py").returncode == 1
    stopped = watch(tmp_path, "--stop-on", "error", "train.py")
    assert (stopped.stdout, stopped.returncode) == ("", 1)
    assert stopped.stderr.endswith("Stopped by --stop-on error at TS101, train.py:19.\n")
    script(
        tmp_path,
        wrong.replace("optimizer.step()", "optimizer.step()  # torchstone: ignore[missing-zero-grad]"),
    )
    passed = watch(tmp_path, "--stop-on", "error", "train.py")
    assert passed.returncode == 0
    assert passed.stderr == "torchstone watched 12 steps and found no mistake.\n"


def test_what_cannot_be_run_is_a_usage_error(tmp_path: Path) -> None:
    script(tmp_path, "print('ran')", "good.py")
    for words, message in (
        (["none.py"], "There is no script none.py"),
        (["-m", "nonesuch"], "There is no module nonesuch"),
        (["--budget", "nan", "good.py"], "--budget must be a percentage from 0 to 100, and is nan"),
        (["--budget=-1", "good.py"], "from 0 to 100, and is -1"),
        (["--overfit-steps", "60", "good.py"], "only with --overfit-batch"),
        ([], "No script was given"),
    ):
        watched = watch(tmp_path, *words)
        assert watched.returncode == 2
        assert message in watched.stderr
        assert "Traceback" not in watched.stderr


_NAMESPACE = """
    import sys
    print(__builtins__, __annotations__, sorted(globals()), sys.path[0])
"""
_TEE = """
    import sys
    class Tee:
        def __init__(self, file): self.file = file
        def write(self, text): self.file.write(text)
        def flush(self): self.file.flush()
    sys.stderr = Tee(sys.stderr)
"""
_CLOSED = """
    import os, sys
    sys.stderr = open(os.devnull, "w")
    sys.stderr.close()
"""


@pytest.mark.parametrize(
    "text",
    [
        _NAMESPACE,
        _TEE,
        _CLOSED,
        "import sys\nsys.stderr = None",
        "import sys\nsys.stderr = None\nsys.exit('no')",
        "import os\nos.close(2)",
        "def x(:",
        "from torchstone.errors import UsageError\nraise UsageError('of the script')",
        "raise BrokenPipeError('of the script')",
    ],
)
def test_what_a_script_does_and_how_it_ends_is_as_in_python(tmp_path: Path, text: str) -> None:
    script(tmp_path, text)
    plain, watched = python(tmp_path, "train.py"), watch(tmp_path, "train.py")
    assert (watched.stdout, watched.returncode) == (plain.stdout, plain.returncode)
    assert watched.stderr.startswith(plain.stderr)
    told = watched.stderr.removeprefix(plain.stderr)
    assert told in ("", "torchstone watched 0 steps and found no mistake.\n")
    assert told or "stderr" in text or "close" in text


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a file that is full")
@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
def test_where_stderr_takes_nothing_the_status_is_that_of_the_script(
    tmp_path: Path, redirection: str
) -> None:
    script(tmp_path, "print('ran')")
    words = f"{shlex.quote(sys.executable)} -m torchstone watch train.py {redirection}"
    done = subprocess.run(words, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("ran\n", 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals as on Unix")
def test_sigterm_ends_the_script_at_once_as_in_python(tmp_path: Path) -> None:
    script(
        tmp_path,
        """
        import os, signal
        try:
            print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, flush=True)
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            print("not reached", flush=True)
        """,
    )
    watched = watch(tmp_path, "train.py")
    assert (watched.stdout, watched.returncode) == ("True\n", -signal.SIGTERM)


def test_files_of_the_names_of_modules_that_we_use_are_the_scripts_own(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    for name in ("statistics", "textwrap", "json", "attr", "part/html"):
        (tmp_path / f"{name}.py").write_text("MINE = True")
    script(
        tmp_path,
        "import statistics, textwrap, json, attr, html\n"
        "print(statistics.MINE, textwrap.MINE, json.MINE, attr.MINE, html.escape('<'))",
    )
    script(tmp_path / "part", "import html, json\nprint(html.MINE, json.dumps(1))")
    for words in (["train.py"], ["part/train.py"], ["-m", "train"]):
        plain = python(tmp_path, *words)
        watched = watch(tmp_path, "--format", "html", "--output", "findings.html", *words)
        assert plain.returncode == 0
        assert (watched.stdout, watched.returncode) == (plain.stdout, 0)
        assert watched.stderr == "torchstone watched 0 steps and found no mistake.\n"
        assert (tmp_path / "findings.html").stat().st_size


def test_what_a_module_lacks_is_its_own_error(tmp_path: Path) -> None:
    script(tmp_path, "import nonesuch", "part.py")
    watched = watch(tmp_path, "-m", "part")
    assert watched.returncode == 1
    assert 'part.py", line 1, in <module>' in watched.stderr
    assert "No module named 'nonesuch'" in watched.stderr


def test_compiled_code_is_compiled_as_often_and_computes_the_same(tmp_path: Path) -> None:
    script(
        tmp_path,
        """
        import hashlib
        import torch
        from torch import nn
        from torch._dynamo.utils import counters

        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2))
        compiled = torch.compile(model, backend="aot_eager")

        @torch.compile(backend="aot_eager")
        def compare(outputs, targets):
            return nn.functional.cross_entropy(outputs, targets)

        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for epoch in range(2):
            model.train()
            for step in range(3):
                optimizer.zero_grad()
                compare(compiled(torch.randn(16, 4)), torch.randint(0, 2, (16,))).backward()
                optimizer.step()
            model.eval()
            with torch.no_grad():
                compiled(torch.randn(16, 4)), model(torch.randn(3, 4))
        weights = b"".join(parameter.detach().numpy().tobytes() for parameter in model.parameters())
        print(hashlib.sha256(weights).hexdigest(), dict(counters["stats"]), dict(counters["frames"]))
        """,
    )
    plain, watched = python(tmp_path, "train.py"), watch(tmp_path, "train.py")
    assert "unique_graphs" in plain.stdout
    assert watched.stdout == plain.stdout


@pytest.mark.parametrize(("words", "status"), [((), 0), (("now",), 3)])
def test_threads_that_are_left_behind_and_os_exit_still_report(
    tmp_path: Path, words: tuple[str, ...], status: int
) -> None:
    script(
        tmp_path,
        """
        import os, sys, threading, time
        os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported
        import torch

        net = torch.nn.Linear(2, 1)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

        def late():
            time.sleep(0.3)
            for _ in range(4):
                net(torch.ones(3, 2)).sum().backward()
                optimizer.step()
            print("late", torch.get_num_threads(), flush=True)
            if len(sys.argv) > 1:
                os._exit(3)

        threading.Thread(target=late).start()
        """,
    )
    watched = watch(tmp_path, "train.py", *words)
    assert (watched.stdout, watched.returncode) == ("late 1\n", status)
    assert watched.stderr.endswith("torchstone watched 4 steps and found 1 error.\n")


@pytest.mark.slow
def test_two_processes_end_with_the_weights_that_they_had_unwatched(tmp_path: Path) -> None:
    script(
        tmp_path,
        """
        import hashlib, os
        import torch
        import torch.distributed as dist
        from torch import nn

        dist.init_process_group("gloo")
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        model = nn.parallel.DistributedDataParallel(net)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        data = torch.utils.data.TensorDataset(torch.randn(64, 4), torch.randint(0, 2, (64,)))
        sampler = torch.utils.data.DistributedSampler(data)
        loader = torch.utils.data.DataLoader(data, batch_size=8, sampler=sampler)
        for epoch in range(2):
            sampler.set_epoch(epoch)
            for inputs, targets in loader:
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(inputs), targets).backward()
                optimizer.step()
        weights = b"".join(value.numpy().tobytes() for value in model.state_dict().values())
        with open(f"{os.environ['OUT']}-{dist.get_rank()}", "w") as file:
            print(hashlib.sha256(weights).hexdigest(), torch.rand(1).item(), file=file)
        dist.destroy_process_group()
        """,
    )
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    told = {}
    for name, words in (("plain", ["train.py"]), ("watched", ["-m", "torchstone", "watch", "train.py"])):
        os.environ["OUT"] = str(tmp_path / name)
        try:
            done = python(tmp_path, *torchrun, *words)
        finally:
            del os.environ["OUT"]
        assert done.returncode == 0, done.stderr
        told[name] = [(tmp_path / f"{name}-{rank}").read_text() for rank in range(2)]
    assert told["watched"] == told["plain"]
    assert "stopped watching" not in done.stderr


PROCESSES = {
    "spawned": """
        import multiprocessing, torch

        def train(number):
            torch.manual_seed(number)
            net = torch.nn.Linear(2, 1)
            optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
            for _ in range(5):
                optimizer.zero_grad()
                torch.nn.functional.mse_loss(net(torch.randn(4, 2)), torch.ones(4, 1)).backward()
                optimizer.step()
            return net.weight.tolist(), __name__

        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.map(train, range(2)))
            print(train(0))
        else:
            print("imported as", __name__)
    """,
    "a server of forks": """
        import concurrent.futures, multiprocessing, os, sys, torch

        def leave(number):
            os._exit(number)

        def square(number):
            return (torch.tensor(float(number)) ** 2).item(), sys.argv[1:]

        if __name__ == "__main__":
            context = multiprocessing.get_context("forkserver")
            with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
                print(list(pool.map(square, range(3))))
            process = context.Process(target=leave, args=(5,))
            process.start()
            process.join()
            print(process.exitcode)
    """,
    "shared weights": """
        import torch
        import torch.multiprocessing as multiprocessing

        def train(net, number):
            torch.manual_seed(number)
            optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
            for _ in range(5):
                optimizer.zero_grad()
                torch.nn.functional.mse_loss(net(torch.randn(4, 2)), torch.ones(4, 1)).backward()
                optimizer.step()

        if __name__ == "__main__":
            torch.manual_seed(0)
            net = torch.nn.Linear(2, 1)
            net.share_memory()
            for number in range(2):  # one after the other, so that it can be compared
                process = multiprocessing.get_context("spawn").Process(target=train, args=(net, number))
                process.start()
                process.join()
            print(net.weight.tolist(), process.exitcode)
    """,
    "another program": """
        import os, signal, subprocess, sys, torch

        if sys.argv[1:] == ["inner"]:
            print(torch.nn.Linear(1, 1)(torch.ones(1, 1)).shape, "TORCHSTONE" in str(os.environ).upper())
            sys.exit(4)
        done = subprocess.run([sys.executable, __file__, "inner"], capture_output=True, text=True)
        print(done)
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(6))
        os.kill(os.getpid(), signal.SIGTERM)
    """,
}


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes and signals as on Unix")
@pytest.mark.parametrize("kind", PROCESSES)
def test_programs_of_several_processes_end_as_unwatched(tmp_path: Path, kind: str) -> None:
    script(tmp_path, PROCESSES[kind])
    plain, watched = python(tmp_path, "train.py", "--fast"), watch(tmp_path, "train.py", "--fast")
    assert plain.stdout
    assert (watched.stdout, watched.returncode) == (plain.stdout, plain.returncode)
    assert watched.stderr.startswith(plain.stderr)
    assert "found no mistake" in watched.stderr.removeprefix(plain.stderr)
    assert watched.stderr.count("torchstone") == 1


def test_a_warning_of_torch_names_the_line_that_it_named_unwatched(tmp_path: Path) -> None:
    script(tmp_path, "import torch\n\ntorch.nn.functional.mse_loss(torch.ones(4, 1), torch.ones(4))\n")
    plain, watched = python(tmp_path, "train.py"), watch(tmp_path, "--select", "TS101", "train.py")
    assert "train.py:3: UserWarning: Using a target size" in plain.stderr
    assert watched.stderr.startswith(plain.stderr)


@pytest.mark.parametrize("option", [[], ["-W", "ignore::UserWarning"], ["-W", "always"], ["-W", "error"]])
def test_a_warning_from_inside_of_torch_is_about_the_line_that_called_it(
    tmp_path: Path, option: list[str]
) -> None:
    script(
        tmp_path,
        """
        import torch

        x = torch.ones(2)
        for _ in range(2):
            torch.tensor(x)
        torch.tensor(x)
        """,
    )
    plain = python(tmp_path, *option, "train.py")
    watched = python(tmp_path, *option, "-m", "torchstone", "watch", "--select", "TS101", "train.py")
    assert watched.returncode == plain.returncode
    if "error" not in str(option):
        assert plain.stderr.count("To copy construct") == {"ignore": 0, "always": 3}.get(
            next((word.split(":")[0] for word in option[1:]), ""), 2
        )
        assert watched.stderr.startswith(plain.stderr)


@pytest.mark.parametrize("flag", ["--select", "--extend-select", "--ignore", "--budget", "--format", "-o"])
def test_the_value_of_a_flag_is_not_the_script(flag: str) -> None:
    assert split([flag, "value", "train.py", "-m"]) == [flag, "value", "--", "train.py", "-m"]
