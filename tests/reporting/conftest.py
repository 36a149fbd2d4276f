"""A few small runs that the tests of the reports share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_diabetes, load_iris
from torch import nn

import torchstone as ts

HOSTILE = "<b>&\"'`[red]\x1b[31m\x07🙂"
LONG = "n" * 300
CLASSES = ["<i>se&t", "[bold]ver", "vi\"r'🙂"]


class Gan(nn.Module):
    """Two networks with a loss each."""

    def __init__(self) -> None:
        super().__init__()
        self.generator, self.discriminator = nn.Linear(2, 1), nn.Linear(1, 1)


def gan_step(net: Gan, batch: Any, context: Any) -> dict[str, torch.Tensor]:
    real = batch[0] if isinstance(batch, tuple | list) else batch
    fake = net.generator(torch.randn(len(real), 2))
    critic = F.softplus(-net.discriminator(real)).mean() + F.softplus(net.discriminator(fake.detach())).mean()
    context.zero_grad("discriminator")
    context.backward(critic)
    context.step("discriminator")
    forger = F.softplus(-net.discriminator(fake)).mean()
    context.zero_grad("generator")
    context.backward(forger)
    context.step("generator")
    return {"discriminator_loss": critic, "generator_loss": forger}


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The runs by name; `hostile` is iris with names that try to be markup."""
    folder = tmp_path_factory.mktemp("runs")

    def train(name: str, data: Any, **options: Any) -> Any:
        return ts.train(data, model="linear", out=str(folder / name), quiet=True, **options)

    features, kinds = load_iris(return_X_y=True)
    columns = {"sepal": features[:, 0], HOSTILE: features[:, 1], LONG: features[:, 2], "constant": 1.0}
    file = Path(folder / "iris.csv")
    pl.DataFrame({**columns, "kind": [CLASSES[kind] for kind in kinds]}).write_csv(file)
    found = {"hostile": train("hostile", file, target="kind", epochs=3)}
    ts.evaluate(found["hostile"])
    two = pl.DataFrame({"a": features[50:, 2], "b": features[50:, 3], "kind": [f"k{k}" for k in kinds[50:]]})
    found["binary"] = train("binary", two, target="kind", epochs=1)
    inputs, progress = load_diabetes(return_X_y=True)
    frame = pl.DataFrame(inputs[:, :4], schema=["age", "sex", "bmi", "bp"])
    found["last"] = train("last", frame.with_columns(y=progress), target="y", epochs=3, keep="last")
    labels = frame.with_columns(
        tall=pl.Series((inputs[:, 2] > 0).astype(int)), old=pl.Series((inputs[:, 0] > 0).astype(int))
    )
    found["multilabel"] = train("multilabel", labels, target=["tall", "old"], epochs=2)
    found["digits"] = train("digits", "digits", epochs=1)
    torch.manual_seed(0)
    net = Gan()
    found["gan"] = ts.fit(
        net,
        torch.randn(64, 1),
        optimizer={
            "generator": torch.optim.Adam(net.generator.parameters()),
            "discriminator": torch.optim.Adam(net.discriminator.parameters()),
        },
        step=gan_step,
        epochs=3,
        out=folder / "gan",
        quiet=True,
    )
    X, y = np.float32(features), np.int64(kinds)
    found["alone"] = ts.fit(
        nn.Linear(4, 3),
        (X, y),
        loss=nn.CrossEntropyLoss(),
        optimizer=torch.optim.Adam,
        epochs=2,
        out=folder / "alone",
        quiet=True,
    )
    return found
