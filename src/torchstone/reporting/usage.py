"""What to do with a run, as its report says it: predict, use the weights, evaluate, go on."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

_TEST_NOTE = (
    "Every look at the test rows that leads to a change makes their figures a little too good, so "
    "they are kept apart until you have chosen your model. When you have, read them, best once:"
)


def usage(
    path: str,
    manifest: Mapping[str, Any],
    *,
    named: bool,
    more_epochs: int,
    is_table: bool,
    test_read: bool,
) -> dict[str, Any]:
    """What the report's template says about the use of the run.

    Args:
        path: the run directory.
        manifest: the run's manifest; `kind` is `fit` for a run of `ts.fit`, which takes Python objects.
        named: whether the model is built by its name.
        more_epochs: epochs to go on to.
        is_table: whether new rows come as a file of columns.
        test_read: whether the test rows were measured.
    """
    told = {"test_read": test_read, "test_note": _TEST_NOTE}
    if is_fit(manifest):
        return told | _of_objects(path, manifest, more_epochs)
    quoted, new_data = shlex.quote(path), "new.csv" if is_table else "DATA"
    return told | {
        "test_command": f"torchstone evaluate {quoted}",
        "predict_command": f"torchstone predict {quoted} {new_data} -o predictions.csv",
        "predict_note": "The preprocessing travels with the run: give the columns as they were.",
        "plain_code": _named_code(path) if named else _plain_code(path),
        "plain_note": "The weights are plain safetensors, and the module is a plain nn.Module.",
        "next_commands": [
            f"torchstone evaluate {quoted}",
            resume_command(path, manifest, more_epochs),
            f"torchstone train --config {quoted}/config.toml",
            "torchstone runs",
        ],
        "config_note": "config.toml repeats this run",
    }


def is_fit(manifest: Mapping[str, Any]) -> bool:
    """Whether the run was made from Python objects (`ts.fit`)."""
    return manifest.get("kind") == "fit"


def resume_command(path: str, manifest: Mapping[str, Any], epochs: int) -> str:
    """The command, or for a run of `ts.fit` the call, that goes on to so many epochs."""
    if is_fit(manifest):
        return f"ts.resume({path!r}, net=net, train=..., epochs={epochs}, ...)"
    return f"torchstone resume {shlex.quote(path)} --epochs {epochs}"


def _of_objects(path: str, manifest: Mapping[str, Any], more_epochs: int) -> dict[str, Any]:
    """The same for a run of `ts.fit`, in Python."""
    val = "" if (manifest.get("split") or {}).get("val") is None else ", val=val"
    loss = "loss=loss" if manifest.get("loss") else "loss=None, step=step"
    return {
        "test_command": f"ts.evaluate({path!r}, net=net, data=(X_test, y_test))",
        "predict_command": f"run = ts.load({path!r}, net=net)  # net: your module\noutputs = run.predict(X)",
        "predict_note": "Inputs are given to the module as they are.",
        "plain_code": _plain_code(path),
        "plain_note": "The weights are plain safetensors, and the module is your plain nn.Module.",
        "next_commands": [
            f"ts.resume({path!r}, net=net, train=train{val},",
            f"          {loss}, optimizer=optimizer, epochs={more_epochs})",
        ],
        "config_note": "what can be written down of the arguments of ts.fit",
    }


def _named_code(path: str) -> str:
    return (
        "import torchstone\n"
        f"module = torchstone.load({path!r}).module  # an nn.Module\n"
        "outputs = module.eval()(inputs)"
    )


def _plain_code(path: str) -> str:
    return (
        "from safetensors.torch import load_file\n"
        f"net.load_state_dict(load_file({f'{path}/model.safetensors'!r}))  # net: your module\n"
        "outputs = net.eval()(inputs)"
    )
