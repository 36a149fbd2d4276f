"""What our own loop reads is seen, whichever way it makes batches; training is what it is unwatched."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import torchstone as ts

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset  # noqa: E402


def samples(count: int = 400) -> tuple[Any, Any]:
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(0, 4, (count,), generator=generator)
    return torch.randn(count, 6, generator=generator) + 2 * nn.functional.one_hot(targets, 6), targets


X, Y = samples()


def with_column(values: Any) -> Any:
    inputs = X.clone()
    inputs[:, 2] = values
    return inputs


class Noisy(Dataset[Any]):
    def __init__(self, inputs: Any, targets: Any) -> None:
        self.inputs, self.targets = inputs, targets

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> Any:
        return self.inputs[index] + 0.1 * torch.randn(6), self.targets[index]


class Growing(Noisy):
    def __getitem__(self, index: int) -> Any:
        row = self.inputs[index]
        row += 1
        return row, self.targets[index]


def loader(inputs: Any, targets: Any, *, shuffle: bool = False, **options: Any) -> Any:
    return DataLoader(TensorDataset(inputs, targets), **{"batch_size": 16, **options}, shuffle=shuffle)


def found(train: Any, val: Any = None, layers: Any = None, **options: Any) -> list[str]:
    net = layers or nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
    run = ts.fit(
        net,
        train,
        val,
        loss=nn.CrossEntropyLoss(),
        optimizer=torch.optim.Adam,
        **{"epochs": 3, "batch_size": None, **options},
        quiet=True,
        watch=True,
    )
    assert all(Path(finding.file or "").name == "test_watch_own_loop.py" for finding in run.findings)
    return [finding.code for finding in run.findings]


SORTED = Y.sort(stable=True).indices
EITHER: list[Callable[..., Any]] = [
    lambda inputs, targets: (inputs, targets),
    lambda inputs, targets: (inputs.numpy(), targets.numpy()),
    lambda inputs, targets: TensorDataset(inputs, targets),
    lambda inputs, targets: loader(inputs, targets, shuffle=True),
    lambda inputs, targets: Subset(TensorDataset(inputs, targets), range(len(inputs))),
]
"""The ways to give data: arrays, NumPy's, a data set, a loader, a data set without a short way."""


@pytest.mark.parametrize("given", EITHER)
class TestEachWayToGiveData:
    def test_right_data_is_silent(self, given: Callable[..., Any]) -> None:
        assert found(given(X[:300], Y[:300]), given(X[300:], Y[300:])) == []

    def test_the_target_among_the_columns(self, given: Callable[..., Any]) -> None:
        assert found(given(with_column(Y.float()), Y)) == ["TS411"]

    def test_a_constant_column(self, given: Callable[..., Any]) -> None:
        assert found(given(with_column(-999.0), Y)) == ["TS416"]

    def test_raw_numbers(self, given: Callable[..., Any]) -> None:
        assert found(given(with_column(1e5 * X[:, 2]), Y)) == ["TS407"]

    @pytest.mark.parametrize("accumulate", [1, 4])
    def test_samples_that_are_trained_on_and_evaluated(
        self, given: Callable[..., Any], accumulate: int
    ) -> None:
        assert found(given(X, Y), given(X, Y), accumulate=accumulate) == ["TS403"]
        assert found(given(X, Y), given(X[350:].clone(), Y[350:].clone())) == ["TS403"]

    def test_the_very_same_object_for_both(self, given: Callable[..., Any]) -> None:
        data = given(X, Y)
        assert found(data, data) == ["TS403"]


def test_labels_that_are_sorted() -> None:
    assert found(loader(X[SORTED], Y[SORTED])) == ["TS401"]
    assert found((X[SORTED], Y[SORTED])) == []  # the loop shuffles


def test_samples_that_the_evaluation_leaves_out() -> None:
    val = loader(X[300:], Y[300:], batch_size=32, drop_last=True)
    assert found((X[:300], Y[:300]), val) == ["TS409"]
    assert found(loader(X[:300], Y[:300], shuffle=True, drop_last=True)) == []


def test_an_evaluation_that_is_augmented() -> None:
    assert found((X[:300], Y[:300]), Noisy(X[300:], Y[300:])) == ["TS405"]
    assert found(Noisy(X[:300], Y[:300]), (X[300:], Y[300:])) == []


def test_rows_that_change_when_they_are_asked_for() -> None:
    data = Growing(X.clone(), Y)
    assert found(DataLoader(data, batch_size=16, shuffle=True)) == ["TS412"]


def test_a_last_batch_of_one(capsys: pytest.CaptureFixture[str]) -> None:
    layers = [nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4)]
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        found(loader(X[:257], Y[:257], shuffle=True, batch_size=32), layers=nn.Sequential(*layers))
    assert "TS414" in capsys.readouterr().err  # there is no run that could hold it
    assert found((X[:257], Y[:257]), layers=nn.Sequential(*layers), batch_size=32) == []


def weights(watch: bool, given: Callable[..., Any]) -> str:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 16), nn.Dropout(0.2), nn.Linear(16, 4))
    ts.fit(
        net,
        given(X[:300], Y[:300]),
        given(X[300:], Y[300:]),
        loss=nn.CrossEntropyLoss(),
        optimizer=torch.optim.Adam,
        epochs=3,
        quiet=True,
        watch=watch,
    )
    held = io.BytesIO()
    np.savez(held, *(value.numpy() for value in net.state_dict().values()), torch.rand(3).numpy())
    return hashlib.sha256(held.getvalue()).hexdigest()


@pytest.mark.parametrize("given", EITHER)
def test_training_computes_what_it_does_unwatched(given: Callable[..., Any]) -> None:
    assert weights(True, given) == weights(False, given)


def test_nothing_of_the_loop_is_replaced_afterwards() -> None:
    from torchstone import fitting
    from torchstone.training.session import Session

    before = vars(fitting)["measure_module"], vars(Session)["create"]
    found((X, Y), epochs=1)
    assert (vars(fitting)["measure_module"], vars(Session)["create"]) == before


def test_a_block_sees_a_loop_that_is_imported_inside_of_it(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import torch\nimport torchstone as ts\n"
        "X, y = torch.randn(200, 5), torch.arange(200) % 3\n"
        "net = torch.nn.Linear(5, 3)\n"
        "ts.fit(net, (X, y), (X, y), loss=torch.nn.CrossEntropyLoss(), optimizer=torch.optim.Adam,\n"
        "       epochs=2, quiet=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "torchstone", "watch", script.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "error[TS403]" in done.stderr
    assert "found 1 error." in done.stderr  # the seed that the loop sets is none of the script's


def write(path: Path, rows: Any) -> str:
    lines = [",".join(map(str, row)) for row in rows.tolist()]
    path.write_text("\n".join(["a,b,c,label", *lines]) + "\n")
    return str(path)


def test_the_command_sees_what_a_table_holds(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(600, 4)).round(4)
    rows[:, 3] = rows[:, 0] + rows[:, 1] > 0
    whole, part = write(tmp_path / "whole.csv", rows), write(tmp_path / "part.csv", rows[:200])
    rest = write(tmp_path / "rest.csv", rows[200:])
    common = ["--target", "label", "--epochs", "2", "--watch", "--out"]
    for train, val, told in ((whole, part, 1), (rest, part, 0)):
        done = subprocess.run(
            [sys.executable, "-m", "torchstone", "train", train, "--val", val, *common, f"run{told}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("TS403") == told, done.stderr


@pytest.mark.parametrize("table", ["digits", "breast-cancer"])
def test_right_tables_are_silent(table: str, tmp_path: Path) -> None:
    assert ts.train(table, out=tmp_path / "run", epochs=2, quiet=True, watch=True).findings == []
