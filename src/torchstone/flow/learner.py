"""From prepared data to a model that can be trained on it: loss, module, optimizer and schedule."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from torchstone.evaluation.restore import Restored
from torchstone.flow import monitoring, planning
from torchstone.flow.preparation import Prepared
from torchstone.models.build import build_model
from torchstone.training import losses
from torchstone.training.optimizers import build_optimizer
from torchstone.training.randomness import own_randomness
from torchstone.training.schedules import build_schedule
from torchstone.training.settings import Settings
from torchstone.training.state import TrainState


@dataclass
class Learner:
    """A model that is not trained yet, and what it is to learn.

    Args:
        module: the model.
        loss: what is minimised.
        targets: of all samples, in the shape that the loss takes.
        outputs: how many numbers the model gives for a sample.
        restored: the model with all that turns its outputs into answers.
    """

    module: nn.Module
    loss: nn.Module
    targets: Tensor
    outputs: int
    restored: Restored


def build_learner(prepared: Prepared, device: torch.device) -> Learner:
    """The model with new weights. The loss says how targets look and how many outputs there are."""
    config, task, spec = prepared.config, prepared.task, prepared.preprocessing.spec
    loss = build_loss(prepared)
    targets = losses.shape_targets(prepared.scaling.scale(prepared.target.values), task, loss)
    outputs = losses.outputs_for(task, loss)
    with own_randomness(config.training.seed, None, device):
        module = build_model(config.model.model, task, spec, outputs, config.model.model_arguments)
    restored = Restored(
        module,
        task,
        spec,
        prepared.preprocessing,
        prepared.scaling,
        losses.output_kind(loss, task),
        config,
        {},
        None,
    )
    restored.reading = prepared.samples.reading
    return Learner(module, loss, targets, outputs, restored)


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


def build_state(prepared: Prepared, learner: Learner, settings: Settings, batches: int) -> TrainState:
    """Optimizer and schedule over the model's parameters; `batches` are those of an epoch."""
    options = prepared.config.training
    optimizer = build_optimizer(
        planning.known(options.optimizer),
        learner.module,
        options.lr,
        options.weight_decay,
        options.optimizer_arguments,
    )
    schedule = build_schedule(
        options.scheduler,
        optimizer,
        steps_per_epoch=-(-batches // options.accumulate),
        epochs=settings.epochs,
        warmup=options.warmup,
        arguments=options.scheduler_arguments,
        mode=monitoring.mode(prepared.task, settings.monitor),
    )
    return TrainState.create(learner.module, optimizer, schedule, settings)
