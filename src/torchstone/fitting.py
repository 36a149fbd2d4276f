"""`ts.fit`: your own module on your own data, through the same loop as `ts.train`, to the same Run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from torchstone.config import from_toml
from torchstone.data.batches import Batches
from torchstone.data.loaders import batches_from
from torchstone.errors import ConfigError, DataError, RunError, did_you_mean
from torchstone.evaluation.evaluate import Evaluation
from torchstone.evaluation.restore import load_weights
from torchstone.finding import Finding
from torchstone.flow import request
from torchstone.flow.continuity import (
    as_before,
    check_epochs,
    is_complete,
    is_trained,
    keep_epochs,
    last_checkpoint,
)
from torchstone.flow.execution import Execution
from torchstone.flow.given import check_labels, check_objects, check_validation
from torchstone.flow.lifetime import begin, resumable
from torchstone.flow.measurement import check_split, read_history
from torchstone.flow.presentation import write_fit_report
from torchstone.flow.record import keep_evaluation
from torchstone.flow.request import NOT_CONFIGURED, FitArguments
from torchstone.flow.tasks import Meaning, epoch_metrics, meaning_of, measure_module
from torchstone.run import Run
from torchstone.runs.checkpoint import Checkpoint
from torchstone.runs.directory import RunDirectory
from torchstone.runs.manifest import update_status
from torchstone.training.callbacks import Callback
from torchstone.training.device import choose_device
from torchstone.training.monitor import choose_monitor
from torchstone.training.objective import Objective
from torchstone.training.preflight import initialise_lazy, preflight
from torchstone.training.state import TrainState

__all__ = ["FitArguments", "evaluate", "fit", "is_fit_run", "load", "resume"]


@dataclass
class FitContext:
    """What a run of `fit` keeps in memory, to be measured without being given its objects again."""

    meaning: Meaning | None
    val: Batches | None


def fit(
    arguments: FitArguments, directory: RunDirectory | None = None, saved: Checkpoint | None = None
) -> Run:
    """Trains; see `torchstone.fit`.

    Args:
        arguments: the module, the data and how to train.
        directory: a run that goes on.
        saved: its checkpoint.
    """
    check_objects(arguments)
    net, settings = arguments.net, arguments.settings()
    device, _ = choose_device(settings.device)
    train, val = request.batches(arguments)
    objective = Objective(arguments.loss, arguments.step)
    check_labels(request.all_targets(train), objective, "training")
    first = request.first_batch(train, device)
    if val is not None:
        check_validation(val)
        check_labels(request.all_targets(val), objective, "validation")
    net.to(device)
    if arguments.step is None:
        initialise_lazy(net, first.inputs)  # before the optimizer asks for parameters
    optimizers = request.optimizers(arguments)
    state = TrainState.create(net, optimizers, request.schedules(arguments, optimizers), settings)
    objective.prepare(net, device)
    findings = preflight(
        net,
        first,
        None,
        objective,
        optimizers=optimizers.values(),
        targets=request.all_targets(train),
        precision=state.autocast,
    )
    meaning = meaning_of(arguments.loss)
    of_outputs = meaning if arguments.step is None else None  # a step of one's own gives none
    metrics, directions = epoch_metrics(arguments.metrics, of_outputs, arguments.monitor)
    choose_monitor(settings, directions, val is not None, objective)
    if directory is None and arguments.out is not None:
        directory = begin(
            arguments.out,
            "run",
            arguments.force,
            lambda made: request.keep_request(arguments, made, train, val, findings),
        )
    execution = Execution(
        state,
        train,
        val,
        objective,
        settings,
        metrics=metrics,
        directions=directions,
        callbacks=arguments.callbacks,
        directory=directory,
        hyper_parameters=arguments.config().training.model_dump(exclude_none=True),
        quiet=arguments.quiet,
    )
    with resumable(directory):
        history = execution.run(saved)
        run = Run(
            net,
            history,
            None if directory is None else directory.path,
            best=execution.best(),
            kept=execution.kept,
            findings=findings,
            notes=[*train.notes, *(val.notes if val is not None else [])],
            context=FitContext(meaning, val),
        )
        if directory is not None:
            _keep_result(run, val, device)
            execution.finish()
    return run


def is_fit_run(directory: RunDirectory) -> bool:
    """Whether a run was made from Python objects."""
    return bool(directory.read_object(directory.manifest_path).get("kind") == "fit")


def resume(
    directory: RunDirectory,
    *,
    net: nn.Module | None,
    epochs: int | None,
    quiet: bool,
    callbacks: Sequence[Callback],
    objects: Mapping[str, Any],
) -> Run:
    """Goes on with a run of `fit`; see `torchstone.resume`.

    Raises:
        RunError: it was not given the objects that are not on disk.
        ConfigError: an unknown keyword.
    """
    known = [field.name for field in dataclasses.fields(FitArguments)]
    if unknown := [name for name in objects if name not in known]:
        raise ConfigError(f'resume: there is no argument "{unknown[0]}". {did_you_mean(unknown[0], known)}')
    manifest = directory.read_object(directory.manifest_path)
    given = {**objects} if net is None else {**objects, "net": net}
    if missing := request.missing_objects(manifest, given):
        again = ", ".join(f"{name.partition(' ')[0]}=..." for name in ["net", *missing] if name != "net")
        raise RunError(
            f"{directory.path} was made from Python objects (ts.fit), and these are not on disk: "
            f"{', '.join(missing)}.",
            hint=f'Give them as they were: ts.resume("{directory.path}", net=..., {again})',
        )
    if is_complete(directory, epochs):
        return load(directory, net=net)
    training = from_toml(directory.config_path).training.model_dump()
    stored = {name: training[name] for name in known if name in training and name not in NOT_CONFIGURED}
    stored |= {"val": None, "loss": None, "metrics": request.published_metrics(manifest)}
    arguments = FitArguments(**{**stored, **objects, "net": net, "callbacks": callbacks, "quiet": quiet})
    if is_trained(directory, epochs):
        return _complete(directory, arguments)
    if epochs is not None:
        arguments.epochs = epochs
    saved = last_checkpoint(directory)
    check_epochs(saved, epochs)
    keep_epochs(directory, epochs)
    with as_before(
        directory.read_json(directory.manifest_path), choose_device(str(arguments.device or "auto"))[0]
    ):
        return fit(arguments, directory, saved)


def _complete(directory: RunDirectory, arguments: FitArguments) -> Run:
    """Measures and reports a run whose training is done, with the weights that it ended with."""
    device, _ = choose_device(str(arguments.device or "auto"))
    run = load(directory, net=arguments.net, device=str(device))
    _, val = request.batches(arguments)
    run.context = FitContext(meaning_of(arguments.loss), val)
    with resumable(directory):
        update_status(directory, "running", error=None)
        _keep_result(run, val, device)
        update_status(directory, "finished")
    return run


def load(directory: RunDirectory, *, net: nn.Module | None, device: str = "cpu") -> Run:
    """A run of `fit` from its directory; see `torchstone.load`.

    Raises:
        RunError: no module was given, or the weights do not fit it.
    """
    if net is None:
        raise RunError(
            f"{directory.path} was made from Python objects (ts.fit): its architecture is not on disk.",
            hint=f'Give a module of the same architecture: ts.load("{directory.path}", net=net)',
        )
    load_weights(net, directory.weights_path)
    net.to(choose_device(device)[0]).eval()
    manifest = directory.read_json(directory.manifest_path)
    evaluations = {
        path.stem: Evaluation.from_json(directory.read_json(path))
        for path in sorted(directory.evaluations_path.glob("*.json"))
    }
    findings = [Finding.from_json(values) for values in directory.read_json(directory.findings_path)]
    return Run(
        net,
        read_history(directory),
        directory.path,
        best=manifest.get("result") or {},
        kept=manifest.get("kept", "last"),
        evaluations=evaluations,
        findings=findings,
        notes=manifest.get("notes", []),
    )


def evaluate(
    run: Run, split: Literal["val", "test"] = "test", *, data: Any = None, device: str = "auto"
) -> Evaluation:
    """Measures a run of `fit` with the metrics of its task; see `torchstone.evaluate`.

    Raises:
        DataError: there is no data to measure on.
        ConfigError: the loss does not say what the outputs are.
    """
    check_split(split)
    context = run.context if isinstance(run.context, FitContext) else None
    if data is not None:
        batches: Batches | None = batches_from(data, shuffle=False, batch_size=None)
    else:
        batches = context.val if context is not None and split == "val" else None
    if batches is None:
        raise DataError(
            f"There is no {split} data: a run of ts.fit knows only what it was given.",
            hint="Give it: ts.evaluate(run, data=(X, y)).",
        )
    meaning = context.meaning if context is not None else _stored_meaning(run)
    evaluation = measure_module(run.module, batches, meaning, split, device=choose_device(device)[0])
    if evaluation is None and meaning is not None and _has_no_targets(batches):
        raise DataError(
            f"The {split if data is None else 'given'} data has no targets, so there is nothing to measure.",
            hint="Give (X, y), or a Dataset or DataLoader of (input, target); "
            "run.predict(inputs) gives the outputs.",
        )
    if evaluation is None:
        raise ConfigError(
            "What the module's outputs mean is not known, so that no metric can be computed.",
            hint="Train with a loss of torch.nn for classes, labels or numbers, or measure the outputs of "
            "run.predict(inputs) yourself.",
        )
    run.evaluations[split] = evaluation
    if run.path is not None:
        keep_evaluation(RunDirectory(run.path), evaluation)
        write_fit_report(run)
    return evaluation


def _has_no_targets(batches: Batches) -> bool:
    first = next(iter(batches.epoch(0)), None)
    return first is not None and first.targets is None


def _keep_result(run: Run, val: Batches | None, device: torch.device) -> None:
    """Evaluation on the validation samples, where they have a task, and the report."""
    directory = RunDirectory(run.directory())
    meaning = run.context.meaning
    if val is not None and (evaluation := measure_module(run.module, val, meaning, "val", device=device)):
        run.evaluations["val"] = evaluation
        keep_evaluation(directory, evaluation)
    write_fit_report(run)


def _stored_meaning(run: Run) -> Meaning | None:
    """What outputs and targets are, as the run's directory tells."""
    directory = RunDirectory(run.directory())
    return Meaning.from_json(directory.read_json(directory.manifest_path).get("meaning"))
