"""What a restored model says about rows, in the user's units."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from torchstone.data.batches import TensorBatches
from torchstone.data.rows import Rows
from torchstone.evaluation.restore import Restored
from torchstone.inference import predict_outputs, probabilities
from torchstone.models.build import running

Array = npt.NDArray[Any]

_BATCH_SIZE = 1024


def model_outputs(
    restored: Restored, rows: Rows, indices: Array | None = None, *, device: torch.device | str | None = None
) -> Array:
    """Probabilities or numbers for rows.

    Args:
        restored: the model.
        rows: the encoded rows.
        indices: which of them, in which order; all by default.
        device: where to compute; where the module is by default.

    Returns:
        float64 (N, classes), (N, labels) or (N, targets), see `to_units`.

    Raises:
        ModelError: the user's own class failed; names its line.
    """
    chosen = np.arange(len(rows)) if indices is None else np.asarray(indices, dtype=np.int64)
    if not len(chosen):
        return np.zeros((0, restored.task.outputs))
    batches = TensorBatches(rows, None, torch.from_numpy(chosen), batch_size=_BATCH_SIZE, shuffle=False)
    with running(restored.config.model.model, "using"):
        outputs = predict_outputs(restored.module, batches.epoch(0), device, samples=len(chosen))
    return to_units(restored, outputs)


def to_units(restored: Restored, outputs: Tensor) -> Array:
    """A model's outputs as probabilities, or as numbers in the targets' units.

    Args:
        restored: the model.
        outputs: as the module gives them, (N,) or (N, outputs), on any device.

    Returns:
        float64: (N, classes) for binary and multiclass, (N, labels) for multilabel, (N, targets) for
        regression.
    """
    exact = outputs.detach().cpu().double()
    if restored.task.kind == "regression":
        numbers: Array = restored.target_scaling.unscale(exact.reshape(len(exact), -1)).numpy()
        return numbers
    return np.asarray(probabilities(exact, restored.task, restored.output_kind).numpy())
