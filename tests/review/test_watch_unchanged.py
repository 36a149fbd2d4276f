"""Watching changes nothing: what a script computes, draws, prints, compiles and keeps alive is the same."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

HERE = Path(__file__).parent
SCRIPTS = sorted((HERE / "watched" / "unchanged").glob("*.py"))

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Runs a script in a fork of one process that has imported torch, watched or not."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.review.twin_server"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE.parents[1]
    ) as server:
        stdin, stdout = server.stdin, server.stdout
        assert stdin is not None
        assert stdout is not None

        def ask(script: Path, *, watched: bool, before: str | None = None) -> dict[str, Any]:
            stdin.write(json.dumps({"script": str(script), "watched": watched, "before": before}) + "\n")
            stdin.flush()
            answer: dict[str, Any] = json.loads(stdout.readline())
            return answer

        yield ask
        stdin.close()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_watched_script_ends_as_the_unwatched_one(script: Path, run: Run) -> None:
    plain, watched = run(script, watched=False), run(script, watched=True)
    assert plain["status"] == 0, plain["errors"]
    assert plain["weights"]
    assert told(watched.pop("findings")) == []
    assert watched.pop("failures") == []
    assert watched == plain


def told(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The findings that are told where nobody asks for more: advice is off by default."""
    return [one for one in findings if one["severity"] != "advice"]


EVERY_DETECTOR = """
from torchstone.review.catalogue import load_catalogue

def broken(self, event):
    raise RuntimeError("injected")

for mistake in load_catalogue():
    if mistake.detector is not None:
        for name in dir(mistake.detector):
            if name.startswith("on_"):
                setattr(mistake.detector, name, broken)
"""

FRAME = {
    "names": "from torchstone.review import naming as part; part.Names.know = broken",
    "events": "from torchstone.review import stream as part; part.Event.__init__ = broken",
    "places": "from torchstone.review import stream as part; part.place_of_frame = broken",
    "steps": "from torchstone.review import resting as part; part.Rest.stepped = broken",
    "gradients": "from torchstone.review import gradients as part; part.Gradients.on_backward = broken",
    "hook point": "from torchstone.review.events import mode as part; part.install = broken",
    "making": "from torchstone.review.mistakes.gradients import missing_zero_grad as part; "
    "part.Watch.__init__ = broken",
    "reporting": "from torchstone.review.watcher import Watcher; Watcher.report = broken",
}
BROKEN = "def broken(*args, **kwargs):\n    raise RuntimeError('injected')\n"


def left(answer: dict[str, Any]) -> dict[str, Any]:
    """What a script left behind, what was written on stderr aside."""
    return {name: value for name, value in answer.items() if name not in ("errors", "findings", "failures")}


@pytest.mark.parametrize("name", ["dropout_and_batch_norm", "gan", "compiled_in_place"])
def test_a_fault_in_every_detector_leaves_the_script_alone(name: str, run: Run) -> None:
    script = HERE / "watched" / "unchanged" / f"{name}.py"
    plain, watched = run(script, watched=False), run(script, watched=True, before=EVERY_DETECTOR)
    assert left(watched) == left(plain)
    lines = watched["errors"].splitlines()
    assert lines == watched["failures"]
    assert len(lines) > 20
    assert len({line.split()[1] for line in lines}) == len(lines)  # one for each
    assert all(line.endswith("stopped watching: RuntimeError: injected") for line in lines)


@pytest.mark.parametrize("part", FRAME)
def test_a_fault_in_the_frame_leaves_the_script_alone(part: str, run: Run, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    right = (HERE / "watched" / "unchanged" / "dropout_and_batch_norm.py").read_text()
    script.write_text(right.replace("        optimizer.zero_grad()\n", ""))  # so that there is a finding
    plain, watched = run(script, watched=False), run(script, watched=True, before=BROKEN + FRAME[part])
    assert left(watched) == left(plain)
    assert watched["errors"].count("injected") == len(watched["failures"]) >= 1


EDGES = {
    "threads that train": """
        import threading, torch
        def train(number):
            weights = torch.nn.Linear(2, 1)
            optimizer = torch.optim.SGD(weights.parameters(), lr=0.1)
            for _ in range(200):
                optimizer.zero_grad()
                weights(torch.ones(4, 2)).sum().backward()
                optimizer.step()
            done.append(number)
        done = []
        threads = [threading.Thread(target=train, args=(number,)) for number in range(3)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(sorted(done))
    """,
    "threads one after another": """
        import threading, torch
        torch.manual_seed(0)
        net = torch.nn.Linear(2, 1)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        def train():
            for _ in range(10):
                optimizer.zero_grad()
                torch.nn.functional.mse_loss(net(torch.randn(4, 2)), torch.ones(4, 1)).backward()
                optimizer.step()
        for _ in range(3):
            thread = threading.Thread(target=train)
            thread.start()
            thread.join()
        print(net.weight.tolist())
    """,
    "a fork that trains": """
        import os, torch
        def train():
            net = torch.nn.Linear(2, 1)
            optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
            for _ in range(10):
                net(torch.randn(4, 2)).sum().backward()  # wrong, but its parent is what is watched
                optimizer.step()
        child = os.fork()
        if not child:
            train()
            os._exit(5)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """,
    "a pool": """
        import multiprocessing, torch
        def square(number):
            return (torch.tensor(float(number)) ** 2).item()
        if __name__ == "__main__":
            with multiprocessing.get_context("fork").Pool(2) as pool:
                print(pool.map(square, range(5)))
    """,
    "classes of main in files": """
        import copy, io, pickle, torch
        class Net(torch.nn.Linear):
            def __call__(self, *args):
                return super().__call__(*args) * 2
        net = Net(2, 1)
        again = pickle.loads(pickle.dumps(net))
        file = io.BytesIO()
        torch.save(net, file)
        file.seek(0)
        loaded = torch.load(file, weights_only=False)
        assert type(loaded) is type(again) is Net is type(copy.deepcopy(net))
        print(torch.equal(again(torch.ones(1, 2)), loaded(torch.ones(1, 2))))
    """,
    "runpy and stdin": """
        import runpy, sys, tempfile, torch
        with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
            file.write("import torch; net = torch.nn.Linear(1, 1); x = net(torch.ones(1, 1)).shape, __name__")
            file.flush()
            print(runpy.run_path(file.name, run_name="part")["x"], repr(sys.stdin.read()))
    """,
    "signals": """
        import os, signal, torch
        seen = []
        signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(torch.nn.Linear(1, 1)(torch.ones(1))))
        net = torch.nn.Linear(2, 1)
        net.register_forward_hook(lambda *args: os.kill(os.getpid(), signal.SIGUSR1))
        net(torch.ones(1, 2)).sum().backward()
        print(len(seen))
    """,
    "an excepthook": """
        import sys, torch
        def hook(kind, error, traceback):
            print("mine", kind.__name__, traceback.tb_frame.f_code.co_name)
        sys.excepthook = hook
        raise ValueError("no")
    """,
    "an exit": "import sys, torch\nnet = torch.nn.Linear(1, 1)\nprint(1)\nsys.exit(7)",
    "threads that only read": """
        import concurrent.futures, threading, torch
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 1))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        served = torch.nn.Linear(2, 1).eval()
        ready = torch.utils.data.DataLoader(torch.arange(8.0), generator=torch.Generator())  # draws apart
        def serve(number):
            with torch.no_grad():
                return served(torch.full((1, 2), float(number))).shape, len(list(ready))
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            answers = [pool.submit(serve, number) for number in range(30)]
            for _ in range(20):
                optimizer.zero_grad()
                torch.nn.functional.mse_loss(net(torch.ones(4, 2)), torch.ones(4, 1)).backward()
                optimizer.step()
            print(len({answer.result() for answer in answers}))
    """,
    "an exit in a thread": """
        import sys, threading, torch
        def leave():
            torch.nn.Linear(1, 1)(torch.ones(1, 1))
            sys.exit(3)
        thread = threading.Thread(target=leave)
        thread.start()
        thread.join()
        print("here")
    """,
    "an alarm that raises": """
        import signal, time, torch
        class Late(Exception):
            pass
        def late(number, frame):
            raise Late
        signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        net = torch.nn.Linear(2, 1)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        try:
            while True:
                optimizer.zero_grad()
                torch.nn.functional.mse_loss(net(torch.ones(4, 2)), torch.ones(4, 1)).backward()
                optimizer.step()
        except Late:
            print("late")
        del net, optimizer  # how far it came depends on the machine
    """,
    "a module of the user's by runpy": """
        import pathlib, runpy, sys, torch
        pathlib.Path("part.py").write_text(
            "import sys, torch\\nnet = torch.nn.Linear(1, 1)\\n"
            "if __name__ == '__main__':\\n    print(net(torch.ones(1, 1)).shape, len(sys.argv))\\n"
        )
        sys.path.insert(0, ".")
        before = sys.modules["__main__"]
        runpy.run_module("part", run_name="__main__", alter_sys=True)
        print(sys.modules["__main__"] is before, "net" in vars(before))
    """,
    "locals that are kept": """
        import json, torch
        def train(rate=0.1, epochs=2, size=4):
            config = locals()
            net = torch.nn.Linear(4, 1)
            optimizer = torch.optim.SGD(net.parameters(), rate)
            for _ in range(epochs):
                x = torch.randn(size, 4)
                optimizer.zero_grad()
                torch.nn.functional.mse_loss(net(x), x[:, :1]).backward()
                optimizer.step()
            print(json.dumps(config))
        train()
    """,
    "tensors that a function lets go of": """
        import weakref, torch
        from torch.utils.data import DataLoader, TensorDataset
        def train():
            net = torch.nn.Linear(2, 2)
            optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
            large = torch.zeros(1000, 1000)
            held = weakref.ref(large)
            loader = DataLoader(TensorDataset(torch.randn(8, 2), torch.randn(8, 2)), batch_size=4)
            for x, y in loader:
                optimizer.zero_grad()
                torch.nn.functional.mse_loss(net(x), y).backward()
                optimizer.step()
            del large
            print(held() is None)
        train()
    """,
    "counted operations": """
        import torch
        from torch.utils.flop_counter import FlopCounterMode
        net = torch.nn.Linear(4, 4)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        with FlopCounterMode(display=False) as counted:
            net(torch.ones(2, 4)).sum().backward()
            optimizer.step()
        print(counted.get_total_flops())
    """,
}


@pytest.mark.parametrize("edge", EDGES)
def test_unusual_scripts_are_left_alone(edge: str, run: Run, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(EDGES[edge]))
    plain, watched = run(script, watched=False), run(script, watched=True)
    assert told(watched["findings"]) == []
    assert watched["failures"] == []
    for answer in (plain, watched):
        if edge == "threads that train":  # these draw in no order, and end in none
            answer.pop("weights"), answer.pop("streams"), answer.pop("alive")
    assert left(watched) == left(plain)
    assert watched["errors"] == plain["errors"]


REPLAYED = {
    "random numbers, counts and hooks": """
        import numpy, torch
        from torch import nn
        torch.manual_seed(0)
        own, other, calls, passed = torch.Generator().manual_seed(5), numpy.random.default_rng(0), 0, 0
        memory = torch.zeros(4)
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer, self.scale = nn.Linear(4, 1), nn.Parameter(torch.ones(1))
                self.seen = {"all": [0]}
            def forward(self, x):
                global calls
                calls += 1
                self.seen["all"].append(calls)
                memory.add_(1)
                self.scale.data.mul_(1.5)
                print("called")
                x = x + torch.randn(x.shape, generator=own) * float(other.random())
                return torch.log(self.layer(x) * self.scale * memory[0])
        def hook(module, given, output):
            global passed
            passed += 1
        net = Net()
        net.register_forward_hook(hook)
        net.layer.weight.register_hook(lambda gradient: net.seen["all"].append(-1))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(6):
            optimizer.zero_grad()
            batch = torch.randn(8, 4)
            nn.functional.mse_loss(net(batch), torch.randn(8, 1)).backward()
            optimizer.step()
        print(calls, passed, net.seen, memory, net.scale, torch.randn(1, generator=own), other.random())
    """,
    "what a helper behind a decorator does": """
        import torch
        from torch import nn
        torch.manual_seed(0)
        seen = []
        @torch.no_grad()
        def count(x):
            seen.append(len(x))
        class Net(nn.Linear):
            def forward(self, x):
                count(x)
                return super().forward(x).sqrt()
        net = Net(4, 1)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(4):
            optimizer.zero_grad()
            net(torch.randn(8, 4)).mean().backward()
            optimizer.step()
        print(seen)
    """,
    "another thread that prints": """
        import threading, time, torch
        from torch import nn
        torch.manual_seed(0)
        class Net(nn.Linear):
            def forward(self, x):
                time.sleep(0.02)
                print("called")
                return torch.log(super().forward(x))
        net = Net(4, 1)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        def chat():
            for _ in range(100):
                print("called")
                time.sleep(0.002)
        thread = threading.Thread(target=chat)
        thread.start()
        for _ in range(4):
            optimizer.zero_grad()
            net(torch.randn(8, 4)).mean().backward()
            optimizer.step()
        thread.join()
    """,
}


@pytest.mark.parametrize("name", REPLAYED)
def test_a_batch_that_is_replayed_leaves_no_trace(name: str, run: Run, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(REPLAYED[name]))
    plain, watched = run(script, watched=False), run(script, watched=True)
    (finding,) = [one for one in watched["findings"] if one["code"] == "TS601"]
    assert finding["evidence"]["module"] == "net"
    assert watched["failures"] == []
    assert sorted(watched["output"]) == sorted(plain["output"])  # threads print in any order
    assert left(watched)["weights"] == left(plain)["weights"]
    assert left(watched)["streams"] == left(plain)["streams"]


def test_a_call_that_cannot_be_undone_is_not_made_once_more(run: Run, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        textwrap.dedent("""
            import pathlib, torch
            from torch import nn
            torch.manual_seed(0)
            class Net(nn.Linear):
                def forward(self, x):
                    with open("calls.txt", "a") as file:
                        file.write("called ")
                    return super().forward(x) * self.factor
            net = Net(4, 1)
            net.factor = float("inf")
            optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
            for _ in range(4):
                optimizer.zero_grad()
                net(torch.randn(8, 4)).mean().backward()
                optimizer.step()
            print(pathlib.Path("calls.txt").read_text())
            pathlib.Path("calls.txt").unlink()
        """)
    )
    plain, watched = run(script, watched=False), run(script, watched=True)
    (finding,) = watched["findings"]
    assert finding["code"] == "TS601"
    assert "`Net.forward` uses `open`, `write`" in finding["message"]
    assert watched["failures"] == []
    assert watched["output"] == plain["output"]
