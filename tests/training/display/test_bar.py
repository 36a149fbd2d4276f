"""The bar of a notebook: one output that is updated; the kernel itself is tried in `test_notebook.py`."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
import torch
from torch import nn

import torchstone as ts
from torchstone.training.callbacks.progress import Progress
from torchstone.training.display.notebook import Notebook, in_notebook
from torchstone.training.display.status import Status, number

IPython = pytest.importorskip("IPython")


class Shown:
    """Takes what IPython publishes to a front end."""

    def __init__(self) -> None:
        self.messages: list[tuple[bool, str | None, dict[str, str]]] = []

    def publish(
        self,
        data: dict[str, str],
        metadata: Any = None,
        source: Any = None,
        *,
        transient: dict[str, str] | None = None,
        update: bool = False,
        **_: Any,
    ) -> None:
        self.messages.append((update, (transient or {}).get("display_id"), data))


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A real IPython shell, whose front end writes down what it is shown."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    found = Shown()
    monkeypatch.setattr(shell, "display_pub", found)
    # A shell in a terminal shows text only; a notebook's shows every form that there is.
    monkeypatch.setattr(shell.display_formatter, "active_types", ["text/plain", "text/html"])
    yield found
    InteractiveShell.clear_instance()


def _train(**options: Any) -> ts.Run:
    torch.manual_seed(0)
    x = torch.randn(400, 8)
    return ts.fit(
        nn.Linear(8, 1),
        (x[:300], x[:300, :1]),
        (x[300:], x[300:, :1]),
        loss=nn.MSELoss(),
        optimizer=torch.optim.Adam,
        epochs=8,
        batch_size=4,
        quiet=True,
        callbacks=[Progress(kind="notebook")],
        **options,
    )


def test_a_run_is_one_output_that_is_updated(shown: Shown, capfd: pytest.CaptureFixture[str]) -> None:
    run = _train()
    updates = [update for update, _, _ in shown.messages]
    assert updates[0] is False
    assert all(updates[1:])
    assert len(updates) >= 2
    assert len({identity for _, identity, _ in shown.messages}) == 1
    assert shown.messages[0][1]
    last = shown.messages[-1][2]
    assert "width:100.0%" in last["text/html"]
    best = number(min(run.history["val_loss"]))
    assert re.fullmatch(
        rf"Trained 8 epochs in \d+:\d\d\. Best val loss {best} in epoch \d+\.", last["text/plain"]
    )
    assert html.escape(last["text/plain"]) in last["text/html"]
    assert capfd.readouterr() == ("", "")  # no lines beside it


def test_two_runs_are_two_bars(shown: Shown) -> None:
    _train()
    _train()
    assert [update for update, _, _ in shown.messages].count(False) == 2
    assert len({identity for _, identity, _ in shown.messages}) == 2


def test_the_bar_grows_and_tells_where_the_run_is(shown: Shown) -> None:
    bar = Notebook()
    status = Status(1, 4, 0, 10)
    bar.start(status)
    for epoch in (1, 2, 3):
        status = Status(epoch, 4, 5, 10, loss=0.5, samples_per_second=1234.0, left=60.0,
                        latest={"val_loss": 0.25}, monitored=[1.0, 0.5, 0.25][:epoch])  # fmt: skip
        bar.draw(status)
    widths = [float(re.findall(r"width:([\d.]+)%", data["text/html"])[-1]) for _, _, data in shown.messages]
    assert widths == [0.0, 12.5, 37.5, 62.5]
    text = shown.messages[-1][2]["text/plain"]
    assert text == "epoch 3/4  train loss 0.5000  val loss 0.2500  1,234 samples/s  1:00 left"
    assert "▁" in shown.messages[-1][2]["text/html"]


def test_names_of_metrics_are_text_in_the_bar(shown: Shown) -> None:
    bar = Notebook()
    bar.start(Status(1, 4, 0, 10, latest={"val_<script>alert(1)</script>": 0.5}))
    page = shown.messages[0][2]["text/html"]
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_shell_without_a_kernel_is_no_notebook(shown: Shown) -> None:
    assert not in_notebook()
