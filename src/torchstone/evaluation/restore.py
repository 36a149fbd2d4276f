"""From a run directory to a model that can be used: module, preprocessing and what its outputs mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from torchstone.config import TrainConfig, from_toml
from torchstone.data.preprocessing import Preprocessing, TargetScaling, load_preprocessing
from torchstone.data.reading import Reading
from torchstone.errors import RunError
from torchstone.models.build import build_model
from torchstone.runs.directory import RunDirectory, is_run
from torchstone.runs.tensors import read_tensors
from torchstone.task import InputSpec, OutputKind, Task

_SHOWN = 5


@dataclass
class Restored:
    """A trained model with all that is needed to use it.

    Args:
        module: the trained module, in evaluation mode.
        task: what was learned.
        spec: what the module is fed with.
        preprocessing: from samples to inputs.
        target_scaling: from the module's numbers to the target's unit; identity for classes and labels.
        output_kind: what the module's outputs are.
        config: what the training was asked to do.
        manifest: the run's manifest; empty for a model that is in no run directory.
        path: the run directory.
        reading: how the training table was read; None for arrays.
    """

    module: nn.Module
    task: Task
    spec: InputSpec
    preprocessing: Preprocessing
    target_scaling: TargetScaling
    output_kind: OutputKind
    config: TrainConfig
    manifest: dict[str, Any]
    path: Path | None = None
    reading: Reading | None = None


def restore(path: str | Path, net: nn.Module | None = None, device: str = "cpu") -> Restored:
    """The model of a run that was made from DATA.

    Args:
        path: the run directory.
        net: a module of the same architecture, for a model whose class is not on disk; its weights are
            replaced.
        device: where the module goes.

    Raises:
        RunError: the folder is no run, is incomplete, was made by `ts.fit`, or the weights do not fit the
            model.
        ModelError: the model's file or class is no longer there.
    """
    directory = RunDirectory.open(path)
    folder = Path(directory.path)
    manifest = directory.read_object(directory.manifest_path)
    if manifest.get("kind") == "fit":
        raise RunError(
            f"{folder} was made from Python objects (ts.fit): its architecture is not on disk.",
            hint=f"Give a module of the same architecture: ts.load({str(folder)!r}, net=net)",
        )
    values = directory.read_object(directory.preprocessing_path)
    try:
        task = Task.from_json(manifest["task"])
        model, output_kind = manifest["model"], manifest["output_kind"]
        name, outputs, arguments = model["name"], model["outputs"], model["arguments"]
        preprocessing = load_preprocessing(values["features"])
        scaling = TargetScaling.from_json(values["target"]["scaling"])
        reading = None if values.get("reading") is None else Reading.from_json(values["reading"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(
            f"{folder} is damaged: manifest.json and preprocessing.json do not say what they should "
            f"({type(error).__name__}: {error}).",
            hint="Bring back the files of the run, or train it again with: "
            f"torchstone train --config {directory.config_path}",
        ) from None
    config = from_toml(directory.config_path)
    if net is None:
        net = build_model(name, task, preprocessing.spec, outputs, arguments)
    load_weights(net, directory.weights_path)
    return Restored(
        module=net.to(device).eval(),
        task=task,
        spec=preprocessing.spec,
        preprocessing=preprocessing,
        target_scaling=scaling,
        output_kind=output_kind,
        config=config,
        manifest=manifest,
        path=folder,
        reading=reading,
    )


def load_weights(module: nn.Module, path: str | Path) -> None:
    """Replaces a module's weights and buffers by those of a safetensors file.

    Raises:
        RunError: the file is not there or damaged, or its tensors are not the module's; keys and shapes that
            differ are named and the module stays as it was.
    """
    folder = Path(path).parent
    is_finished = (
        is_run(folder) and RunDirectory(folder).read_object("manifest.json").get("status") == "finished"
    )
    mend = (
        f"Restore it from the run's last checkpoint with: torchstone resume {folder}" if is_finished else None
    )
    if not Path(path).exists():
        raise RunError(
            f"{path} does not exist.",
            hint=mend or f"Training did not end: torchstone resume {folder} goes on with it.",
        )
    try:
        stored = read_tensors(Path(path))
    except RunError as error:
        raise RunError(error.message, hint=mend or error.hint) from None
    differences = _differences(stored, module.state_dict())
    if differences:
        raise RunError(
            f"The weights in {path} do not fit the {type(module).__name__}:\n" + "\n".join(differences),
            hint="Give a module of the architecture that was trained, with the same arguments.",
        )
    module.load_state_dict(stored)


def _differences(stored: dict[str, Tensor], wanted: dict[str, Any]) -> list[str]:
    tensors = {key: value for key, value in wanted.items() if isinstance(value, Tensor)}
    lines = []
    for what, keys in (
        ("only in the file", [key for key in stored if key not in tensors]),
        ("only in the module", [key for key in tensors if key not in stored]),
    ):
        if keys:
            lines.append(f"  {what}: {_shown(keys)}")
    shapes = [
        f"{key} {tuple(value.shape)} in the file, {tuple(tensors[key].shape)} in the module"
        for key, value in stored.items()
        if key in tensors and value.shape != tensors[key].shape
    ]
    return lines + ([f"  other shapes: {_shown(shapes)}"] if shapes else [])


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
