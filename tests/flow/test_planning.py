"""What the configuration leaves open is filled in from the model's recipe."""

from __future__ import annotations

from typing import Any

import pytest

from torchstone.config import from_options
from torchstone.flow.planning import resolve
from torchstone.models import build
from torchstone.task import InputSpec, Task

TASK = Task("binary", ("y",), ("no", "yes"))
SPEC = InputSpec((3,), numeric=3, edges=((-1.0, 0.0, 1.0), (), ()))


def resolved(rows: int = 300, **asked: Any) -> Any:
    return resolve(from_options(asked), TASK, SPEC, rows)


def test_what_is_open_comes_from_the_recipe() -> None:
    config = resolved()
    recipe = build.recipe("tabm", TASK, 300)
    assert config.model.model == "tabm"
    assert {key: getattr(config.training, key) for key in recipe} == recipe


def test_what_was_asked_for_stays() -> None:
    config = resolved(model="mlp", lr=0.5, epochs=3, batch_size=7)
    assert (config.model.model, config.training.lr) == ("mlp", 0.5)
    assert (config.training.epochs, config.training.batch_size) == (3, 7)


@pytest.mark.parametrize("asked", [{"patience": 5}, {"monitor": "roc_auc"}])
def test_who_asks_for_a_best_epoch_gets_it(asked: dict[str, Any]) -> None:
    assert resolved().training.keep == "last"
    assert resolved(**asked).training.keep == "best"
    assert resolved(**asked, keep="last").training.keep == "last"
