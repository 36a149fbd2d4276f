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
    may_improve: bool = True,
) -> dict[str, Any]:
    """What the report's template says about the use of the run.

    Args:
        path: the run directory.
        manifest: the run's manifest; `kind` is `fit` for a run of `ts.fit`, which takes Python objects.
        named: whether the model is built by its name.
        more_epochs: epochs to go on to.
        is_table: whether new rows come as a file of columns.
        test_read: whether the test rows were measured.
        may_improve: whether more epochs may help; else none are proposed.
    """
    told = {"test_read": test_read, "test_note": _TEST_NOTE}
    if is_fit(manifest):
        return told | _of_objects(path, manifest, more_epochs if may_improve else None)
    quoted, new_data = shlex.quote(path), "new.csv" if is_table else "DATA"
    return told | {
        "test_command": f"torchstone evaluate {quoted}",
        "predict_command": f"torchstone predict {quoted} {new_data} -o predictions.csv",
        "predict_note": "The preprocessing travels with the run: give the columns as they were.",
        **(_named_use(path) if named else _plain_use(path, "a")),
        "next_commands": [
            f"torchstone evaluate {quoted}",
            *([resume_command(path, manifest, more_epochs)] if may_improve else []),
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


def _of_objects(path: str, manifest: Mapping[str, Any], more_epochs: int | None) -> dict[str, Any]:
    """The same for a run of `ts.fit`, in Python."""
    val = "" if (manifest.get("split") or {}).get("val") is None else ", val=val"
    loss = "loss=loss" if manifest.get("loss") else "loss=None, step=step"
    return {
        "test_command": f"ts.evaluate({path!r}, net=net, data=(X_test, y_test))",
        "predict_command": f"run = ts.load({path!r}, net=net)  # net: your module\noutputs = run.predict(X)",
        "predict_note": "Inputs are given to the module as they are.",
        **_plain_use(path, "your"),
        "next_commands": []
        if more_epochs is None
        else [
            f"ts.resume({path!r}, net=net, train=train{val},",
            f"          {loss}, optimizer=optimizer, epochs={more_epochs})",
        ],
        "config_note": "what can be written down of the arguments of ts.fit",
    }


def _named_use(path: str) -> dict[str, str]:
    """For a model of ours, which torchstone builds, and whose inputs its preprocessing makes."""
    return {
        "plain_title": "The module itself",
        "plain_code": (
            "import torchstone\n"
            f"module = torchstone.load({path!r}).module  # an nn.Module\n"
            "outputs = module.eval()(inputs)"
        ),
        "plain_note": (
            "It is built by torchstone and then a plain nn.Module. Its inputs are what preprocessing.json "
            "makes of a row, not the row itself. The weights alone are model.safetensors."
        ),
    }


def _plain_use(path: str, whose: str) -> dict[str, str]:
    return {
        "plain_title": "In plain PyTorch",
        "plain_code": (
            "from safetensors.torch import load_file\n"
            f"net.load_state_dict(load_file({f'{path}/model.safetensors'!r}))  # net: your module\n"
            "outputs = net.eval()(inputs)"
        ),
        "plain_note": f"The weights are plain safetensors, and the module is {whose} plain nn.Module.",
    }
