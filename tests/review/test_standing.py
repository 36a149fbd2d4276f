"""What a program puts upon PyTorch, or makes of it, is its own: the watcher changes nothing of that."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from torchstone.review.standing import is_of_program, is_of_signal, standing
from torchstone.review.stream import Stream

SCRIPT = """
    import pickle, warnings
    import torch
    from torch import nn
    from torch.utils.data import DataLoader

    class Pool(nn.Module):
        biggest = torch.max  # is no method, as torch's own is none

        def __init__(self):
            super().__init__()
            self.op, self.seed, self.attend = torch.max, torch.manual_seed, nn.functional.softmax

        def forward(self, x):
            return self.op(x, dim=1).values + self.biggest(x, dim=1).values

    class Loader(DataLoader):
        def __eq__(self, other): return True

    class Descent(torch.optim.SGD):
        def __eq__(self, other): return True

    class Like:
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            return function is torch.max, {torch.max: "found"}.get(function)

    print(pickle.loads(pickle.dumps(Pool()))(torch.ones(2, 3)))
    print(torch.max(torch.ones(2), torch.zeros(2)), torch.max(Like(), 0)[1])
    print(torch.eq(input=torch.ones(2), other=torch.ones(2)))
    net = nn.Linear(2, 1)
    optimizer = Descent(net.parameters(), lr=0.1)
    for _ in range(12):
        optimizer.zero_grad()
        nn.functional.mse_loss(net(torch.ones(4, 2)), torch.ones(4, 1)).backward()
        optimizer.step()
    print(len(list(Loader(list(range(4))))), repr(torch.argmax)[:24])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        nn.utils.clip_grad_norm_((one for one in ()), 1.0)
    print([str(one.message) for one in told])
"""


def test_a_program_with_classes_and_pickles_of_its_own_prints_what_it_did_unwatched(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(SCRIPT))
    plain, watched = (
        subprocess.run([sys.executable, *words, str(script)], capture_output=True, text=True, check=False)
        for words in ((), ("-m", "torchstone", "watch"))
    )
    assert plain.returncode == 0, plain.stderr
    assert watched.stdout.startswith(plain.stdout)


def failed(owner: Any, error: Exception) -> None:
    raise AssertionError from error


def test_what_the_program_puts_upon_a_replacement_stays() -> None:
    stream, place = Stream(failed), SimpleNamespace(one="torch's", other="torch's")
    for name in ("one", "other"):
        stream.replace(place, name, "ours")
    place.one = "the program's"
    stream.suspend()
    assert (place.one, place.other) == ("the program's", "torch's")
    stream.resume()
    assert (place.one, place.other) == ("the program's", "ours")
    stream.close()
    assert (place.one, place.other) == ("the program's", "torch's")


def test_an_error_of_the_programs_own_signal_handler_goes_through() -> None:
    class Late(Exception):
        pass

    def late(number: int, frame: Any) -> None:
        raise Late

    class Owner:
        def on_backward(self, event: Any) -> None:
            signal.raise_signal(signal.SIGTERM)

    stream = Stream(failed)
    stream.subscribe(Owner())
    before = signal.signal(signal.SIGTERM, late)
    try:
        for _ in range(2):  # the one that was interrupted is told again
            with pytest.raises(Late) as caught:
                stream.emit("backward")
        assert is_of_signal(caught.value)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not stream.quiet
    assert not stream.closed


def test_what_the_programs_own_objects_raise_is_no_failure_of_ours() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise ValueError

    def compare() -> object:
        return Odd() == 1

    def fail() -> object:
        return standing(None, "name", None, compare)

    for ask, own in ((compare, True), (fail, False)):
        with pytest.raises((ValueError, AttributeError)) as caught:
            ask()
        told = caught.tb.tb_next and caught.tb.tb_next.tb_next  # what this test asked
        assert is_of_program(caught.value.with_traceback(told)) == own
