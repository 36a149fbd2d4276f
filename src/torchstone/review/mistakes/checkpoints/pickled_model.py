"""A whole model is saved by pickle instead of its weights.

## What it does
Reports `torch.save(model, ...)` where the object is surely a module, in files that do not compile it with
`torch.jit`. It is advice in a training program that does not load such a file, or does so with
`weights_only=False`.

## Why is this bad?
The file names the class and the place of its source. After the class is renamed, moved or changed it cannot
be loaded or computes something else, and it loads only with `weights_only=False`, which runs any code.

## References
- [Saving and loading models](https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.program import files_of_program, trains

CODE = "TS805"
NAME = "pickled-model"
SEVERITY: Severity = "warning"
MENTIONS = ("save",)

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        torch.save(model, "model.pt")  # TS805
        """,
        fixed="""
        import torch
        from torch import nn

        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        torch.save(model.state_dict(), "model.pt")
        """,
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    torch.save(model.state_dict(), "model.pt")
    """,
)


def check(file: File) -> Iterator[Finding]:
    """Looks at what each call of `torch.save` is given first."""
    for call in file.index.calls_by_name.get("save", ()):
        if not call.args or not isinstance(call.args[0], ast.Name | ast.Attribute):
            continue
        if file.name(call.func) != "torch.save":
            continue
        value = file.value(call.args[0])
        if value is not None and value.kind == "module" and value.sure and not _scripted(file):
            yield _finding(file, call)


def _scripted(file: File) -> bool:
    """Whether the file compiles a module, which is then saved in a form of its own."""
    return any(
        (file.name(call.func) or "").startswith("torch.jit.")
        for name in ("script", "trace", "freeze", "optimize_for_inference")
        for call in file.index.calls_by_name.get(name, ())
    )


def _is_loaded(files: list[File]) -> bool:
    """Whether a program loads whole models, which fails unless any code may run."""
    return any(
        file.name(call.func) == "torch.load" and not _is_of_weights(file, call)
        for file in files
        for call in file.index.calls_by_name.get("load", ())
    )


def _is_of_weights(file: File, call: ast.Call) -> bool:
    """Whether what is loaded are weights, or is allowed to run code."""
    allowed = any(
        keyword.arg is None
        or (keyword.arg == "weights_only" and getattr(keyword.value, "value", None) is False)
        for keyword in call.keywords
    )
    parent = file.index.parents[call]
    name = ""
    if isinstance(parent, ast.Call):
        name = ast.unparse(parent.func)
    elif isinstance(parent, ast.Assign):
        text = file.source.text
        given = [target.id for target in parent.targets if isinstance(target, ast.Name)]
        name = "load_state_dict" if any(f"load_state_dict({each}" in text for each in given) else ""
    return allowed or name.endswith("load_state_dict")


def _finding(file: File, call: ast.Call) -> Finding:
    files = files_of_program(file)
    name = ast.unparse(call.args[0])
    return file.finding(
        CODE,
        NAME,
        "advice" if trains(files) and not _is_loaded(files) else SEVERITY,
        call,
        f"`torch.save({name}, ...)` pickles the whole model, bound to its class as it is now",
        why="after the class is moved or changed the file cannot be loaded, and loading it runs any code",
        fix=Fix(
            "Save the weights; whatever loads the file then needs `load_state_dict`.",
            safe=False,
            edits=(file.replace(call.args[0], f"{name}.state_dict()"),),
        ),
    )
