"""Each verb once; Python users and the command line call the same functions.

Heavy imports stand inside the functions, so that the command line starts fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import torch
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from torchstone.config import TrainOptions
    from torchstone.evaluation.evaluate import Evaluation
    from torchstone.finding import Severity
    from torchstone.review.paths import CheckOptions
    from torchstone.review.report import Report
    from torchstone.review.session import WatchOptions
    from torchstone.run import Run
    from torchstone.training.callbacks import Callback


def train(
    data: Any = None,
    *,
    config: str | Path | None = None,
    settings: Sequence[str] = (),
    force: bool = False,
    quiet: bool = False,
    watch: bool | WatchOptions = False,
    callbacks: Sequence[Callback] = (),
    **options: Unpack[TrainOptions],
) -> Run:
    """Trains a model on data, from the split to the report; `torchstone train` word for word.

    Args:
        data: a file, several, a glob, a built-in name (`"digits"`), a polars, pandas or pyarrow frame, or
            `(X, y)` arrays.
        config: a `config.toml` to begin with, such as that of an earlier run.
        settings: values as `"section.key=value"`, laid over everything else.
        force: replace the run directory if there is one.
        quiet: show no progress.
        watch: look for mistakes while it trains, as `torchstone watch` does; they are added to the run's.
            A dictionary says how: `{"thorough": True}`, see `torchstone.watch`.
        callbacks: run beside the built-in ones.
        **options: the flags of `torchstone train` with `_` for `-`; see `torchstone.config.TrainConfig`.

    Returns:
        The run: trained module, history, validation metrics, directory.

    Raises:
        ConfigError: unknown options or values out of range, all of them at once.
        DataError: the data cannot be read or trained on.
        PreflightError: the model's output does not fit task, loss or data.
        Interrupted: stopped by a signal; the run can be resumed.
    """
    from torchstone import config as configuration
    from torchstone import pipeline

    base = configuration.from_toml(config) if config is not None else None
    asked = configuration.with_settings(configuration.from_options(dict(options), base), list(settings))

    def work() -> Run:
        return pipeline.train(data, asked, force=force, quiet=quiet, callbacks=callbacks)

    return _watched(work, watch)


def fit(
    net: nn.Module,
    train: Any,
    val: Any = None,
    *,
    loss: Callable[..., Tensor] | None = None,
    optimizer: Optimizer | Callable[..., Optimizer] | Mapping[str, Optimizer],
    epochs: int,
    batch_size: int | None = None,
    scheduler: Any = None,
    metrics: Mapping[str, Callable[..., Any]] | Iterable[str] | None = None,
    monitor: str = "val_loss",
    patience: int | None = None,
    clip: float | None = None,
    accumulate: int = 1,
    precision: Literal["auto", "float32", "bfloat16", "float16"] | None = None,
    device: str | torch.device | None = None,
    callbacks: Sequence[Callback] = (),
    step: Callable[..., Any] | None = None,
    seed: int = 0,
    deterministic: bool = False,
    out: str | Path | None = None,
    min_delta: float = 0.0,
    keep: Literal["best", "last"] = "best",
    average: Literal["none", "ema", "swa"] = "none",
    average_decay: float = 0.999,
    max_time: float | None = None,
    compile: bool = False,  # noqa: A002 - the same word as everywhere else
    force: bool = False,
    quiet: bool = False,
    watch: bool | WatchOptions = False,
) -> Run:
    """Trains your own module on your own data; nothing to subclass, nothing left behind on the module.

    Random states belong to the process, so two trainings at once in two threads do not repeat what each does
    alone: give each a process of its own.

    Args:
        net: any `nn.Module`.
        train: `(X, y)` or `(X, y, weights)` of tensors or arrays, a `Dataset`, or a `DataLoader`.
        val: the same for validation; None trains without.
        loss: `loss(outputs, targets)`, such as `nn.CrossEntropyLoss()`; None when `step` brings its own.
        optimizer: an optimizer over the module's parameters, a function of the parameters that makes one
            (`torch.optim.Adam`), or for several networks a dictionary of optimizers.
        epochs: passes over the training data.
        batch_size: samples per step; default: a `DataLoader`'s own, else chosen from the number of samples.
        scheduler: a scheduler, or a function of the optimizer that makes one.
        metrics: names (`"accuracy"`) or functions `metric(outputs, targets)` by name, for validation.
        monitor: what decides which epoch is best: `"val_loss"`, `"train_loss"` or a metric.
        patience: stop after this many epochs without improvement; None never stops.
        clip: the largest norm of the gradients.
        accumulate: batches whose gradients make one step.
        precision: `"bfloat16"` or `"float16"` for mixed precision; `"auto"` decides; default `float32`.
        device: `"cpu"`, `"cuda"`, `"mps"`; default: the first accelerator there is, else the CPU.
        callbacks: see `torchstone.Callback`.
        step: `step(net, batch, context)` in place of forward and loss: returns a loss, or does its own
            backward and optimizer steps through `context` and returns numbers to log.
        seed: seed of the order of samples and of random layers.
        deterministic: only operations that give the same bits each time.
        out: a run directory; nothing is written without one.
        min_delta: the least change of `monitor` that counts as an improvement.
        keep: the weights that `net` ends with: those of the best epoch, or the last.
        average: average of the weights over steps (`ema`) or epochs (`swa`).
        average_decay: decay of the `ema` average per step.
        max_time: stop after this many seconds.
        compile: compile the module for training.
        force: replace the run directory if there is one.
        quiet: show no progress.
        watch: look for mistakes while it trains, as `torchstone watch` does; they are added to the run's.
            A dictionary says how: `{"thorough": True}`, see `torchstone.watch`.

    Returns:
        The run: `run.module` is `net`, `run.history` a frame with one row per epoch.

    Raises:
        ConfigError: an argument that cannot be used, such as an unknown metric.
        PreflightError: the module's output does not fit loss or data.
        Interrupted: stopped by a signal.
    """
    arguments = {name: value for name, value in locals().items() if name != "watch"}
    from torchstone import fitting

    asked = fitting.FitArguments(**arguments)
    return _watched(lambda: fitting.fit(asked), watch)


def resume(
    run: str | Path | Run,
    *,
    epochs: int | None = None,
    data: Any = None,
    net: nn.Module | None = None,
    quiet: bool = False,
    callbacks: Sequence[Callback] = (),
    **objects: Any,
) -> Run:
    """Goes on with a run from its last checkpoint, as if it had never been stopped.

    A run that `max_time` ended trains for as long again.

    Args:
        run: the run directory.
        epochs: a new last epoch, for a run that should train longer.
        data: the data, for a run whose data were objects, not files.
        net: the module, for a run of `ts.fit`.
        quiet: show no progress.
        callbacks: as in `train`.
        **objects: for a run of `ts.fit` what it was given: `train=`, `val=`, `loss=`, `optimizer=` ...

    Raises:
        RunError: there is no run or no whole checkpoint, or a run of `ts.fit` is resumed without its objects.
    """
    from torchstone import fitting, pipeline
    from torchstone.runs.directory import RunDirectory

    directory = RunDirectory.open(_path_of(run))
    if fitting.is_fit_run(directory):
        return fitting.resume(
            directory, net=net, epochs=epochs, quiet=quiet, callbacks=callbacks, objects=objects
        )
    return pipeline.resume(directory, data=data, epochs=epochs, quiet=quiet, callbacks=callbacks)


def load(run: str | Path, *, net: nn.Module | None = None, data: Any = None, device: str = "cpu") -> Run:
    """A run from its directory, ready to predict.

    Args:
        run: the run directory.
        net: for a run of `ts.fit`: a module of the same architecture, which gets the weights.
        data: the data, for a run whose data were objects, if it is to be evaluated.
        device: where the module is put.

    Raises:
        RunError: there is no run, or its weights do not fit `net`.
    """
    from torchstone import fitting
    from torchstone.flow import measurement
    from torchstone.runs.directory import RunDirectory

    directory = RunDirectory.open(run)
    if fitting.is_fit_run(directory):
        return fitting.load(directory, net=net, device=device)
    return measurement.load(directory, data=data, net=net, device=device)


def evaluate(
    run: str | Path | Run,
    split: Literal["val", "test"] = "test",
    *,
    data: Any = None,
    net: nn.Module | None = None,
    device: str = "auto",
) -> Evaluation:
    """Measures a run on its test rows, its validation rows or new data, with 95 % intervals.

    Args:
        run: a run or its directory.
        split: which of the run's rows; each reading of `test` is recorded in the run.
        data: new data with targets, in place of the run's own; for a run of `ts.fit` `(X, y)`, a `Dataset`
            or a `DataLoader`.
        net: the module, for the directory of a run of `ts.fit`.
        device: `"auto"`, `"cpu"`, `"cuda"` ...

    Raises:
        RunError: the run's data changed since it was trained.
        DataError: the data cannot be read, or a label is unknown.
    """
    from torchstone import fitting
    from torchstone.flow import measurement

    loaded = load(run, net=net) if isinstance(run, str | Path) else run
    if loaded.restored is None:
        return fitting.evaluate(loaded, split, data=data, device=device)
    return measurement.evaluate(loaded, split, data=data, device=device)


def predict(
    run: str | Path | Run, data: Any, *, output: str | Path | None = None, device: str = "auto"
) -> dict[str, Any]:
    """Predicts the rows of a file and writes them; see `Run.predict` for a frame in memory.

    Args:
        run: a run of `train` or its directory.
        data: a file with the columns that the run was trained on.
        output: `.csv`, `.parquet` or `.jsonl`; None for CSV on stdout.
        device: `"auto"`, `"cpu"`, `"cuda"` ...

    Returns:
        A summary: `{"version", "run", "data", "output", "rows", "notes"}`.
    """
    from torchstone.flow import measurement

    loaded = load(run) if isinstance(run, str | Path) else run
    return measurement.predict(loaded, data, output=output, device=device)


def list_runs(directory: str | Path = "runs", *, sort: str | None = None) -> list[dict[str, Any]]:
    """The runs in a folder: name, status, model, epochs, validation metrics.

    Args:
        directory: the folder that holds run directories.
        sort: a metric to sort by, the best first; None: the newest first.

    Raises:
        RunError: there is no such folder.
        ConfigError: there is no such metric.
    """
    from torchstone.flow.listing import newest_or_best

    return newest_or_best(directory, sort)


def list_models() -> list[dict[str, Any]]:
    """The models by name: description, parameter count and the input it was counted for."""
    from torchstone.models import build

    return build.list_models()


def check(*paths: str | Path, text: str | None = None, **options: Unpack[CheckOptions]) -> Report:
    """Finds the mistakes in PyTorch programs by reading them; nothing is imported or run.

    Args:
        *paths: Python files, notebooks, Markdown pages, and folders with them.
        text: a text to check in place of a file; one path then says what it is called.
        **options: the flags of `torchstone check` with `_` for `-`; see `torchstone.review.paths.Options`.
            Nothing is written, and one process works, unless it is asked for.

    Returns:
        The report: findings, files that could not be checked, and `to_json()`.

    Raises:
        UsageError: a path that is not there.
        ConfigError: an option or a setting that cannot be used.
    """
    from torchstone.errors import UsageError
    from torchstone.review.paths import Options, check_content, check_paths

    options.setdefault("jobs", 1)
    asked = Options(**options)
    if text is None:
        return check_paths(paths, asked)
    if len(paths) > 1:
        raise UsageError(f"A text is one file: it has one name, and {len(paths)} were given.")
    return check_content(text, str(paths[0]) if paths else "text.py", asked)


def watch(
    *,
    select: Sequence[str] | None = None,
    extend_select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    stop_on: Severity | None = None,
    budget: float = 2.0,
    thorough: bool = False,
    quiet: bool = False,
) -> AbstractContextManager[Report]:
    """Sees the mistakes of what runs inside of `with ts.watch() as report:`.

    What runs computes what it did without; at the end of the block the findings are printed on stderr, and
    are in the report. Other than `torchstone watch`, it does not read the source: see `torchstone.check`.

    Args:
        select: codes, beginnings of codes, or names of the mistakes to look for; None: errors and warnings.
        extend_select: those to look for too.
        ignore: those not to look for.
        stop_on: the least severity of a finding that ends the block at once.
        budget: percent of the time of a long run that looking at steps in full may take, from 0 to 100.
        thorough: look at every step in full, and call the model once more at a few, with other inputs.
        quiet: print nothing.

    Raises:
        ConfigError: there is no such mistake.
        UsageError: a budget that is no percentage.
    """
    from torchstone.review.session import Session

    return Session(
        select=select,
        extend_select=extend_select,
        ignore=ignore,
        stop_on=stop_on,
        budget=budget,
        thorough=thorough,
        quiet=quiet,
    )


def _watched(work: Callable[[], Run], watch: bool | WatchOptions) -> Run:
    """A training, watched where that is asked for; what was found is added to its run.

    Raises:
        TrainingError: `stop_on` ended it.
    """
    if watch is False:
        return work()
    from torchstone.errors import TrainingError
    from torchstone.flow.presentation import add_findings, show_findings
    from torchstone.review.session import Session

    session = Session(**({} if watch is True else watch), quiet=True)
    run: Run | None = None
    try:
        with session as report:
            run = work()
    except BaseException:  # there is no run that could hold what was found
        show_findings(session.finish().findings)
        raise
    if run is None:
        show_findings(report.findings)
        raise TrainingError(str(session.stopped))
    known = {finding.code for finding in run.findings}  # what its own look at the data has told
    if findings := [finding for finding in report.findings if finding.code not in known]:
        add_findings(run, findings)
    return run


def _path_of(run: str | Path | Run) -> Path:
    return Path(run) if isinstance(run, str | Path) else run.directory()
