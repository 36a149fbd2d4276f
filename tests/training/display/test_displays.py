"""What a training shows while it runs: numbers that are those of the history."""

from __future__ import annotations

import io
import re

import pytest
import torch
from torch import nn

import torchstone as ts
from torchstone.training.callbacks.progress import Progress
from torchstone.training.display.status import number


class Terminal(io.StringIO):
    """A text that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def _train(file: io.StringIO, kind: str, **options: object) -> ts.Run:
    torch.manual_seed(0)
    x = torch.randn(400, 8)
    return ts.fit(
        nn.Linear(8, 1),
        (x[:300], x[:300, :1]),
        (x[300:], x[300:, :1]),
        loss=nn.MSELoss(),
        optimizer=torch.optim.Adam,
        epochs=3,
        batch_size=32,
        quiet=True,
        callbacks=[Progress(kind=kind, file=file)],
        **options,
    )


@pytest.mark.parametrize("kind", ["lines", "live"])
def test_the_loss_of_a_finished_epoch_is_its_mean(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    file = Terminal() if kind == "live" else io.StringIO()
    run = _train(file, kind)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue())
    for record in run.records:
        assert f"train loss {number(record['train_loss'])}" in text
    assert f"Best val loss {number(min(run.history['val_loss']))} in epoch 3." in text


def test_last_weights_and_an_end_before_time_are_said() -> None:
    file = io.StringIO()
    _train(file, "lines", keep="last", max_time=1e-9)
    last = file.getvalue().strip().splitlines()[-1]
    assert "(1e-09 seconds are over)" in last
    assert "the last weights are kept" in last
