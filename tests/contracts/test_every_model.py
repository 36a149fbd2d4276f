"""What every model on the shelf must do; a new file is held to it by being there."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchstone.config import TrainingConfig
from torchstone.models.build import build_model, families, family, recipe
from torchstone.task import InputSpec, Task

EDGES = tuple(np.quantile(np.linspace(-2, 2, 1000), np.linspace(0, 1, 17)).tolist())
SPECS = {
    "table": InputSpec((8,), numeric=3, categories=(2, 3), edges=(EDGES, EDGES, ())),
    "numbers": InputSpec((64,)),
    "grey picture": InputSpec((1, 28, 28)),
    "small picture": InputSpec((1, 8, 8)),
    "colour picture": InputSpec((3, 32, 32)),
}
TASKS = {
    "binary": (Task("binary", ("y",), ("no", "yes")), 2),
    "binary, one output": (Task("binary", ("y",), ("no", "yes")), 1),
    "multiclass": (Task("multiclass", ("y",), ("a", "b", "c")), 3),
    "multilabel": (Task("multilabel", ("a", "b"), ("a", "b")), 2),
    "regression": (Task("regression", ("y",)), 1),
    "two numbers": (Task("regression", ("y", "z")), 2),
}
TAKEN = [
    pytest.param(name, spec, id=f"{name}-{words}")
    for name in families()
    for words, spec in SPECS.items()
    if family(name).accepts(spec) is None
]


def made(name: str, spec: InputSpec, task: Task, outputs: int) -> nn.Module:
    torch.manual_seed(0)
    return build_model(name, task, spec, outputs)


@pytest.mark.parametrize("name", families())
def test_it_is_described_in_one_line(name: str) -> None:
    description = (family(name).__doc__ or "").strip().splitlines()[0]
    assert description.endswith(".")
    assert 20 < len(description) <= 108


@pytest.mark.parametrize("name", families())
def test_its_recipe_is_a_training_configuration(name: str) -> None:
    assert {"epochs", "lr", "optimizer"} <= set(family(name).RECIPE)
    for task, _ in TASKS.values():
        for rows in (1, 300, 50_000):
            values = recipe(name, task, rows)
            assert set(values) <= set(TrainingConfig.model_fields)
            TrainingConfig.model_validate(values)


@pytest.mark.parametrize("name", families())
def test_it_takes_some_of_these_inputs_and_says_why_not_of_others(name: str) -> None:
    reasons = [family(name).accepts(spec) for spec in SPECS.values()]
    assert None in reasons
    assert all(reason for reason in reasons if reason is not None)


@pytest.mark.parametrize(("name", "spec"), TAKEN)
@pytest.mark.parametrize("words", TASKS)
def test_it_gives_outputs_for_every_task(name: str, spec: InputSpec, words: str) -> None:
    task, outputs = TASKS[words]
    net = made(name, spec, task, outputs)
    inputs = torch.randn(3, *spec.shape)
    assert net.eval()(inputs).shape == (3, outputs)
    members = getattr(net, "members", None)
    trained = net.train()(inputs)
    assert trained.shape == ((3, outputs) if members is None else (3, members, outputs))
    trained.sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


@pytest.mark.parametrize(("name", "spec"), TAKEN)
def test_evaluation_is_deterministic_and_row_by_row(name: str, spec: InputSpec) -> None:
    net = made(name, spec, *TASKS["multiclass"]).eval()
    inputs = torch.randn(5, *spec.shape)
    with torch.no_grad():
        assert torch.equal(net(inputs), net(inputs))
        torch.testing.assert_close(net(inputs[2:3]), net(inputs)[2:3])


@pytest.mark.parametrize(("name", "spec"), TAKEN)
def test_its_weights_go_into_a_new_one(name: str, spec: InputSpec) -> None:
    task, outputs = TASKS["multiclass"]
    first = made(name, spec, task, outputs)
    first.train()(torch.randn(4, *spec.shape))  # moves batch statistics
    second = build_model(name, task, spec, outputs)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(torch.load(file, weights_only=True))
    inputs = torch.randn(4, *spec.shape)
    assert torch.equal(second.eval()(inputs), first.eval()(inputs))


@pytest.mark.parametrize(("name", "spec"), TAKEN)
def test_a_seed_gives_the_same_weights(name: str, spec: InputSpec) -> None:
    first, second = (made(name, spec, *TASKS["binary"]) for _ in range(2))
    assert all(map(torch.equal, first.state_dict().values(), second.state_dict().values()))


def digits(spec: InputSpec) -> tuple[Tensor, Tensor]:
    """Scikit-learn's handwritten digits in the form of a spec."""
    from sklearn.datasets import load_digits

    pictures, labels = load_digits(return_X_y=True)
    inputs = torch.from_numpy(pictures).float().sub(5).div(6).view(-1, *spec.shape)
    mixed = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(0))  # writers come in runs
    return inputs[mixed], torch.from_numpy(labels).long()[mixed]


@pytest.mark.parametrize("name", families())
def test_it_learns_the_digits_in_seconds(name: str) -> None:
    """By its own learning rate in six epochs: at least about what logistic regression reaches (0.96)."""
    candidates = [
        InputSpec((1, 8, 8)),
        InputSpec((64,), numeric=64, edges=tuple([tuple(np.linspace(-1, 2, 9).tolist())] * 64)),
    ]
    spec = next(spec for spec in candidates if family(name).accepts(spec) is None)
    inputs, labels = digits(spec)
    task = Task("multiclass", ("digit",), tuple("0123456789"))
    net = made(name, spec, task, 10)
    optimizer = torch.optim.AdamW(net.parameters(), lr=family(name).RECIPE["lr"])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=6 * 45)
    for _ in range(6):
        for indices in torch.randperm(1440).split(32):
            outputs = net(inputs[indices])
            targets = labels[indices]
            if outputs.ndim == 3:
                targets = targets.repeat_interleave(outputs.shape[1])
            loss = F.cross_entropy(outputs.flatten(0, -2), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        correct = net.eval()(inputs[1440:]).argmax(dim=1) == labels[1440:]
    assert correct.float().mean().item() >= 0.93
