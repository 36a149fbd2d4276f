"""The seed is set after the model was made.

## What it does
Reports the only seeding of PyTorch in a file when it follows the making of a model that is trained
afterwards, in the same function or at the level of the module.

## Why is this bad?
The first weights come from an unseeded generator: each run starts elsewhere, although the seed suggests that
it does not.

## References
- [Reproducibility](https://docs.pytorch.org/docs/stable/notes/randomness.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.training import optimized_models

CODE = "TS515"
NAME = "late-seed"
SEVERITY: Severity = "warning"
MENTIONS = ("manual_seed",)

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Linear(4, 1)
        torch.manual_seed(0)  # TS515
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    """,
)


def check(file: File) -> Iterator[Finding]:
    """Looks at the file's seeding, if there is one alone."""
    seeds = file.index.calls_by_name.get("manual_seed", ())
    if len(seeds) != 1 or file.name(seeds[0].func) != "torch.manual_seed" or not file.source.complete:
        return
    if _seeds_elsewhere(file) or not isinstance(file.index.parents[seeds[0]], ast.Expr):
        return
    statement = file.statement(seeds[0])
    body: list[ast.stmt] = getattr(file.index.parents[statement], "body", [])
    if statement not in body or file.callers(file.index.scope_of(statement)):
        return
    before, after = body[: body.index(statement)], body[body.index(statement) + 1 :]
    model = _model(file, before, after)
    if model is not None:
        yield _finding(file, seeds[0], model)


def _seeds_elsewhere(file: File) -> bool:
    """Whether another call, or a file that imports this one, may seed too, or weights are loaded."""
    calls = file.index.calls_by_name
    others = ("fork_rng", "set_rng_state", "load_state_dict")
    return any(
        "seed" in name.lower() and name not in ("manual_seed", "manual_seed_all") for name in calls
    ) or any(name in calls for name in others)


def _model(file: File, before: list[ast.stmt], after: list[ast.stmt]) -> ast.Assign | None:
    """The statement before the seed that makes a model of which an optimizer is made after it."""
    for statement in after:
        if not isinstance(statement, ast.Assign):
            continue
        optimizer = file.value(statement.value)
        if optimizer is None or optimizer.kind != "optimizer" or optimizer.call is not statement.value:
            continue
        for model in optimized_models(optimizer):
            name = model.name or ""
            own = model.cls is not None or name.startswith("torch.nn.")
            for earlier in before:
                if own and isinstance(earlier, ast.Assign) and model.call is earlier.value:
                    return earlier
    return None


def _finding(file: File, seed: ast.Call, model: ast.Assign) -> Finding:
    name = ast.unparse(model.targets[0])
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        seed,
        f"the seed is set after `{name}` was made: its first weights differ from run to run",
        why="weights are drawn when a layer is made",
        fix=Fix(f"Set the seed before `{name}` is made."),
        related=(file.related(model, f"`{name}` is made here"),),
    )
