"""A file is loaded in a way that lets it run any code.

## What it does
Reports `torch.load` with `weights_only=False`, unless the same file of the program saves what it loads.

## Why is this bad?
Such a load runs what the file asks for: a checkpoint from somebody else can take over the machine. The
default loads tensors and plain containers, which is all that a checkpoint needs.

## References
- [torch.load](https://docs.pytorch.org/docs/stable/generated/torch.load.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.program import files_of_program

CODE = "TS801"
NAME = "unsafe-load"
SEVERITY: Severity = "warning"
MENTIONS = ("weights_only",)

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Linear(4, 1)
        model.load_state_dict(torch.load("model.pt", weights_only=False))  # TS801
        """,
        fixed="""
        import torch
        from torch import nn

        model = nn.Linear(4, 1)
        model.load_state_dict(torch.load("model.pt", weights_only=True))
        """,
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.Linear(4, 1)
    torch.save(model.state_dict(), "model.pt")
    model.load_state_dict(torch.load("model.pt", weights_only=True))
    """,
)

_WRITERS = {"torch.save", "pickle.dump", "joblib.dump"}


def check(file: File) -> Iterator[Finding]:
    """Looks at each call of `torch.load`."""
    if "weights_only" not in file.source.text:
        return
    for call in file.index.calls():
        unsafe = next((word for word in call.keywords if word.arg == "weights_only"), None)
        if unsafe is None or not isinstance(unsafe.value, ast.Constant) or unsafe.value.value is not False:
            continue
        if file.name(call.func) == "torch.load" and not any(map(_writes, files_of_program(file))):
            yield _finding(file, call, unsafe)


def _writes(file: File) -> bool:
    """Whether a file of the program saves such files too: what it loads may be its own."""
    return any(
        file.name(call.func) in _WRITERS
        for name in ("save", "dump")
        for call in file.index.calls_by_name.get(name, ())
    )


def _finding(file: File, call: ast.Call, unsafe: ast.keyword) -> Finding:
    what = ast.unparse(call.args[0]) if call.args else "the file"
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        call,
        f"`weights_only=False` runs whatever code `{what}` holds",
        why="a checkpoint from somebody else can take over the machine",
        fix=Fix(
            "Load tensors and plain containers only.",
            safe=False,
            edits=(file.replace(unsafe.value, "True"),),
        ),
    )
