"""What a run writes about itself: what was asked, with what data, and how it was measured."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import torch
from torch import nn

from torchstone.config import to_toml
from torchstone.data.samples import Samples
from torchstone.evaluation.evaluate import Evaluation
from torchstone.evaluation.restore import Restored
from torchstone.flow.preparation import Prepared, file_hashes
from torchstone.runs.directory import RunDirectory
from torchstone.runs.manifest import build_manifest


def keep_request(prepared: Prepared, restored: Restored, directory: RunDirectory, outputs: int) -> None:
    """Writes configuration, preprocessing, findings and manifest, before the first step.

    Args:
        prepared: the data and the resolved configuration.
        restored: the model that is to be trained.
        directory: the run.
        outputs: how many numbers the model gives for a sample.
    """
    config, split, samples, task = (prepared.config, prepared.split, prepared.samples, prepared.task)
    kept = config.model_copy(deep=True)
    kept.output.out = None  # so that the same configuration can be run again, beside this run
    directory.write_text(directory.config_path, to_toml(kept))
    preprocessing = {
        "version": 1,
        "kind": "table" if samples.is_table else "array",
        "features": prepared.preprocessing.to_json(),
        "target": {"task": task.to_json(), "scaling": prepared.scaling.to_json()},
        "reading": None if samples.reading is None else samples.reading.to_json(),
    }
    directory.write_json(directory.preprocessing_path, preprocessing)
    directory.write_json(directory.findings_path, [finding.to_json() for finding in prepared.findings])
    counts = {"train": len(split.train), "val": len(split.val), "test": len(split.test)}
    manifest = build_manifest(
        device=device_of(restored.module),
        seed=config.training.seed,
        task=task.to_json(),
        model={
            "name": config.model.model,
            "arguments": config.model.model_arguments,
            "outputs": outputs,
            "parameters": count_parameters(restored.module),
        },
        output_kind=restored.output_kind,
        split={"method": split.method, "hash": split.hash, **counts},
        data=fingerprint(samples),
        notes=prepared.notes,
        test_readings=[],
    )
    directory.write_json(directory.manifest_path, manifest)


def keep_evaluation(directory: RunDirectory, evaluation: Evaluation) -> dict[str, Any]:
    """Writes an evaluation into the run and records each reading of the test rows; gives the new manifest."""
    directory.write_json(directory.evaluations_path / f"{evaluation.split}.json", evaluation.to_json())
    manifest: dict[str, Any] = directory.read_json(directory.manifest_path)
    if evaluation.split == "test":
        manifest.setdefault("test_readings", []).append(datetime.now(UTC).isoformat(timespec="seconds"))
        directory.write_json(directory.manifest_path, manifest)
    return manifest


def fingerprint(samples: Samples) -> dict[str, Any]:
    """What tells this data from other data: name, rows, and the SHA-256 of each file."""
    return {"name": samples.name, "rows": len(samples), "files": file_hashes(samples)}


def device_of(module: nn.Module) -> torch.device:
    """Where a module is."""
    tensor = next(module.parameters(), next(module.buffers(), None))
    return torch.device("cpu") if tensor is None else tensor.device


def count_parameters(module: nn.Module) -> int:
    """How many numbers a module learns."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
