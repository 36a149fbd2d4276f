"""One batch before the first step: mistakes told, correct programs left alone, nothing left behind."""

from __future__ import annotations

import copy
import functools
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from torchstone.data.batches import Batch
from torchstone.errors import ConfigError, PreflightError
from torchstone.task import Task
from torchstone.training.objective import Objective
from torchstone.training.preflight import initialise_lazy, preflight

X = torch.randn(16, 4, generator=torch.Generator().manual_seed(0))
Y = torch.arange(16) % 3
V = X.sum(1, keepdim=True)
YES = (V > 0).float()


def run(net: nn.Module, loss: Any, truth: Any = V, inputs: Any = X, **options: Any) -> list[Any]:
    objective = loss if isinstance(loss, Objective) else Objective(loss)
    objective.prepare(net, torch.device("cpu"))
    weights = options.pop("weights", None)
    return preflight(net, Batch(inputs, truth, weights), options.pop("task", None), objective, **options)


def fails(code: str, *args: Any, **options: Any) -> str:
    with pytest.raises(PreflightError) as caught:
        run(*args, **options)
    assert [finding.code for finding in caught.value.findings] == [code], str(caught.value)
    assert f"\n\n{code} " in caught.value.message
    assert "\nFix: " in caught.value.message
    return caught.value.message


class Net(nn.Module):
    def __init__(self, function: Any, outputs: int = 3, inputs: int = 4) -> None:
        super().__init__()
        self.layer = nn.Linear(inputs, outputs)
        self.function = function

    def forward(self, inputs: Any) -> Any:
        return self.function(self.layer(inputs))


def test_the_message_is_readable() -> None:
    text = fails("TS306", nn.Linear(4, 1), nn.MSELoss(), V[:, 0])
    assert text.startswith("A mistake was found on one batch, before the first step.\n\n")
    assert (
        "TS306 broadcast-loss: MSELoss compares every output with every target, not each with its own: "
        "outputs (16, 1), targets (16,)." in text
    )
    assert text.endswith("targets.unsqueeze(-1).")


def test_several_mistakes_are_told_at_once() -> None:
    net = nn.Sequential(nn.Linear(4, 2), nn.Softmax(dim=1))
    with pytest.raises(PreflightError, match=r"^2 mistakes were found") as caught:
        run(net, nn.CrossEntropyLoss(), Y)
    assert [finding.code for finding in caught.value.findings] == ["TS308", "TS301"]


WRONG: list[tuple[str, nn.Module, Any, Tensor]] = [
    ("TS306", nn.Linear(4, 1), nn.L1Loss(), V[:, 0]),
    ("TS306", nn.Linear(4, 1), F.smooth_l1_loss, V[:, 0]),
    ("TS306", nn.Linear(4, 1), lambda o, t: F.mse_loss(o, t), V[:, 0]),
    ("TS306", nn.Linear(4, 1), lambda o, t: ((o - t) ** 2).mean(), V[:, 0]),
    ("TS306", nn.Linear(4, 1), lambda o, t: (t - o).abs().mean(), V[:, 0]),
    ("TS306", Net(lambda o: o.squeeze(1), 1), nn.MSELoss(), V),
    ("TS306", nn.Linear(4, 1), nn.BCEWithLogitsLoss(), YES[:, 0]),
    ("TS316", nn.Linear(4, 2), nn.BCEWithLogitsLoss(), YES),
    ("TS316", nn.Linear(4, 3), nn.MSELoss(), torch.zeros(16, 2)),
    ("TS316", nn.Linear(4, 3), nn.CrossEntropyLoss(), Y[:, None]),
    ("TS307", nn.Linear(4, 3), nn.CrossEntropyLoss(), Y.float()),
    ("TS307", nn.Linear(4, 3), nn.CrossEntropyLoss(), Y.int()),
    ("TS307", nn.Linear(4, 3), nn.CrossEntropyLoss(), F.one_hot(Y)),
    ("TS307", nn.Linear(4, 3), nn.CrossEntropyLoss(), Y[:, None].float()),
    ("TS307", nn.Linear(4, 1), nn.BCEWithLogitsLoss(), YES.long()),
    ("TS307", nn.Linear(4, 1), nn.HuberLoss(), V.double()),
    ("TS307", Net(torch.sigmoid, 1), nn.BCELoss(), YES.double()),
    ("TS308", nn.Linear(4, 2), nn.CrossEntropyLoss(), Y),
    ("TS308", nn.Linear(4, 1), nn.CrossEntropyLoss(), Y),
    ("TS308", nn.Linear(4, 3), nn.CrossEntropyLoss(), Y + 1),
    ("TS308", nn.Linear(4, 3), functools.partial(F.cross_entropy, ignore_index=2), Y - 1),
    ("TS308", nn.Linear(4, 1), nn.BCEWithLogitsLoss(), YES * 2 - 1),
    ("TS301", Net(lambda o: o.softmax(1)), nn.CrossEntropyLoss(), Y),
    ("TS301", Net(lambda o: o.softmax(1).view(16, 3)), nn.CrossEntropyLoss(), Y),
    ("TS301", Net(torch.sigmoid), nn.CrossEntropyLoss(), Y),
    ("TS302", Net(torch.sigmoid, 1), nn.BCEWithLogitsLoss(), YES),
    ("TS303", nn.Linear(4, 1), nn.BCELoss(), YES),
    ("TS303", Net(lambda o: o.clamp(1e-6, 1 - 1e-6), 1), nn.BCELoss(), YES),
    ("TS304", nn.Linear(4, 3), nn.NLLLoss(), Y),
    ("TS304", Net(lambda o: o.softmax(1)), nn.NLLLoss(), Y),
    ("TS107", Net(torch.detach, 1), nn.MSELoss(), V),
    ("TS107", Net(lambda o: o.argmax(1, keepdim=True).float()), nn.MSELoss(), V),
    ("TS601", Net(lambda o: (o - o).log() * 0, 1), nn.MSELoss(), V),
    ("TS601", nn.Linear(4, 1), nn.MSELoss(), V * float("nan")),
    ("TS504", nn.Linear(4, 1).requires_grad_(False), nn.MSELoss(), V),
]


@pytest.mark.parametrize(
    ("code", "net", "loss", "targets"), WRONG, ids=[f"{i}-{row[0]}" for i, row in enumerate(WRONG)]
)
def test_mistakes_between_model_loss_and_targets(
    code: str, net: nn.Module, loss: Any, targets: Tensor
) -> None:
    if code == "TS504":  # nothing can learn, and so the loss reaches nothing that could
        with pytest.raises(PreflightError, match="TS504"):
            run(net, loss, targets)
    else:
        fails(code, net, loss, targets)


def pinball(outputs: Tensor, targets: Tensor) -> Tensor:
    levels, errors = torch.tensor([0.1, 0.5, 0.9]), targets - outputs
    return torch.maximum(levels * errors, (levels - 1) * errors).mean()


def contrast(outputs: Tensor, targets: Tensor) -> Tensor:
    same = (targets[:, None] == targets[None, :]).float()
    return F.mse_loss(outputs @ outputs.T, same)


class Ensemble(nn.Module):
    members = 4

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4 * outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = self.layer(inputs).unflatten(1, (4, -1))
        return outputs if self.training else outputs.mean(1)


class Rechecked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        return checkpoint(self.layer, inputs.requires_grad_(), use_reentrant=True)


PICTURES, MASKS = torch.randn(2, 3, 6, 6), torch.randint(0, 5, (2, 6, 6))
IGNORED = torch.full((16,), -100)
RIGHT: list[tuple[nn.Module, Any, Any, Any]] = [
    (nn.Linear(4, 3), pinball, V, X),
    (nn.Linear(4, 3), contrast, Y, X),
    (nn.Linear(4, 3), nn.MSELoss(), torch.zeros(16, 3), X),
    (nn.Linear(4, 3), nn.MSELoss(), torch.zeros(16, 3).long(), X),
    (Net(lambda o: o.squeeze(1), 1), nn.MSELoss(), V[:, 0], X),
    (nn.Linear(4, 1), nn.MSELoss(), V[:1, 0], X[:1]),
    (nn.Linear(4, 3), nn.MSELoss(), torch.zeros(1, 3), X),
    (nn.Linear(4, 1), lambda o, t: (o[:, 0] - t).abs(), V[:, 0], X),
    (nn.Linear(4, 3), nn.CrossEntropyLoss(), torch.full((16, 3), 1 / 3), X),
    (nn.Linear(4, 3), nn.CrossEntropyLoss(weight=torch.ones(3), label_smoothing=0.1), Y, X),
    (nn.Linear(4, 3), nn.CrossEntropyLoss(), torch.where(Y == 2, -100, Y), X),
    (nn.Linear(4, 3), nn.CrossEntropyLoss(), IGNORED, X),
    (nn.Linear(4, 3), nn.CrossEntropyLoss(ignore_index=9), torch.where(Y == 2, 9, Y), X),
    (nn.Linear(4, 3), nn.CrossEntropyLoss(), Y.byte(), X),
    (nn.Linear(4, 9), nn.CrossEntropyLoss(), Y, X),
    (Net(lambda o: o.log_softmax(1)), nn.CrossEntropyLoss(), Y, X),
    (Net(lambda o: o.softmax(1) * 5), nn.CrossEntropyLoss(), Y, X),
    (Net(lambda o: o.log_softmax(1)), nn.NLLLoss(), Y, X),
    (Net(lambda o: (o.softmax(1) + 1e-6).log()), nn.NLLLoss(), Y, X),
    (Net(torch.sigmoid, 1), nn.BCELoss(), YES, X),
    (Net(lambda o: o.sigmoid().clamp(1e-6, 1 - 1e-6), 1), nn.BCELoss(), YES, X),
    (nn.Linear(4, 1), nn.BCEWithLogitsLoss(), YES * 0.9, X),
    (Net(lambda o: o.sigmoid() * 3, 1), nn.BCEWithLogitsLoss(), YES, X),
    (Net(torch.sigmoid, 1), nn.MSELoss(), V, X),
    (nn.Conv2d(3, 5, 1), nn.CrossEntropyLoss(), MASKS, PICTURES),
    (
        nn.Sequential(nn.Embedding(7, 3), nn.Flatten(), nn.Linear(6, 3)),
        nn.CrossEntropyLoss(),
        Y,
        Y[:, None] + torch.arange(2),
    ),
    (Ensemble(3), nn.CrossEntropyLoss(), Y, X),
    (Ensemble(1), nn.MSELoss(), V, X),
    (Rechecked(), nn.MSELoss(), V, X),
    (Net(lambda o: o.masked_fill(torch.arange(3) == 1, -torch.inf)), nn.CrossEntropyLoss(), Y * 0, X),
    (nn.LSTM(4, 3), lambda o, t: F.cross_entropy(o[0], t), Y, X),
    (nn.Linear(4, 3), lambda o, t: F.cross_entropy(o, t["label"]), {"label": Y}, X),
    (nn.Linear(4, 3), nn.MultiMarginLoss(), Y, X),
    (nn.Linear(4, 3), nn.KLDivLoss(), torch.full((16, 3), 1 / 3), X),
    (nn.Linear(4, 3, dtype=torch.float64), nn.CrossEntropyLoss(), Y, X.double()),
]


@pytest.mark.parametrize(("net", "loss", "targets", "inputs"), RIGHT, ids=range(len(RIGHT)))
def test_correct_programs_are_left_alone(net: nn.Module, loss: Any, targets: Any, inputs: Any) -> None:
    optimizer = torch.optim.Adam(net.parameters())
    assert run(net, loss, targets, inputs, optimizers=[optimizer]) == []


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (
            nn.CrossEntropyLoss(label_smoothing=5.0),
            r"CrossEntropyLoss\(label_smoothing=5.0\) .* between 0.0 and",
        ),
        (nn.HuberLoss(delta=-1.0), r"HuberLoss\(delta=-1.0\) .* non-positive"),
    ],
)
def test_values_that_a_loss_of_torch_does_not_take_are_named(loss: nn.Module, words: str) -> None:
    targets = torch.zeros(8, 3) if isinstance(loss, nn.HuberLoss) else torch.zeros(8, dtype=torch.int64)
    with pytest.raises(ConfigError, match=words):
        run(nn.Linear(4, 3), loss, targets, torch.randn(8, 4))


def test_sample_weights_are_part_of_the_trial() -> None:
    assert run(nn.Linear(4, 3), nn.CrossEntropyLoss(), Y, weights=torch.ones(16)) == []


WRONG_INPUTS: list[tuple[str, nn.Module, Any, str]] = [
    (
        "TS316",
        nn.Linear(5, 3),
        X,
        r"net \(Linear\) has a weight of shape \(3, 5\) and got an input of shape \(16, 4\)",
    ),
    ("TS316", nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(9, 1)), X, r"net\.2 \(Linear\).*\(16, 8\)"),
    ("TS316", nn.Linear(16, 1), torch.zeros(2, 1, 4, 4), r"nn\.Flatten"),
    ("TS316", nn.Conv2d(1, 2, 3), torch.zeros(4, 8, 8), r"unsqueeze\(1\)"),
    ("TS316", nn.Conv2d(3, 2, 3), torch.zeros(4, 8, 8, 3), r"movedim\(-1, 1\)"),
    ("TS316", nn.Conv2d(3, 2, 3), torch.zeros(4, 1, 8, 8), r"nn\.Conv2d\(1, 2, 3\)"),
    ("TS316", nn.Conv2d(3, 2, 3), torch.zeros(4, 3, 2, 2), r"smaller kernel"),
    ("TS316", nn.BatchNorm1d(5), X, r"BatchNorm1d\(4\)"),
    ("TS316", nn.LSTM(5, 3), X, r"input_size 4"),
    ("TS316", nn.Embedding(3, 2), torch.tensor([3]), r"from 0 to 2"),
    ("TS316", Net(lambda o: o.view(16, 7)), X, r"net \(Net\) fails on an input of shape \(16, 4\)"),
    (
        "TS317",
        nn.Linear(4, 1),
        X.double(),
        r"wants inputs of dtype float32 and got float64.*\n.*\n.*inputs\.float\(\)",
    ),
    ("TS317", nn.Linear(4, 1), X.long(), r"got int64"),
    ("TS317", nn.Conv2d(1, 2, 3), torch.ones(4, 1, 8, 8).byte(), r"got uint8"),
    ("TS317", nn.Embedding(3, 2), X, r"inputs\.long\(\)"),
    ("TS317", nn.LSTM(4, 3), X.double(), r"float64"),
    ("TS414", nn.BatchNorm1d(4), X[:1], r"more than one value per channel"),
    ("TS601", nn.Linear(4, 1), torch.full((16, 4), torch.nan), r"64 numbers of the inputs"),
    (
        "TS601",
        nn.Sequential(nn.Linear(4, 1), nn.ReLU(), Net(lambda o: (-1 - o.abs()).log(), 1, 1)),
        X,
        r"net\.2 \(Net\) makes NaN",
    ),
    ("TS708", nn.Linear(4, 1), X.to("meta"), "meta"),
]


@pytest.mark.parametrize(
    ("code", "net", "inputs", "words"),
    WRONG_INPUTS,
    ids=[f"{i}-{row[0]}" for i, row in enumerate(WRONG_INPUTS)],
)
def test_mistakes_between_model_and_inputs(code: str, net: nn.Module, inputs: Any, words: str) -> None:
    torch.manual_seed(0)
    with pytest.raises(PreflightError, match=words) as caught:
        run(net, nn.MSELoss(), V, inputs)
    assert [finding.code for finding in caught.value.findings] == [code]


def test_an_error_of_the_users_own_code_is_raised_as_it_is() -> None:
    def broken(_: Any) -> Any:
        return {}["missing"]

    with pytest.raises(KeyError, match="missing"):
        run(Net(broken), nn.MSELoss())
    with pytest.raises(ZeroDivisionError):
        run(nn.Linear(4, 1), lambda o, t: 1 / 0)


@pytest.mark.parametrize("as_array", [True, False])
def test_a_wrong_label_anywhere_in_the_training_rows_is_found(as_array: bool) -> None:
    labels = torch.cat([Y, torch.tensor([7])])
    fails("TS308", nn.Linear(4, 3), nn.CrossEntropyLoss(), Y, targets=labels.numpy() if as_array else labels)
    assert run(nn.Linear(4, 3), nn.CrossEntropyLoss(ignore_index=7), Y, targets=labels) == []
    assert run(nn.Linear(4, 1), nn.MSELoss(), V, targets=np.zeros((20, 1))) == []


def test_more_outputs_than_the_task_has_classes() -> None:
    task = Task("multiclass", ("kind",), ("a", "b", "c"))
    assert run(nn.Linear(4, 3), nn.CrossEntropyLoss(), Y, task=task) == []
    fails("TS316", nn.Linear(4, 5), nn.CrossEntropyLoss(), Y, task=task)


def test_optimizers_that_train_something_else() -> None:
    net, other = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1)), nn.Linear(2, 2)
    twin = copy.deepcopy(net)
    fails("TS502", net, nn.MSELoss(), optimizers=[torch.optim.Adam(other.parameters())])
    fails("TS503", net, nn.MSELoss(), optimizers=[torch.optim.Adam(twin.parameters())])
    stale = torch.optim.Adam(net.parameters())
    net[1] = nn.Linear(4, 1)
    (warning,) = run(net, nn.MSELoss(), optimizers=[stale])
    assert (warning.code, warning.severity) == ("TS503", "warning")
    assert "1.weight" in warning.message
    assert run(net, nn.MSELoss(), optimizers=[torch.optim.Adam(net[1].parameters())]) == []


def test_with_a_step_of_ones_own_nothing_is_run() -> None:
    def forbidden(*_: Any) -> Any:
        raise AssertionError("was run")

    assert run(Net(forbidden), Objective(step=forbidden)) == []
    fails("TS504", Net(forbidden).requires_grad_(False), Objective(step=forbidden))


class Traceable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
        self.register_buffer("count", torch.zeros(()), persistent=False)
        self.seen: Any = None

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen = inputs
        self.extra = inputs
        self.count = self.count + 1
        np.random.rand()
        return self.layers(inputs.mul_(2))


@pytest.mark.parametrize("targets", [V, V[:, 0], V * torch.nan], ids=["right", "wrong", "nan"])
def test_no_trace_is_left(targets: Tensor) -> None:
    net, inputs = Traceable(), X.clone()
    net.layers[1].eval()
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    gradients = [parameter.grad for parameter in net.parameters()]
    before = copy.deepcopy(net)
    attributes, objects = set(vars(net)), list(net.parameters())
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index,union-attr]
    try:
        run(net, nn.MSELoss(), targets, inputs)
    except PreflightError:
        assert targets is not V
    assert all(torch.equal(a, b) for a, b in zip(net.buffers(), before.buffers(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), before.parameters(), strict=True))
    assert all(a is b for a, b in zip(net.parameters(), objects, strict=True))
    assert all(p.grad is g and bool((g == 1).all()) for p, g in zip(objects, gradients, strict=True))
    assert [part.training for part in net.modules()] == [part.training for part in before.modules()]
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])  # type: ignore[index]
    assert torch.equal(inputs, X)
    assert set(vars(net)) == attributes
    assert net.seen is None
    assert not torch.nn.modules.module._global_forward_hooks
    assert not torch.nn.modules.module._global_forward_pre_hooks
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in net.modules())


def test_mixed_precision() -> None:
    net, context = nn.Linear(4, 3), torch.autocast("cpu", torch.bfloat16)
    assert run(net, nn.CrossEntropyLoss(), Y, precision=context) == []
    assert run(nn.Linear(4, 1), nn.MSELoss(), V, precision=context) == []
    fails("TS301", Net(lambda o: o.softmax(1)), nn.CrossEntropyLoss(), Y, precision=context)


def test_lazy_layers_get_their_shapes() -> None:
    net = nn.Sequential(nn.LazyLinear(3), nn.LazyBatchNorm1d(), nn.Dropout(), nn.LazyLinear(1))
    initialise_lazy(net, X)
    assert net[0].weight.shape == (3, 4)
    assert net.training
    assert not net[1].running_mean.any()
    assert run(net, nn.MSELoss(), V, optimizers=[torch.optim.Adam(net.parameters())]) == []


def test_lazy_layers_before_one_that_refuses() -> None:
    with pytest.raises(PreflightError, match=r"TS316.*net\.1 \(Linear\)"):
        initialise_lazy(nn.Sequential(nn.LazyLinear(3), nn.Linear(4, 1)), X)


def test_other_modules_are_not_run_for_their_shapes() -> None:
    initialise_lazy(Net(None), X)
