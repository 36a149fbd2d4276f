"""DATA to report on one page: the stages in their order, and nothing else calls them.

source → split → preprocessing → batches → model → loop → checkpoint → evaluation → report
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from torchstone.config import TrainConfig, from_toml
from torchstone.data.batches import TensorBatches
from torchstone.errors import TrainingError
from torchstone.evaluation.restore import Restored
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
from torchstone.flow.lifetime import begin, resumable
from torchstone.flow.measurement import complete, evaluate, load
from torchstone.flow.preparation import Prepared, own_samples, prepare, read
from torchstone.flow.presentation import show_findings, show_plan, write_run_report
from torchstone.flow.record import keep_request
from torchstone.models.build import build_model, running
from torchstone.run import Run
from torchstone.runs.checkpoint import Checkpoint
from torchstone.runs.directory import RunDirectory
from torchstone.training import losses
from torchstone.training.callbacks import Callback
from torchstone.training.device import choose_device
from torchstone.training.monitor import choose_monitor
from torchstone.training.objective import Objective
from torchstone.training.optimizers import build_optimizer
from torchstone.training.preflight import preflight
from torchstone.training.randomness import own_randomness
from torchstone.training.schedules import build_schedule
from torchstone.training.state import TrainState


def train(
    data: Any,
    config: TrainConfig,
    *,
    force: bool = False,
    quiet: bool = False,
    callbacks: Sequence[Callback] = (),
) -> Run:
    """DATA to report; see `torchstone.train`."""
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
    """Batches → model → loop → checkpoint → evaluation on the validation rows → report.

    Args:
        prepared: the data.
        directory: the run that goes on; None for a new one.
        saved: its checkpoint.
        force: replace the run directory if there is one.
        quiet: show no progress.
        callbacks: the user's.
    """
    config, task, split, spec = (prepared.config, prepared.task, prepared.split, prepared.preprocessing.spec)
    options = config.training
    device, device_name = choose_device(options.device)

    # The loss says how targets look and how many outputs there are; with that the model can be built.
    loss = build_loss(prepared)
    targets = losses.shape_targets(prepared.scaling.scale(prepared.target.values), task, loss)
    outputs = losses.outputs_for(task, loss)
    with own_randomness(options.seed, None, device):
        module = build_model(config.model.model, task, spec, outputs, config.model.model_arguments)

    # Training rows in a new order each epoch, validation rows always in the same.
    train_batches = TensorBatches(
        prepared.rows,
        targets,
        torch.from_numpy(split.train),
        batch_size=planning.known(options.batch_size),
        shuffle=True,
        seed=options.seed,
        join_single=planning.has_batch_statistics(module),
    )
    val_batches = None
    if len(split.val):
        val_indices = torch.from_numpy(split.val)
        val_batches = TensorBatches(prepared.rows, targets, val_indices, batch_size=4096, shuffle=False)

    # What changes from step to step, and what changes it.
    settings = planning.settings(config, has_validation=val_batches is not None)
    optimizer = build_optimizer(
        planning.known(options.optimizer),
        module,
        options.lr,
        options.weight_decay,
        options.optimizer_arguments,
    )
    schedule = build_schedule(
        options.scheduler,
        optimizer,
        steps_per_epoch=-(-train_batches.steps // options.accumulate),
        epochs=settings.epochs,
        warmup=options.warmup,
        arguments=options.scheduler_arguments,
        mode=monitoring.mode(task, settings.monitor),
    )
    state = TrainState.create(module, optimizer, schedule, settings)
    objective = Objective(loss)
    objective.prepare(module, device)
    directions = monitoring.directions(task)
    choose_monitor(settings, directions, val_batches is not None, objective)

    # One batch goes through model and loss; what does not fit is an error now, before anything is written.
    first = next(iter(train_batches.to(device).epoch(0)))
    with running(config.model.model, "trying"):
        prepared.findings += preflight(
            module,
            first,
            task,
            objective,
            optimizers=[optimizer],
            targets=targets[split.train],
            precision=state.autocast,
        )
    output_kind = losses.output_kind(loss, task)
    restored = Restored(
        module, task, spec, prepared.preprocessing, prepared.scaling, output_kind, config, {}, None
    )
    restored.reading = prepared.samples.reading
    if directory is None:
        hint = planning.name_hint(prepared.samples.name, config)
        directory = begin(
            config.output.out, hint, force, lambda made: keep_request(prepared, restored, made, outputs)
        )
    restored.path, restored.manifest = (directory.path, directory.read_json(directory.manifest_path))
    with resumable(directory):  # a signal from here on leaves a run that can go on
        if not quiet:
            show_plan(restored, prepared.samples, device_name, prepared.notes)
        show_findings(prepared.findings)

        # The loop: trains, validates, saves; `module` ends with the weights that are kept.
        execution = Execution(
            state,
            train_batches,
            val_batches,
            objective,
            settings,
            metrics=monitoring.epoch_metrics(restored, settings.monitor),
            directions=directions,
            callbacks=callbacks,
            directory=directory,
            hyper_parameters=options.model_dump(exclude_none=True),
            quiet=quiet,
        )
        with running(config.model.model, "training", TrainingError):
            history = execution.run(saved)

        # Evaluation on the validation rows, and the report; the test rows wait for `evaluate`.
        restored.manifest = directory.read_json(directory.manifest_path)
        run = Run(
            module,
            history,
            directory.path,
            restored,
            best=execution.best(),
            kept=execution.kept,
            context=prepared,
        )
        run.findings, run.notes = prepared.findings, prepared.notes
        if val_batches is not None:
            evaluate(run, "val", device=str(device))
        else:
            write_run_report(run, prepared.samples)
        execution.finish()
    return run


def build_loss(prepared: Prepared) -> nn.Module:
    """The loss that was asked for, with the class weights of the training rows."""
    options, task = prepared.config.training, prepared.task
    weights = None
    if options.class_weights == "balanced":
        weights = losses.balanced_weights(prepared.target.values[prepared.split.train], task)
    return losses.build_loss(
        options.loss,
        task,
        arguments=options.loss_arguments,
        class_weights=weights,
        label_smoothing=options.label_smoothing,
    )
