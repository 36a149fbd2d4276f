"""A NaN that is put into any module, in either direction, is traced to it, its line and its samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from torchstone.finding import Finding  # noqa: E402
from torchstone.review.watcher import Watcher  # noqa: E402


class Poison(torch.autograd.Function):  # type: ignore[misc, name-defined, unused-ignore]
    """Passes values on, and makes the gradient of the second sample NaN."""

    @staticmethod
    def forward(ctx: Any, values: Any) -> Any:
        return values.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        gradient = gradients[0].clone()
        gradient[1] = float("nan")
        return gradient


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.ReLU()
        )
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(4 * 16, 3)

    def forward(self, x: Any) -> Any:
        return self.head(self.dropout(self.features(x).flatten(1)))


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(6, 8)
        self.layers = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2, enable_nested_tensor=False
        )
        self.head = nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        return self.head(self.layers(self.project(x)).mean(1))


def mlp() -> Any:
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))


ARCHITECTURES: dict[str, tuple[Callable[[], Any], tuple[int, ...], tuple[str, ...]]] = {
    "mlp": (mlp, (8, 5), ("0", "1", "2", "3", "4")),
    "convolutions": (
        Net,
        (8, 1, 8, 8),
        ("features.0", "features.1", "features.2", "features.3", "features.4", "dropout", "head"),
    ),
    "transformer": (
        Encoder,
        (8, 4, 6),
        (
            "project",
            "layers.layers.0.self_attn",
            "layers.layers.0.linear1",
            "layers.layers.0.norm2",
            "layers.layers.1.linear2",
            "layers.layers.1.norm1",
            "layers.layers.1.dropout2",
            "head",
        ),
    ),
}
PLACES = [(name, path) for name, (_, _, paths) in ARCHITECTURES.items() for path in paths]


def poisoned(output: Any, forward: bool) -> Any:
    if isinstance(output, tuple):
        return poisoned(output[0], forward), *output[1:]
    if not forward:
        return Poison.apply(output)
    factor = torch.ones(len(output), *[1] * (output.dim() - 1))
    factor[1] = 0.0
    return output / factor - output / factor  # POISON


def findings(
    make: Callable[[], Any], shape: tuple[int, ...], path: str, forward: bool
) -> tuple[list[Finding], Any]:
    """Trains for four steps under watch; the third is poisoned."""
    torch.manual_seed(0)
    model = make()
    step = -1
    model.get_submodule(path).register_forward_hook(
        lambda module, given, output: poisoned(output, forward) if step == 2 else output
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    watcher = Watcher(codes=frozenset({"TS601"}))
    watcher.start()
    try:
        while step < 3:
            step += 1
            loss = nn.functional.cross_entropy(model(torch.randn(shape)), torch.arange(shape[0]) % 3)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call, unused-ignore]
            optimizer.step()
    finally:
        report = watcher.stop()
    assert report.notes == []
    state = [value.clone() for value in model.state_dict().values()]
    return report.findings, (state, torch.rand(1))


@pytest.mark.parametrize(("name", "path"), PLACES, ids=[f"{name}-{path}" for name, path in PLACES])
@pytest.mark.parametrize("forward", [True, False], ids=["forward", "backward"])
def test_the_module_is_named(name: str, path: str, forward: bool) -> None:
    make, shape, _ = ARCHITECTURES[name]
    (finding,), _ = findings(make, shape, path, forward)
    written = "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in path.split("."))
    assert finding.evidence["module"] == f"model{written}"
    assert finding.evidence["direction"] == ("forward" if forward else "backward")
    assert finding.evidence["samples"] == [1]
    assert finding.evidence["step"] == 2
    if forward:
        assert finding.message.endswith("at sample 1 of the batch")
        line = (finding.line or 0) - 1
        assert Path(__file__).read_text().splitlines()[line].endswith("# POISON")
        assert finding.evidence["inputs"][1]["least"] == 0.0


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_replayed_batch_leaves_no_trace(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, shape, paths = ARCHITECTURES[name]
    watched = [findings(make, shape, paths[1], forward)[1] for forward in (True, False)]
    monkeypatch.setattr(Watcher, "start", lambda self: None)
    plain = [findings(make, shape, paths[1], forward)[1] for forward in (True, False)]
    for (state, number), (other, expected) in zip(watched, plain, strict=True):
        assert torch.equal(number, expected)
        assert all(torch.equal(a.nan_to_num(7), b.nan_to_num(7)) for a, b in zip(state, other, strict=True))


def test_what_is_computed_before_a_loss_module_is_not_taken_for_the_batch() -> None:
    torch.manual_seed(0)
    model, criterion = nn.Linear(4, 3), nn.NLLLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watcher = Watcher(codes=frozenset({"TS601"}))
    watcher.start()
    try:
        loss = criterion(torch.log(model(torch.randn(16, 4))), torch.arange(16) % 3)
        loss.backward()
        optimizer.step()
    finally:
        report = watcher.stop()
    (finding,) = report.findings
    assert finding.evidence["operation"] == "log"
    assert "batch" not in finding.message


@pytest.mark.parametrize(
    ("rows", "columns", "told"),
    [
        ([5], [2], "not finite, in column 2, at sample 5 of the batch"),
        ([1, 2], [0, 3], "not finite, in columns 0, 3, at samples 1, 2 of the batch"),
        (range(16), [1], "not finite, in column 1 of all its samples"),
        (range(16), range(4), "not finite"),
        ([7], range(4), "not finite, at sample 7 of the batch"),
    ],
)
def test_the_bad_columns_of_a_batch_are_named(rows: Any, columns: Any, told: str) -> None:
    torch.manual_seed(0)
    batch = torch.randn(16, 4)
    for row in rows:
        batch[row, list(columns)] = float("nan")
    model = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watcher = Watcher(codes=frozenset({"TS601"}))
    watcher.start()
    try:
        loss = nn.functional.cross_entropy(model(batch), torch.arange(16) % 3)
        loss.backward()  # type: ignore[no-untyped-call, unused-ignore]
        optimizer.step()
    finally:
        report = watcher.stop()
    (finding,) = report.findings
    assert finding.message.endswith(told)
