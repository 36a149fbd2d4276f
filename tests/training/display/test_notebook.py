"""The progress of a run in a real Jupyter kernel: one bar, whose output is replaced."""

from __future__ import annotations

from typing import Any

import pytest

CELL = """
import torch
from torch import nn
import torchstone as ts

X = torch.randn(400, 8)
run = ts.fit(
    nn.Linear(8, 1), (X[:300], X[:300, :1]), (X[300:], X[300:, :1]),
    loss=nn.MSELoss(), optimizer=torch.optim.Adam, epochs=40, batch_size=4,
)
"""


@pytest.mark.slow  # a kernel imports torch
def test_a_run_is_one_output_that_is_updated() -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    seen: list[dict[str, Any]] = []

    class Client(nbclient.NotebookClient):  # type: ignore[misc, name-defined]
        def process_message(self, message: Any, cell: Any, index: int) -> Any:
            if message["msg_type"] in ("display_data", "update_display_data", "stream"):
                seen.append(message)
            return super().process_message(message, cell, index)

    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    Client(book, timeout=120, kernel_name="python3").execute()

    outputs = book.cells[0].outputs
    assert [output.output_type for output in outputs] == ["display_data"]  # one bar, no lines beside it
    assert "width:100.0%" in outputs[0].data["text/html"]
    assert outputs[0].data["text/plain"].startswith("Trained 40 epochs")

    first, *updates = seen
    assert first["msg_type"] == "display_data"
    assert len(updates) > 2  # it moved while it trained
    assert {message["msg_type"] for message in updates} == {"update_display_data"}
    identities = {message["content"]["transient"]["display_id"] for message in seen}
    assert len(identities) == 1
