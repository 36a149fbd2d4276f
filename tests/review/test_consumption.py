"""At its end a long run is told what memory it took, and how long it waited for batches."""

from __future__ import annotations

import re

import pytest

torch = pytest.importorskip("torch")

from torchstone.review import watcher as watching  # noqa: E402
from torchstone.review.consumption import written  # noqa: E402
from torchstone.review.output.watched import render  # noqa: E402


def notes(monkeypatch: pytest.MonkeyPatch, seconds: float = 0.0) -> list[str]:
    monkeypatch.setattr(watching, "_WORTH_TELLING", seconds)
    watched = watching.Watcher(codes=frozenset())
    watched.start()
    try:
        model = torch.nn.Linear(256, 1024, bias=False)
        optimizer = torch.optim.Adam(model.parameters())
        loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(64, 256)), 8)
        for (x,) in loader:
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()
    finally:
        report = watched.stop()
    assert report.findings == []
    assert all(note in render(report) for note in report.notes)
    return report.notes


def test_the_memory_of_the_process_is_told_by_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    (memory,) = [note for note in notes(monkeypatch) if note.startswith("Memory of the process")]
    found = re.search(r"parameters (.+?), gradients (.+?), optimizer state (.+?), the rest (.+?) \(", memory)
    assert found is not None
    assert found.groups()[:3] == ("1 MiB", "1 MiB", "2 MiB")
    assert re.search(r"^Memory of the process: [\d.]+ [MG]iB at most: ", memory)


def test_the_share_of_waiting_for_batches_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert any(re.fullmatch(r"Waiting for batches took \d+% of the time\.", n) for n in notes(monkeypatch))


def test_a_short_run_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert notes(monkeypatch, seconds=600.0) == []


@pytest.mark.parametrize(
    ("size", "shown"), [(12, "12 bytes"), (2048, "2 KiB"), (3 << 20, "3 MiB"), (5 << 40, "5.12e+03 GiB")]
)
def test_bytes_are_written_for_people(size: int, shown: str) -> None:
    assert written(size) == shown
