"""Workers or samples of a data set repeat the same random draws.

## What it does
Reports a `__getitem__` that draws from a generator made once, in `__init__` or for the whole file, while the
loader has several workers, each with its copy of it; a `__getitem__` that starts a generator from the same
seed for every sample; and a `worker_init_fn` that gives all workers one seed. The global generators of
Python, NumPy and torch need nothing: the loader seeds them in each worker, NumPy's since torch 1.9.

## Why is this bad?
The augmentation is less random than it looks: the samples of all workers, or of all epochs, get the same
crops and the same noise, and the model sees far fewer different pictures.

## References
- [Randomness in multi-process data loading](https://docs.pytorch.org/docs/stable/data.html#data-loading-randomness)
- [get_worker_info](https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.get_worker_info)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.loaders import Loader, loaders
from torchstone.review.syntax.origins import Origin, reaching, resolved
from torchstone.review.syntax.scopes import FunctionNode, Scope
from torchstone.review.syntax.values import Class

CODE = "TS406"
NAME = "repeated-randomness"
SEVERITY: Severity = "warning"
MENTIONS = ("__getitem__|worker_init_fn",)

BAD = (
    Example(
        """
        import numpy as np
        import torch
        from torch.utils.data import DataLoader, Dataset


        class Noisy(Dataset):
            def __init__(self, rows):
                self.rows = rows
                self.rng = np.random.default_rng(0)

            def __len__(self):
                return len(self.rows)

            def __getitem__(self, index):
                noise = self.rng.normal(size=8)  # TS406
                return self.rows[index] + torch.tensor(noise)


        loader = DataLoader(Noisy(torch.randn(100, 8)), batch_size=10, shuffle=True, num_workers=4)
        """
    ),
)
GOOD = (
    """
    import numpy as np
    import torch
    from torch.utils.data import DataLoader, Dataset


    class Noisy(Dataset):
        def __init__(self, rows):
            self.rows = rows

        def __len__(self):
            return len(self.rows)

        def __getitem__(self, index):
            noise = np.random.normal(size=8)
            return self.rows[index] + torch.tensor(noise)


    loader = DataLoader(Noisy(torch.randn(100, 8)), batch_size=10, shuffle=True, num_workers=4)
    """,
)

_GENERATORS = frozenset(
    {
        "numpy.random.default_rng",
        "numpy.random.RandomState",
        "numpy.random.Generator",
        "random.Random",
        "torch.Generator",
    }
)
_SEEDS = frozenset({"numpy.random.seed", "random.seed", "torch.manual_seed", "torch.random.manual_seed"})
_DRAWS = words(
    "random normal uniform integers choice randint rand randn permutation shuffle standard_normal binomial "
    "poisson beta gamma exponential sample choices gauss randrange betavariate random_sample laplace"
)


def check(file: File) -> Iterator[Finding]:
    """Looks at each data set's `__getitem__`, and at what starts the workers."""
    text = file.source.text
    if "__getitem__" in text and ("rng" in text or "Generator" in text or "andom" in text or "seed" in text):
        for cls in file.classes:
            method = cls.method("__getitem__")
            known = any(base.endswith("Dataset") for base in cls.library_bases())
            if known and method is not None and method[0] is cls and not _knows_workers(cls):
                yield from _same_seed(file, method[1])
                yield from _copied(file, cls, method[1])
    if "worker_init_fn" in text:
        yield from _workers(file)


def _knows_workers(cls: Class) -> bool:
    """Whether a class asks which worker it is in."""
    names = {node.id for node in ast.walk(cls.node) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(cls.node) if isinstance(node, ast.Attribute)}
    return any("worker" in name for name in names)


def _same_seed(file: File, scope: Scope) -> Iterator[Finding]:
    """`np.random.seed(0)` or `default_rng(0)` for every sample."""
    frame = file.root(scope)
    for node in ast.walk(scope.node):
        if not isinstance(node, ast.Call) or len(node.args) != 1 or not _is_fixed(frame, node.args[0]):
            continue
        if any(isinstance(above, ast.If | ast.IfExp) for above in file.index.ancestors(node)):
            continue  # perhaps for evaluation only
        name = frame.name(node.func)
        if name in _SEEDS or (name in _GENERATORS and name != "torch.Generator"):
            yield _finding(
                file,
                node,
                f"`{ast.unparse(node)}` starts the same random numbers for every sample",
                "what looks random is one fixed change of all samples",
                "Seed once, before training, or make the seed depend on the sample's index.",
            )
            return


def _is_fixed(frame: Frame, node: ast.expr) -> bool:
    """Whether a seed is a number that is written down."""
    here = resolved(Origin(frame, node)).node
    return isinstance(here, ast.Constant) and isinstance(here.value, int)


def _copied(file: File, cls: Class, scope: Scope) -> Iterator[Finding]:
    """Draws from a generator that each worker has a copy of."""
    frame = file.root(scope)
    for node in ast.walk(scope.node):
        generator = _drawn_from(node)
        made = _made_once(frame, cls, generator) if generator is not None else None
        if made is None or generator is None or not isinstance(node, ast.Call):
            continue
        loader = next((each for each in loaders(file) if _loads(each, cls)), None)
        if loader is not None:
            yield _finding(
                file,
                node,
                f"each worker of `{loader.name}` draws the same numbers from its copy of "
                f"`{ast.unparse(generator)}`",
                "samples of different workers, and of different epochs, are changed in the same way",
                "Draw from NumPy's or torch's global generator, which the loader seeds in each worker.",
                (made, "the generator is made here, once"),
                (loader.call, "the workers are started here"),
            )
        return


def _drawn_from(node: ast.AST) -> ast.expr | None:
    """The generator that a call draws from."""
    if not isinstance(node, ast.Call):
        return None
    for keyword in node.keywords:
        if keyword.arg == "generator":
            return keyword.value
    drawn = isinstance(node.func, ast.Attribute) and node.func.attr in _DRAWS
    return node.func.value if drawn and isinstance(node.func, ast.Attribute) else None


def _made_once(frame: Frame, cls: Class, node: ast.expr) -> ast.expr | None:
    """What makes a generator in `__init__` and nowhere else, or with a seed for the whole file."""
    if isinstance(node, ast.Attribute):
        if not isinstance(node.value, ast.Name) or node.value.id != frame.scope.self_name:
            return None
        stores = cls.file.index.stores[cls.scope].get(node.attr, [])
        if len(stores) != 1 or stores[0].scope.name != "__init__" or stores[0].path:
            return None
        value, around, seeded = stores[0].value, cls.file.root(stores[0].scope), False
    elif isinstance(node, ast.Name):
        bindings = reaching(frame, node)
        if len(bindings) != 1 or bindings[0].kind != "assign" or bindings[0].path:
            return None
        if not isinstance(bindings[0].scope.node, ast.Module):
            return None
        value, around, seeded = bindings[0].value, cls.file.root(bindings[0].scope), True
    else:
        return None
    call = value
    if (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr == "manual_seed"
    ):
        call = value.func.value
    if not isinstance(call, ast.Call) or around.name(call.func) not in _GENERATORS:
        return None
    return value if value is not call or call.args or not seeded else None


def _loads(loader: Loader, cls: Class) -> bool:
    """Whether a loader with several workers, that does not evaluate, loads from an object of a class."""
    if loader.dataset is None or not loader.is_plain or loader.is_held_out:
        return False
    if loader.given(9, "worker_init_fn") is not None:
        return False
    value = loader.frame.value(loader.dataset)
    workers = loader.given(5, "num_workers")
    if value is None or value.cls is not cls or workers is None:
        return False
    number = resolved(Origin(loader.frame, workers)).node
    return isinstance(number, ast.Constant) and isinstance(number.value, int) and number.value > 1


def _workers(file: File) -> Iterator[Finding]:
    """A `worker_init_fn` that gives all workers one seed."""
    for loader in loaders(file):
        given = loader.given(9, "worker_init_fn")
        if given is None or loader.frame.file is not file:
            continue
        value = loader.frame.value(given)
        if value is None or value.kind != "function" or value.function is None or value.frame is None:
            continue
        seed = _seeds_alike(value.frame.file.root(value.function))
        if seed is not None:
            yield _finding(
                file,
                given,
                f"`{ast.unparse(seed)}` in `worker_init_fn` gives all workers the same random numbers",
                "the loader has seeded each worker differently before, and this undoes it",
                "Leave `worker_init_fn` out, or seed with `torch.initial_seed() % 2**32`.",
                *([(seed, "seeded here")] if value.frame.file is file and seed is not given else []),
            )


def _seeds_alike(frame: Frame) -> ast.Call | None:
    """The call that seeds with a number that no worker has for its own."""
    node = frame.scope.node
    assert isinstance(node, FunctionNode)  # noqa: S101 (only functions are given)
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and len(each.args) == 1 and frame.name(each.func) in _SEEDS:
            return each if _is_fixed(frame, each.args[0]) else None
    return None


def _finding(
    file: File, node: ast.expr, message: str, why: str, fix: str, *places: tuple[ast.expr, str]
) -> Finding:
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        node,
        message,
        why=why,
        fix=Fix(fix),
        related=tuple(file.related(place, told) for place, told in places),
    )
