"""`ts.fit`, `ts.resume`, `ts.load` and `ts.evaluate` with a module and data of the user's own."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

import torchstone as ts
from torchstone.errors import UsageError

torch.manual_seed(0)
X = torch.randn(300, 10)
Y = (X[:, :3].sum(1) > 0).long()
TRAIN, VAL, TEST = (X[:200], Y[:200]), (X[200:250], Y[200:250]), (X[250:], Y[250:])


class Net(nn.Module):
    """A small net with all that has a state of its own."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layers = nn.Sequential(
            nn.Linear(10, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layers(inputs)


def fit(net: nn.Module | None = None, val: Any = VAL, **asked: Any) -> ts.Run:
    usual = {"loss": nn.CrossEntropyLoss(), "optimizer": torch.optim.Adam, "epochs": 4, "batch_size": 16}
    return ts.fit(net or Net(), TRAIN, val, **{"quiet": True, **usual, **asked})


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(t, b.state_dict()[name]) for name, t in a.state_dict().items())


def test_net_is_the_same_plain_module_afterwards() -> None:
    net = Net()
    net.layers[1].eval()
    net.layers[0].bias.requires_grad_(False)
    attributes, keys = set(vars(net)), list(net.state_dict())
    run = fit(net, average="ema", clip=1.0, accumulate=2)
    assert run.module is net
    assert type(net) is Net
    assert set(vars(net)) == attributes
    assert list(net.state_dict()) == keys
    for part in net.modules():
        assert [*part._forward_hooks, *part._forward_pre_hooks, *part._backward_hooks] == []
    assert net.training
    assert not net.layers[1].training
    frozen = [name for name, parameter in net.named_parameters() if not parameter.requires_grad]
    assert frozen == ["layers.0.bias"]
    assert all(parameter.grad is None for parameter in net.parameters())


def test_nothing_is_written_without_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = fit()
    ts.evaluate(run, "val")
    assert list(tmp_path.iterdir()) == []
    assert run.path is None
    with pytest.raises(ts.RunError, match="out="):
        run.directory()


def test_a_kept_run_is_complete(tmp_path: Path) -> None:
    run = fit(out=tmp_path / "run")
    names = {path.name for path in run.directory().iterdir()}
    assert {"config.toml", "manifest.json", "metrics.jsonl", "findings.json", "report.html"} <= names
    assert {"model.safetensors", "checkpoints", "evaluations"} <= names
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["status"] == "finished"
    assert manifest["kind"] == "fit"
    assert manifest["meaning"] == {"targets": "classes", "outputs": "logits", "ignore_index": -100}
    assert manifest["split"] == {"train": 200, "val": 50}
    weights = load_file(tmp_path / "run" / "model.safetensors")
    assert all(torch.equal(weights[name], tensor) for name, tensor in run.module.state_dict().items())
    with pytest.raises(ts.RunError):
        fit(out=tmp_path / "run")
    fit(out=tmp_path / "run", force=True)


def test_history_is_a_frame_and_plot_a_figure() -> None:
    run = fit()
    assert isinstance(run.history, pl.DataFrame)
    assert run.history["epoch"].to_list() == [1, 2, 3, 4]
    assert {"step", "train_loss", "val_loss", "val_accuracy", "lr", "seconds"} <= set(run.history.columns)
    from matplotlib.figure import Figure

    assert isinstance(run.plot(), Figure)


def test_predict_gives_the_outputs_of_the_module() -> None:
    run = fit()
    expected = run.module.eval()(TEST[0])
    run.module.train()
    assert torch.allclose(run.predict(TEST[0]), expected, atol=1e-6)
    assert torch.allclose(run.predict(TEST[0].double().numpy()), expected, atol=1e-6)
    assert run.module.training


def test_the_best_epoch_is_kept_and_patience_stops() -> None:
    run = fit(optimizer=lambda p: torch.optim.SGD(p, 3.0), epochs=60, patience=2)
    losses = run.history["val_loss"].to_list()
    assert len(losses) < 60
    assert losses.index(min(losses)) == len(losses) - 3
    assert run.best["epoch"] == losses.index(min(losses)) + 1
    with torch.no_grad():
        loss = nn.functional.cross_entropy(run.module.eval()(VAL[0]), VAL[1])
    assert loss.item() == pytest.approx(min(losses), rel=1e-5)


def test_keep_last_and_without_validation() -> None:
    last = fit(keep="last", epochs=3)
    assert last.best == last.records[-1]
    without = fit(val=None, epochs=3)
    assert "val_loss" not in without.history.columns
    assert without.best == without.records[-1]


def test_a_seed_repeats_and_another_does_not() -> None:
    first, again, other = (fit(seed=seed, deterministic=True).module for seed in (5, 5, 6))
    assert same(first, again)
    assert not same(first, other)


def test_callbacks_see_every_step_and_epoch() -> None:
    seen: list[str] = []

    class Watch(ts.Callback):
        def on_start(self, context: Any) -> None:
            seen.append("start")

        def on_step(self, context: Any) -> None:
            seen.append("step")

        def on_epoch_end(self, context: Any, record: dict[str, Any]) -> None:
            seen.append("epoch")

        def on_end(self, context: Any, error: BaseException | None) -> None:
            seen.append("end")

    fit(epochs=2, callbacks=[Watch()])
    assert seen == ["start", *["step"] * 13, "epoch", *["step"] * 13, "epoch", "end"]


def test_evaluation_on_validation_and_on_new_data(tmp_path: Path) -> None:
    run = fit(out=tmp_path / "run")
    val = ts.evaluate(run, "val")
    assert val.metrics == run.metrics
    right = (run.predict(VAL[0]).argmax(1) == VAL[1]).double().mean()
    assert val.metrics["accuracy"]["value"] == pytest.approx(right.item())
    test = ts.evaluate(run, data=TEST)
    assert test.rows == 50
    assert (tmp_path / "run" / "evaluations" / "test.json").exists()
    assert len(json.loads((tmp_path / "run" / "manifest.json").read_text())["test_readings"]) == 1
    with pytest.raises(ts.DataError, match="knows only what it was given"):
        ts.evaluate(run, "test")


def test_a_run_from_disk_knows_what_its_outputs_mean(tmp_path: Path) -> None:
    run = fit(out=tmp_path / "run")
    loaded = ts.load(tmp_path / "run", net=Net())
    assert same(loaded.module, run.module)
    assert not loaded.module.training
    assert loaded.metrics == run.metrics
    assert loaded.history.equals(run.history)
    assert loaded.best == run.best
    expected = ts.evaluate(run, data=TEST).metrics
    assert ts.evaluate(loaded, data=TEST).metrics == expected
    assert ts.evaluate(tmp_path / "run", net=Net(), data=TEST).metrics == expected
    with pytest.raises(ts.RunError, match="net=net"):
        ts.load(tmp_path / "run")
    with pytest.raises(ts.RunError, match="do not fit"):
        ts.load(tmp_path / "run", net=nn.Linear(10, 2))
    with pytest.raises(ts.DataError, match="knows only what it was given"):
        ts.evaluate(tmp_path / "run", "val", net=Net())


def test_a_run_from_disk_in_another_process(tmp_path: Path) -> None:
    run = fit(out=tmp_path / "run")
    torch.save(TEST, tmp_path / "test.pt")
    program = f"""
import json, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import torch, torchstone as ts
from tests.test_fitting import Net
evaluation = ts.evaluate({str(tmp_path / "run")!r}, net=Net(), data=torch.load({str(tmp_path / "test.pt")!r}))
print(json.dumps(evaluation.metrics))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(result.stdout) == ts.evaluate(run, data=TEST).metrics


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), lambda outputs, targets: outputs.square().mean()])
def test_the_report_has_curves_always_and_metrics_where_the_task_is_known(tmp_path: Path, loss: Any) -> None:
    run = fit(loss=loss, out=tmp_path / "run")
    report = (tmp_path / "run" / "report.html").read_text()
    known = isinstance(loss, nn.Module)
    assert "<svg" in report
    assert ("Metrics with 95 % intervals" in report) == known
    assert ("val" in run.evaluations) == known
    assert "net=net" in report  # what to do with it is told in Python
    assert "torchstone evaluate" not in report
    if known:
        ts.evaluate(run, data=TEST)
        assert "Results on 50 test rows" in (tmp_path / "run" / "report.html").read_text()


def test_a_step_of_ones_own_has_a_report_too(tmp_path: Path) -> None:
    def step(net: nn.Module, batch: Any, context: Any) -> Tensor:
        inputs, targets = batch
        return nn.functional.cross_entropy(net(inputs), targets)

    run = fit(loss=None, step=step, out=tmp_path / "run")
    assert run.history["val_loss"].len() == 4
    assert "<svg" in (tmp_path / "run" / "report.html").read_text()
    with pytest.raises(ts.ConfigError, match="not known"):
        ts.evaluate(run, "val")


def test_a_finished_run_trains_longer(tmp_path: Path) -> None:
    whole = fit(epochs=6, deterministic=True)
    fit(epochs=3, deterministic=True, out=tmp_path / "run")
    objects = {"train": TRAIN, "val": VAL, "loss": nn.CrossEntropyLoss(), "optimizer": torch.optim.Adam}
    longer = ts.resume(tmp_path / "run", net=Net(), epochs=6, quiet=True, **objects)
    assert same(longer.module, whole.module)
    assert longer.history["val_loss"].to_list() == whole.history["val_loss"].to_list()


def test_resume_says_which_objects_are_missing(tmp_path: Path) -> None:
    fit(epochs=1, out=tmp_path / "run")
    objects = {"train": TRAIN, "val": VAL, "loss": nn.CrossEntropyLoss(), "optimizer": torch.optim.Adam}
    for missing in objects:
        given = {name: value for name, value in objects.items() if name != missing}
        with pytest.raises(ts.RunError, match=f"not on disk: {missing}"):
            ts.resume(tmp_path / "run", net=Net(), **given)
    with pytest.raises(ts.RunError, match="not on disk: net, train, optimizer, loss, val"):
        ts.resume(tmp_path / "run")
    with pytest.raises(ts.ConfigError, match='Did you mean "optimizer"'):
        ts.resume(tmp_path / "run", net=Net(), optimiser=torch.optim.Adam)
    with pytest.raises(ts.RunError, match="does not fit"):
        ts.resume(tmp_path / "run", net=nn.Linear(10, 2), epochs=2, **objects)


def twice_the_loss(net: nn.Module, batch: Any, context: Any) -> Tensor:
    inputs, targets = batch
    return 2 * nn.functional.cross_entropy(net(inputs), targets)


def spread(outputs: Tensor, targets: Tensor) -> float:
    return float(outputs.std())


def test_resume_asks_for_the_step_and_the_scheduler_that_a_run_was_made_with(tmp_path: Path) -> None:
    def scheduler(optimizer: Any) -> Any:
        return torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)

    own = {"step": twice_the_loss, "scheduler": scheduler}
    fit(loss=None, epochs=1, out=tmp_path / "run", **own)
    objects = {"train": TRAIN, "val": VAL, "optimizer": torch.optim.Adam}
    with pytest.raises(ts.RunError) as caught:
        ts.resume(tmp_path / "run", net=Net(), epochs=2, loss=nn.CrossEntropyLoss(), **objects)
    assert "not on disk: step (twice_the_loss), scheduler." in caught.value.message
    assert "net=..., step=..., scheduler=..." in str(caught.value.hint)
    resumed = ts.resume(tmp_path / "run", net=Net(), epochs=2, quiet=True, **objects, **own)
    assert len(resumed.records) == 2


def test_metrics_beside_a_step_are_refused_and_its_loss_is_validated() -> None:
    with pytest.raises(ts.ConfigError, match="a step of your own does not give"):
        fit(loss=None, step=twice_the_loss, metrics=["accuracy"])
    both = fit(loss=nn.CrossEntropyLoss(), step=twice_the_loss, epochs=1)
    assert both.history["val_loss"].null_count() == 0


def test_resume_asks_for_the_metrics_of_ones_own(tmp_path: Path) -> None:
    fit(epochs=1, out=tmp_path / "run", metrics={"spread": spread})
    objects = {"train": TRAIN, "val": VAL, "loss": nn.CrossEntropyLoss(), "optimizer": torch.optim.Adam}
    with pytest.raises(ts.RunError, match=r"not on disk: metrics \(spread\)\."):
        ts.resume(tmp_path / "run", net=Net(), epochs=2, **objects)
    given = {**objects, "metrics": {"spread": spread}}
    resumed = ts.resume(tmp_path / "run", net=Net(), epochs=2, quiet=True, **given)
    assert resumed.history["val_spread"].null_count() == 0


def test_metrics_that_were_asked_for_by_name_need_not_be_given_again(tmp_path: Path) -> None:
    fit(epochs=1, out=tmp_path / "run", metrics=["f1_macro"])
    objects = {"train": TRAIN, "val": VAL, "loss": nn.CrossEntropyLoss(), "optimizer": torch.optim.Adam}
    resumed = ts.resume(tmp_path / "run", net=Net(), epochs=2, quiet=True, **objects)
    assert resumed.history["val_f1_macro"].null_count() == 0
    assert "val_accuracy" not in resumed.history.columns


PROGRAM = """
import sys
sys.path.insert(0, {root!r})
import time, torch, torchstone as ts
from torch import nn
from tests.test_fitting import Net, TRAIN, VAL

class Slow(ts.Callback):
    def on_step(self, context):
        print(context.state.step, flush=True)
        time.sleep(0.05)

ts.fit(Net(), TRAIN, VAL, loss=nn.CrossEntropyLoss(), optimizer=torch.optim.Adam, epochs=4, batch_size=16,
       scheduler=lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5), deterministic=True,
       out={out!r}, quiet=True, callbacks=[Slow()])
"""


def test_ctrl_c_in_an_epoch_loses_nothing(tmp_path: Path) -> None:
    """A real SIGINT in a process of its own, then resume here: the bits of a run that was never stopped."""
    objects = {
        "loss": nn.CrossEntropyLoss(),
        "optimizer": torch.optim.Adam,
        "scheduler": lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5),
    }
    whole = fit(deterministic=True, **objects)
    run = tmp_path / "run"
    program = PROGRAM.format(root=str(Path(__file__).parents[1]), out=str(run))
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    while int(process.stdout.readline()) < 20:  # in the second of four epochs of 13 steps
        pass
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert "Stopped by SIGINT in epoch 2" in errors
    assert json.loads((run / "manifest.json").read_text())["status"] == "stopped"
    resumed = ts.resume(run, net=Net(), train=TRAIN, val=VAL, quiet=True, **objects)
    assert same(resumed.module, whole.module)
    for column in ("train_loss", "val_loss", "lr"):
        assert resumed.history[column].to_list() == whole.history[column].to_list()
    assert json.loads((run / "manifest.json").read_text())["status"] == "finished"


def test_a_run_that_found_no_room_for_its_last_checkpoint_is_measured_not_trained_again(
    tmp_path: Path,
) -> None:
    """Also where early stopping ended it: the epochs that were planned are no sign of its end."""
    asked = {"optimizer": lambda p: torch.optim.SGD(p, 3.0), "epochs": 60, "patience": 2}
    net, path = Net(), tmp_path / "run"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    class Fill(ts.Callback):
        def on_epoch_end(self, context: Any, record: Any) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (6000, limits[1]))  # the weights have room, no more

    try:
        with pytest.raises(ts.RunError, match="last checkpoint could not be written") as caught:
            fit(net, out=path, callbacks=[Fill()], **asked)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "in memory" not in str(caught.value)
    kept = json.loads((path / "manifest.json").read_text())
    assert kept["status"] == "failed"
    assert kept["epochs"] < 60
    objects = {"train": TRAIN, "val": VAL, "loss": nn.CrossEntropyLoss(), "optimizer": asked["optimizer"]}
    steps: list[int] = []
    watch = type("Watch", (ts.Callback,), {"on_step": lambda self, context: steps.append(context.state.step)})
    run = ts.resume(path, net=Net(), quiet=True, callbacks=[watch()], **objects)
    assert steps == []
    assert same(run.module, net)
    assert run.best == kept["result"]
    assert run.best_epoch == kept["epochs"] - 2
    assert run.metrics["accuracy"]["value"] == pytest.approx(run.best["val_accuracy"])
    assert json.loads((path / "manifest.json").read_text())["status"] == "finished"
    assert (path / "report.html").exists()


def test_divergence_names_the_place_and_keeps_the_history() -> None:
    asked = {"loss": lambda o, t: (o**4).mean(), "optimizer": lambda p: torch.optim.SGD(p, 9.0)}
    with pytest.raises(ts.TrainingError, match=r"became (NaN|infinite) in epoch \d+ at step \d+") as caught:
        fit(nn.Linear(10, 1), val=None, **asked)
    assert "learning rate" in str(caught.value)


def test_max_time_ends_the_training() -> None:
    began = time.monotonic()
    run = fit(epochs=100_000, max_time=0.3)
    assert time.monotonic() - began < 20
    assert 1 <= len(run.records) < 100_000


class Frozen(nn.Linear):
    """A layer that nothing trains."""

    def __init__(self) -> None:
        super().__init__(10, 2)
        self.requires_grad_(False)


class Empty(torch.utils.data.IterableDataset[Any]):
    """Samples that are none."""

    def __iter__(self) -> Any:
        return iter(())


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"metrics": {"loss": lambda o, t: 0.0}}, 'metrics: "loss" is the name of the validation loss'),
        ({"metrics": {"f": 3}}, "metrics: expected functions by name, got 3 for 'f'"),
        ({"metrics": [len]}, "metrics: expected names"),
        ({"metrics": {"f": lambda o: 1.0}}, "metrics: 'f' cannot be called with outputs and targets"),
        ({"monitor": 3}, 'monitor: expected a name such as "val_loss", got 3'),
        ({"out": 3}, "out: expected a folder, got 3"),
        ({"metrics": {"f": lambda o, t: None}}, 'metrics: "f" returned None'),
        ({"metrics": {"f": lambda o, t: "0.5"}}, "metrics: \"f\" returned '0.5'"),
        ({"metrics": {"f": lambda o, t: {"a": 1}}}, 'metrics: "f" returned a dict'),
        ({"metrics": {"f": lambda o, t: o[0]}}, r'metrics: "f" returned a Tensor of shape \(2,\)'),
        ({"loss": nn.CrossEntropyLoss}, r"Give an instance: nn.CrossEntropyLoss\(\)"),
        ({"loss": "CrossEntropyLoss"}, r"loss: .*got 'CrossEntropyLoss'.\nGive nn.CrossEntropyLoss\(\)"),
        ({"loss": lambda o, t: None}, "loss: it returned None"),
        ({"loss": lambda o, t: 1.0}, "loss: it returned a float"),
        ({"batch_size": -1}, "batch_size: .* got -1"),
        ({"batch_size": 2.5}, "batch_size: .* got 2.5"),
        ({"callbacks": [ts.Callback]}, r"callbacks: .*\nGive an instance: Callback\(\)"),
        ({"callbacks": ts.Callback()}, "callbacks: expected a list of callbacks, got a Callback"),
        ({"callbacks": [print]}, "callbacks: expected callbacks"),
        ({"scheduler": "cosine"}, r"scheduler: .*got 'cosine'.\n.*CosineAnnealingLR\(optimizer, T_max"),
        ({"scheduler": torch.optim.lr_scheduler.StepLR}, "scheduler: StepLR needs step_size"),
        ({"scheduler": lambda optimizer: 3}, "scheduler: the function gave int"),
        ({"step": "x"}, "step: expected a function, got 'x'"),
        ({"step": lambda net, batch: 1}, "step: <lambda> cannot be called with net, batch and context"),
        ({"step": lambda net, batch, context, more: 1}, "step: <lambda> cannot be called with net"),
        ({"loss": lambda outputs: outputs.sum()}, "loss: <lambda> cannot be called with outputs and targets"),
        (
            {"loss": partial(F.cross_entropy, smoothing=0.1)},
            'loss: cross_entropy has no argument "smoothing". Did you mean "label_smoothing"',
        ),
        ({"loss": partial(F.cross_entropy, label_smoothing=7.0)}, r"cross_entropy\(label_smoothing=7.0\)"),
        (
            {"loss": partial(F.cross_entropy, weight=torch.ones(5))},
            r"cross_entropy\(weight=<tensor \(5,\) float32>\) is not possible: .*2 classes",
        ),
        (
            {"loss": nn.CrossEntropyLoss(weight=torch.ones(3))},
            r"CrossEntropyLoss\(weight=<tensor \(3,\) float32>\) is not possible: .*2 classes",
        ),
        ({"net": Net}, r"net: Net is a class.*\nGive an instance: Net\("),
        ({"net": 3}, "net: expected a module, got 3"),
        ({"net": Frozen()}, "TS504 everything-frozen: None of the 2 parameters"),
        ({"net": nn.Flatten()}, r"TS504 everything-frozen: net \(Flatten\) has no parameters"),
        ({"val": torch.utils.data.DataLoader(Empty())}, "The validation data gave no batch"),
        ({"val": (X, torch.full((300,), -100))}, "All 300 validation targets are -100"),
    ],
)
def test_what_cannot_be_is_a_usage_error(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        fit(epochs=1, **asked)


def test_labels_that_are_all_ignored_are_refused() -> None:
    with pytest.raises(ts.DataError, match="All 300 training targets are -100"):
        ts.fit(
            Net(),
            (X, torch.full((300,), -100)),
            loss=nn.CrossEntropyLoss(),
            optimizer=torch.optim.Adam,
            epochs=1,
            quiet=True,
        )


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), nn.functional.cross_entropy])
def test_data_without_targets_is_refused_by_a_loss_of_torch(loss: Any) -> None:
    with pytest.raises(ts.DataError, match="The training data has no targets"):
        ts.fit(Net(), X, loss=loss, optimizer=torch.optim.Adam, epochs=1, quiet=True)


def test_data_without_targets_cannot_be_measured() -> None:
    run = fit(epochs=1)
    with pytest.raises(ts.DataError, match="The given data has no targets"):
        ts.evaluate(run, data=X)


def test_predictions_of_a_run_are_those_of_its_module_for_every_kind_of_data() -> None:
    run = fit(epochs=1)
    with torch.no_grad():
        expected = run.module.eval()(X)
    for data in (X, (X, Y), torch.utils.data.TensorDataset(X, Y)):
        assert torch.allclose(run.predict(data), expected, atol=1e-6)


class Unlabelled(torch.utils.data.Dataset[Any]):
    """Samples whose labels count for nothing, which only their loader knows."""

    def __len__(self) -> int:
        return 20

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return X[index], -100


def test_labels_of_a_data_set_that_are_all_ignored_end_the_training() -> None:
    with pytest.raises(ts.DataError, match="No validation sample counts"):
        fit(val=Unlabelled(), epochs=1)
    usual = {"loss": nn.CrossEntropyLoss(), "optimizer": torch.optim.Adam, "epochs": 1, "quiet": True}
    with pytest.raises(ts.DataError, match="No training sample counts"):
        ts.fit(Net(), Unlabelled(), **usual)


def test_one_name_is_a_list_of_one_and_a_metric_may_give_any_number() -> None:
    numbers = {"t": lambda o, t: o.sum(), "a": lambda o, t: o.numpy().mean(), "i": lambda o, t: len(o)}
    assert fit(epochs=1, metrics=numbers).history["val_i"].to_list() == [50.0]
    assert "val_accuracy" in fit(epochs=1, metrics="accuracy").history.columns


def test_another_split_than_those_of_a_run_is_refused() -> None:
    run = fit(epochs=1)
    with pytest.raises(ts.ConfigError, match=r"split: .* got 'train'"):
        ts.evaluate(run, "train")  # type: ignore[arg-type]


def test_a_sum_over_labels_is_told_as_their_mean() -> None:
    run = fit(epochs=1, loss=nn.CrossEntropyLoss(reduction="sum"))
    assert 0 < run.records[0]["train_loss"] < 3


def test_a_device_may_be_torchs_own() -> None:
    run = fit(epochs=1, device=torch.device("cpu"))
    assert next(run.module.parameters()).device == torch.device("cpu")
