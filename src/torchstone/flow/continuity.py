"""How a run goes on: whether it is complete, from which checkpoint, and whether bit for bit."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from torchstone.config import from_toml, to_toml
from torchstone.errors import RunError, UsageError
from torchstone.runs import checkpoint
from torchstone.runs.checkpoint import Checkpoint
from torchstone.runs.directory import RunDirectory
from torchstone.runs.manifest import machine, versions
from torchstone.runs.process import is_gone, is_own_process
from torchstone.runs.tensors import read_tensors, write_tensors
from torchstone.training.closing import kept_weights

_LOG = logging.getLogger("torchstone")


@contextmanager
def as_before(manifest: dict[str, Any], device: torch.device) -> Iterator[None]:
    """Inside, torch uses the run's number of threads; what cannot be restored is said.

    The order in which threads add up numbers changes the last bits of sums, and so do other versions and
    other machines: the run goes on, but may end with other last bits.

    Args:
        manifest: of the run that goes on.
        device: where it goes on.
    """
    differences = list(_differences(manifest, device))
    if differences:
        _LOG.warning(
            "The run goes on with %s; its last bits may differ from those of a run that was never stopped.",
            ", ".join(differences),
        )
    now, then = torch.get_num_threads(), manifest.get("machine", {}).get("threads")
    try:
        if isinstance(then, int) and then > 0:
            torch.set_num_threads(then)
        yield
    finally:
        torch.set_num_threads(now)


def _differences(manifest: dict[str, Any], device: torch.device) -> Iterator[str]:
    before, today = manifest.get("versions", {}), versions()
    for package in ("torch", "numpy", "cuda"):
        if before.get(package) != today.get(package):
            yield f"{package} {today.get(package)} instead of {before.get(package)}"
    there, here = manifest.get("machine", {}), machine(device)
    for what in ("cpu", "device", "device_name"):
        if there.get(what) != here.get(what):
            yield f"{what.replace('_', ' ')} {here.get(what)} instead of {there.get(what)}"


def is_complete(directory: RunDirectory, epochs: int | None) -> bool:
    """Whether there is nothing left to train, which is said; weights that were lost are restored.

    Args:
        directory: the run that is to go on.
        epochs: a new last epoch; None for the run's own.

    Raises:
        RunError: another process is training it, or the weights of a finished run are lost for good.
    """
    manifest = directory.read_object(directory.manifest_path)
    process = manifest.get("process")
    if manifest.get("status") == "running" and not is_own_process(process) and not is_gone(process):
        raise RunError(
            f"{directory.path} is being trained by process {process.get('pid')} on {process.get('host')}."
            if isinstance(process, dict)
            else f"{directory.path} is being trained.",
            hint='Wait for it or stop it. If it is no more, write "stopped" as status in manifest.json.',
        )
    done = manifest.get("epochs")
    if manifest.get("status") != "finished" or not isinstance(done, int):
        return False
    if epochs is not None and epochs > done:
        return False
    _LOG.warning(
        "%s is finished after %d epochs; %s. --epochs N trains up to epoch N.",
        directory.path,
        done,
        "its weights were restored from the last checkpoint"
        if _restore_weights(directory, done)
        else "nothing was changed",
    )
    return True


def is_trained(directory: RunDirectory, epochs: int | None) -> bool:
    """Whether a run has its final weights, and has only to be measured and reported: said, if so.

    Such a run was ended while it was measured, or there was no room for its last checkpoint.

    Args:
        directory: a run that is not finished.
        epochs: a new last epoch; None for the run's own.
    """
    manifest = directory.read_object(directory.manifest_path)
    done = manifest.get("epochs")
    if not manifest.get("result") or epochs not in (None, done):
        return False
    try:
        read_tensors(directory.weights_path)
    except RunError:  # the checkpoint holds them too
        return False
    _LOG.warning("%s is trained, %d epochs: it is measured and reported.", directory.path, done)
    return True


def _restore_weights(directory: RunDirectory, epochs: int) -> bool:
    """Brings the weights of a finished run back where they are missing or damaged; says whether it did.

    Raises:
        RunError: the checkpoint of the run's end is not there or not whole.
    """
    try:
        read_tensors(directory.weights_path)
        return False
    except RunError as error:
        lost = error.message
    try:
        last = checkpoint.load(directory)
    except RunError as error:
        raise RunError(f"{lost}\n{error.message}", hint=_again(directory)) from None
    if last.state.get("epoch") != epochs:
        raise RunError(
            f"{lost}\nThe checkpoint of the run's end, which holds them too, is not there.",
            hint=_again(directory),
        )
    kept = kept_weights(
        last.weights,
        keep=from_toml(directory.config_path).training.keep,
        averaged=bool(last.state.get("average_updates")),
    )
    write_tensors(directory.weights_path, kept)
    return True


def _again(directory: RunDirectory) -> str:
    return (
        "Bring back the files of the run, or train it again with: "
        f"torchstone train --config {directory.config_path}"
    )


def last_checkpoint(directory: RunDirectory) -> Checkpoint | None:
    """The newest whole checkpoint; None for a run that was ended before its first, which begins anew.

    Raises:
        RunError: there are checkpoints, and none is whole; or the run is finished, and its are gone.
    """
    if checkpoint.list_steps(directory):
        return checkpoint.load(directory)
    manifest = directory.read_object(directory.manifest_path)
    if manifest.get("status") == "finished":
        raise RunError(
            f"{directory.path} has no checkpoint to go on from; a new beginning would replace its model.",
            hint=_again(directory),
        )
    if manifest.get("epochs"):
        _LOG.warning("%s has no checkpoint: training begins again with epoch 1.", directory.path)
    return None


def check_epochs(saved: Checkpoint | None, epochs: int | None) -> None:
    """Refuses a last epoch that lies behind the checkpoint.

    Raises:
        UsageError: it does.
    """
    if saved is None or epochs is None:
        return
    begun = saved.state["epoch"] + (saved.state["position"] > 0)
    if epochs < begun:
        raise UsageError(
            f"--epochs {epochs}: the run is in epoch {begun} already.",
            hint=f"Give at least {begun}, or leave --epochs out to go on as it was planned.",
        )


def keep_epochs(directory: RunDirectory, epochs: int | None) -> None:
    """Writes a new last epoch into the run, so that the next resume knows it."""
    if epochs is not None:
        config = from_toml(directory.config_path)
        config.training.epochs = epochs
        directory.write_text(directory.config_path, to_toml(config))
