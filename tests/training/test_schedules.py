from __future__ import annotations

import json
import warnings

import pytest
import torch
from torch import nn

from torchstone.errors import ConfigError
from torchstone.training.schedules import Schedule, build_schedule, known_schedules

STEPS, EPOCHS = 5, 8
WORKING = {
    "StepLR": {"step_size": 2},
    "MultiStepLR": {"milestones": [2, 4]},
    "LambdaLR": {"lr_lambda": lambda epoch: 0.9**epoch},
    "MultiplicativeLR": {"lr_lambda": lambda epoch: 0.9},
    "ExponentialLR": {"gamma": 0.5},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.1},
    "CosineAnnealingWarmRestarts": {"T_0": 3},
    "SwapLR": None,
}


def optimizer(lr: float = 0.1, momentum: float = 0.9) -> torch.optim.Optimizer:
    return torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=lr, momentum=momentum)


def rates(schedule: Schedule | None, chosen: torch.optim.Optimizer, first_epoch: int = 0) -> list[float]:
    """The learning rate that each step uses."""
    seen = []
    for epoch in range(first_epoch, EPOCHS):
        for _ in range(STEPS):
            seen.append(chosen.param_groups[0]["lr"])
            chosen.step()
            if schedule is not None:
                schedule.after_step()
        if schedule is not None:
            schedule.after_epoch(1.0 / (epoch + 1) if epoch < 2 else 1.0)
    return seen


def test_none_is_none() -> None:
    assert build_schedule("none", optimizer(), steps_per_epoch=STEPS, epochs=EPOCHS) is None
    assert build_schedule(None, optimizer(), steps_per_epoch=None, epochs=EPOCHS) is None


def test_cosine_with_warmup_rises_then_falls_to_zero() -> None:
    chosen = optimizer()
    seen = rates(build_schedule("cosine", chosen, steps_per_epoch=STEPS, epochs=EPOCHS, warmup=2.0), chosen)
    assert seen[0] == pytest.approx(0.1 / 11)
    assert seen[:11] == sorted(seen[:11])
    assert seen[10] == pytest.approx(0.1)
    assert seen[10:] == sorted(seen[10:], reverse=True)
    assert 0 < seen[-1] < 0.001


def test_one_cycle_runs_over_the_whole_training() -> None:
    chosen = optimizer()
    seen = rates(build_schedule("onecycle", chosen, steps_per_epoch=STEPS, epochs=EPOCHS, warmup=2.0), chosen)
    assert seen[0] == pytest.approx(0.1 / 25)
    assert max(seen) == pytest.approx(0.1, rel=0.02)
    assert abs(seen.index(max(seen)) - 10) <= 1
    assert seen[-1] < 1e-4


@pytest.mark.parametrize(("steps", "epochs", "warmup"), [(5, 2, 2.0), (1, 1, 1.0), (5, 2, 3.0)])
def test_one_cycle_that_only_rises_is_refused(steps: int, epochs: int, warmup: float) -> None:
    with pytest.raises(ConfigError, match=r"warmup: onecycle .* shorter than the training"):
        build_schedule("onecycle", optimizer(), steps_per_epoch=steps, epochs=epochs, warmup=warmup)
    arguments = {"pct_start": 1.0}
    with pytest.raises(ConfigError, match="pct_start"):
        build_schedule("onecycle", optimizer(), steps_per_epoch=steps, epochs=epochs, arguments=arguments)


@pytest.mark.parametrize(
    ("steps", "epochs", "warmup"),
    [(1, 1, 0.0), (1, 1, 0.5), (2, 1, 0.5), (4, 2, 0.25), (3, 2, 1 / 3), (7, 7, 1 / 7), (5, 2, 1.9)],
)
def test_one_cycle_goes_to_its_end(steps: int, epochs: int, warmup: float) -> None:
    chosen = optimizer()
    schedule = build_schedule("onecycle", chosen, steps_per_epoch=steps, epochs=epochs, warmup=warmup)
    assert schedule is not None
    for _ in range(steps * epochs + 1):
        assert 0 <= chosen.param_groups[0]["lr"] <= 0.1
        chosen.step()
        schedule.after_step()


def test_one_cycle_does_not_switch_a_momentum_on() -> None:
    chosen = optimizer(momentum=0.0)
    build_schedule("OneCycleLR", chosen, steps_per_epoch=STEPS, epochs=EPOCHS)
    assert chosen.param_groups[0]["momentum"] == 0


def test_epoch_schedules_move_per_epoch_and_metric_schedules_on_the_value() -> None:
    chosen, length = optimizer(), {"steps_per_epoch": STEPS, "epochs": EPOCHS}
    seen = rates(build_schedule("steplr", chosen, **length, arguments={"step_size": 2}), chosen)
    assert seen[: 2 * STEPS] == [0.1] * (2 * STEPS)
    assert seen[2 * STEPS] == pytest.approx(0.01)
    chosen = optimizer()
    seen = rates(build_schedule("ReduceLROnPlateau", chosen, **length, arguments={"patience": 1}), chosen)
    assert seen[0] == 0.1
    assert seen[-1] == pytest.approx(0.001)
    plateau = build_schedule("reducelronplateau", optimizer(), **length, mode="max")
    assert plateau.scheduler.mode == "max"


def test_cosine_annealing_by_class_spans_the_epochs_and_per_overrides() -> None:
    chosen, length = optimizer(), {"steps_per_epoch": STEPS, "epochs": EPOCHS}
    schedule = build_schedule("CosineAnnealingLR", chosen, **length)
    assert (schedule.per, schedule.scheduler.T_max) == ("epoch", EPOCHS)
    schedule = build_schedule("CosineAnnealingLR", chosen, **length, arguments={"per": "step", "T_max": 7})
    assert (schedule.per, schedule.scheduler.T_max) == ("step", 7)


def test_a_warmup_goes_before_any_schedule() -> None:
    chosen, length = optimizer(), {"steps_per_epoch": STEPS, "epochs": EPOCHS}
    seen = rates(build_schedule("StepLR", chosen, **length, warmup=3, arguments={"step_size": 1}), chosen)
    assert seen[STEPS - 1] == pytest.approx(0.1 * 5 / 16)
    assert seen[STEPS] == pytest.approx(0.01 * 6 / 16)
    assert seen[-1] == pytest.approx(1e-8)
    chosen = optimizer()
    seen = rates(build_schedule("none", chosen, **length, warmup=1), chosen)
    assert seen[STEPS:] == pytest.approx([0.1] * (len(seen) - STEPS))


@pytest.mark.parametrize(
    ("name", "arguments", "warmup"),
    [
        ("cosine", {}, 0),
        ("cosine", {}, 1),
        ("onecycle", {}, 1),
        ("CosineAnnealingLR", {}, 0),
        ("PolynomialLR", {"power": 2.0}, 0),
    ],
)
def test_a_longer_training_goes_on_as_if_it_had_always_been_that_long(
    name: str, arguments: dict, warmup: float
) -> None:
    def build(epochs: int) -> tuple[Schedule, torch.optim.Optimizer]:
        chosen = optimizer()
        schedule = build_schedule(
            name, chosen, steps_per_epoch=5, epochs=epochs, warmup=warmup, arguments=arguments
        )
        assert schedule is not None
        return schedule, chosen

    def run(schedule: Schedule, chosen: torch.optim.Optimizer, epochs: int) -> list[float]:
        seen = []
        for _ in range(epochs):
            for _ in range(5):
                seen.append(chosen.param_groups[0]["lr"])
                chosen.step()
                schedule.after_step()
            schedule.after_epoch(None)
        return seen

    short, first = build(3)
    run(short, first, 3)
    longer, second = build(6)
    second.load_state_dict(first.state_dict())
    longer.load_state_dict(json.loads(json.dumps(short.state_dict())))
    expected = run(*build(6), 6)
    assert run(longer, second, 3) == pytest.approx(expected[15:])


def test_one_cycle_that_is_over_keeps_its_last_rate() -> None:
    chosen = optimizer()
    schedule = build_schedule("onecycle", chosen, steps_per_epoch=5, epochs=3, arguments={"total_steps": 10})
    seen = rates(schedule, chosen)
    assert set(seen[10:]) == {seen[10]}


@pytest.mark.parametrize("name", sorted(known_schedules()))
def test_every_schedule_of_torch_can_be_stopped_and_continued(name: str) -> None:
    arguments = WORKING.get(name, {})
    if name == "none" or arguments is None:
        pytest.skip("nothing to continue")

    def build(chosen: torch.optim.Optimizer) -> Schedule:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = build_schedule(name, chosen, steps_per_epoch=STEPS, epochs=EPOCHS, arguments=arguments)
        assert made is not None
        return made

    chosen = optimizer()
    whole = rates(build(chosen), chosen)

    first = optimizer()
    schedule = build(first)
    for epoch in range(3):
        for _ in range(STEPS):
            first.step()
            schedule.after_step()
        schedule.after_epoch(1.0 / (epoch + 1) if epoch < 2 else 1.0)
    state = json.loads(json.dumps(schedule.state_dict()))
    second = optimizer()
    continued = build(second)
    second.load_state_dict(first.state_dict())
    continued.load_state_dict(state)
    assert rates(continued, second, first_epoch=3) == whole[3 * STEPS :]


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("cosinus", {}, 'Did you mean "cosine"'),
        ("StepLR", {"stepsize": 3}, 'Did you mean "step_size"'),
        ("StepLR", {}, "step_size"),
        ("StepLR", {"step_size": "two", "gamma": "x"}, "is not possible"),
        ("ReduceLROnPlateau", {"factor": 2.0}, "is not possible"),
        ("OneCycleLR", {"pct_start": 3.0}, "is not possible"),
        ("cosine", {"per": "week"}, "per is step"),
        ("SequentialLR", {}, "there is no"),
        ("none", {"gamma": 1}, "scheduler is none"),
    ],
)
def test_what_cannot_be_is_a_config_error(name: str, arguments: dict, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        build_schedule(name, optimizer(), steps_per_epoch=STEPS, epochs=EPOCHS, arguments=arguments)


def test_a_schedule_over_steps_needs_to_know_how_many() -> None:
    with pytest.raises(ConfigError, match="number of steps"):
        build_schedule("onecycle", optimizer(), steps_per_epoch=None, epochs=EPOCHS)


def test_a_users_own_scheduler_object_is_moved_at_its_period() -> None:
    chosen = optimizer()
    schedule = Schedule(torch.optim.lr_scheduler.ExponentialLR(chosen, 0.5))
    assert schedule.per == "epoch"
    assert rates(schedule, chosen)[STEPS] == pytest.approx(0.05)
