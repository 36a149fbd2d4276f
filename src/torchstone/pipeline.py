"""DATA to report on one page: the stages in their order, and nothing else calls them.

source → split → preprocessing → batches → model → loop → checkpoint → evaluation → report
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from torchstone.config import TrainConfig, from_toml
from torchstone.data.batches import TensorBatches
from torchstone.errors import TrainingError
from torchstone.flow import monitoring, planning
from torchstone.flow.continuity import (
    as_before,
    check_epochs,
    is_complete,
    is_trained,
    keep_epochs,
    last_checkpoint,
)
from torchstone.flow.execution import Execution
from torchstone.flow.given import check_callbacks
from torchstone.flow.learner import Learner, build_learner, build_state
from torchstone.flow.lifetime import begin, resumable
from torchstone.flow.measurement import complete, evaluate, load
from torchstone.flow.preparation import Prepared, own_samples, prepare, read
from torchstone.flow.presentation import show_findings, show_plan, write_run_report
from torchstone.flow.record import keep_request
from torchstone.models.build import running
from torchstone.run import Run
from torchstone.runs.checkpoint import Checkpoint
from torchstone.runs.directory import RunDirectory
from torchstone.training.callbacks import Callback
from torchstone.training.device import choose_device
from torchstone.training.monitor import choose_monitor
from torchstone.training.objective import Objective
from torchstone.training.preflight import preflight


def train(
    data: Any,
    config: TrainConfig,
    *,
    force: bool = False,
    quiet: bool = False,
    callbacks: Sequence[Callback] = (),
) -> Run:
    """DATA to report; see `torchstone.train`."""
    check_callbacks(callbacks)
    config = planning.absolute(config.source if data is None else data, config)
    prepared = prepare(read(data, config), config)
    return train_model(prepared, force=force, quiet=quiet, callbacks=callbacks)


def resume(
    directory: RunDirectory,
    *,
    data: Any = None,
    epochs: int | None = None,
    quiet: bool = False,
    callbacks: Sequence[Callback] = (),
) -> Run:
    """The last checkpoint to report; see `torchstone.resume`."""
    if is_complete(directory, epochs):
        return load(directory, data=data)
    if is_trained(directory, epochs):
        return complete(directory, data=data)
    config = from_toml(directory.config_path)
    if epochs is not None:
        config.training.epochs = epochs
    saved = last_checkpoint(directory)
    check_epochs(saved, epochs)
    prepared = prepare(own_samples(data, config, directory), config, directory)
    keep_epochs(directory, epochs)
    with as_before(directory.read_json(directory.manifest_path), choose_device(config.training.device)[0]):
        return train_model(prepared, directory=directory, saved=saved, quiet=quiet, callbacks=callbacks)


def train_model(
    prepared: Prepared,
    *,
    directory: RunDirectory | None = None,
    saved: Checkpoint | None = None,
    force: bool = False,
    quiet: bool = False,
    callbacks: Sequence[Callback] = (),
) -> Run:
    """Model → batches → loop → checkpoint → evaluation on the validation rows → report.

    Args:
        prepared: the data.
        directory: the run that goes on; None for a new one.
        saved: its checkpoint.
        force: replace the run directory if there is one.
        quiet: show no progress.
        callbacks: the user's.
    """
    config = prepared.config
    device, device_name = choose_device(config.training.device)
    learner = build_learner(prepared, device)
    execution = plan_training(prepared, learner, *make_batches(prepared, learner), callbacks, quiet)
    try_one_batch(prepared, learner, execution)
    if directory is None:  # nothing was written so far, so that a mistake leaves nothing behind
        directory = begin_run(prepared, learner, force)
    execution.directory = directory
    restored = learner.restored
    restored.path, restored.manifest = (directory.path, directory.read_json(directory.manifest_path))
    with resumable(directory):  # a signal from here on leaves a run that can go on
        if not quiet:
            show_plan(restored, prepared.samples, device_name, prepared.notes)
        show_findings(prepared.findings)

        # The loop: trains, validates, saves; `module` ends with the weights that are kept.
        with running(config.model.model, "training", TrainingError):
            history = execution.run(saved)

        # Evaluation on the validation rows, and the report; the test rows wait for `evaluate`.
        restored.manifest = directory.read_json(directory.manifest_path)
        run = finished_run(prepared, learner, execution, history)
        if execution.val is not None:
            evaluate(run, "val", device=str(device))
        else:
            write_run_report(run, prepared.samples)
        execution.finish()
    return run


def make_batches(prepared: Prepared, learner: Learner) -> tuple[TensorBatches, TensorBatches | None]:
    """Training rows in a new order each epoch, validation rows always in the same; None without any."""
    options, split = prepared.config.training, prepared.split
    train = TensorBatches(
        prepared.rows,
        learner.targets,
        torch.from_numpy(split.train),
        batch_size=planning.known(options.batch_size),
        shuffle=True,
        seed=options.seed,
        join_single=planning.has_batch_statistics(learner.module),
    )
    if not len(split.val):
        return train, None
    indices = torch.from_numpy(split.val)
    return train, TensorBatches(prepared.rows, learner.targets, indices, batch_size=4096, shuffle=False)


def plan_training(
    prepared: Prepared,
    learner: Learner,
    train: TensorBatches,
    val: TensorBatches | None,
    callbacks: Sequence[Callback],
    quiet: bool,
) -> Execution:
    """What changes from step to step, and what changes it."""
    config, task = prepared.config, prepared.task
    settings = planning.settings(config, has_validation=val is not None)
    directions = monitoring.directions(task)
    state = build_state(prepared, learner, settings, train.steps)
    objective = Objective(learner.loss)
    objective.prepare(learner.module, state.device)
    choose_monitor(settings, directions, val is not None, objective)
    return Execution(
        state,
        train,
        val,
        objective,
        settings,
        metrics=monitoring.epoch_metrics(learner.restored, settings.monitor),
        directions=directions,
        callbacks=callbacks,
        hyper_parameters=config.training.model_dump(exclude_none=True),
        quiet=quiet,
    )


def try_one_batch(prepared: Prepared, learner: Learner, execution: Execution) -> None:
    """One batch goes through model and loss: what does not fit is an error before anything is written."""
    state = execution.state
    first = next(iter(execution.train.to(state.device).epoch(0)))
    with running(prepared.config.model.model, "trying"):
        prepared.findings += preflight(
            learner.module,
            first,
            prepared.task,
            execution.objective,
            optimizers=[state.optimizer],
            targets=learner.targets[prepared.split.train],
            precision=state.autocast,
        )


def begin_run(prepared: Prepared, learner: Learner, force: bool) -> RunDirectory:
    """A new run directory with what was asked in it."""
    config = prepared.config
    hint = planning.name_hint(prepared.samples.name, config)
    return begin(
        config.output.out,
        hint,
        force,
        lambda made: keep_request(prepared, learner.restored, made, learner.outputs),
    )


def finished_run(
    prepared: Prepared, learner: Learner, execution: Execution, history: list[dict[str, Any]]
) -> Run:
    """The trained model as a run, which is measured next."""
    return Run(
        learner.module,
        history,
        learner.restored.path,
        learner.restored,
        best=execution.best(),
        kept=execution.kept,
        findings=prepared.findings,
        notes=prepared.notes,
        context=prepared,
    )
