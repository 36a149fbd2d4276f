"""Workers or samples of a data set repeat the same random draws.

## What it does
Reports a `__getitem__` that draws from a generator made once, in `__init__` or for the whole file, while the
loader has several workers, each with its copy of it; a `__getitem__` that starts a generator from the same
seed for every sample; and a `worker_init_fn` that gives all workers one seed. The global generators of
Python, NumPy and torch need nothing: the loader seeds them in each worker, NumPy's since torch 1.9.

While a program runs, it reports data sets and transforms whose code draws from a generator that they have as
an attribute, in a training loader with several workers; and loaders that shuffle and yet give three epochs of
the same model in the same order, as random numbers are seeded anew before each. Draws themselves cannot be
told from samples that are the same anyway, so samples that are augmented once and cached are not reported.

## Why is this bad?
The augmentation is less random than it looks: the samples of all workers, or of all epochs, get the same
crops and the same noise, and the model sees far fewer different pictures.

## References
- [Randomness in multi-process data loading](https://docs.pytorch.org/docs/stable/data.html#data-loading-randomness)
- [get_worker_info](https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.get_worker_info)
"""

from __future__ import annotations

import ast
import dis
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.loaders import Loader, loaders
from torchstone.review.syntax.origins import Origin, reaching, resolved
from torchstone.review.syntax.scopes import FunctionNode, Scope
from torchstone.review.syntax.values import Class

if TYPE_CHECKING:
    from torchstone.review.epochs import Epoch
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

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


_KINDS = (("numpy.random", "Generator"), ("numpy.random", "RandomState"), ("random", "Random"))
_STARTED_ANEW = words("seed manual_seed set_state setstate initial_seed")
_FIRST = 4
"""So many batches of an epoch tell its order."""

_ORDERED = 8
"""So many samples at least."""

_SAME = 3
"""So many epochs one after the other in the same order."""

_EPOCHS = 8
_WHY = "samples of different workers, and of different epochs, are changed in the same way"


class _Order:
    """The order of the epochs of one loader."""

    def __init__(self) -> None:
        self.last: Epoch | None = None
        self.orders: list[int] = []
        """Of epochs with the same order, one after the other; of others the last."""
        self.current: list[int] = []


class Watch(Detector):
    """Looks at the generators of data sets with workers, and at the order of the first epochs."""

    PAUSES = frozenset({"batch"})

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._drawn: dict[int, tuple[str, Place]] = {}
        """By the identity of a pass, what its data set draws from and where."""
        self._orders: ByIdentity[_Order] = ByIdentity()
        self._seeded: Place | None = None
        """Where random numbers were last seeded in this epoch, or before it."""

    def on_seeded(self, event: Event) -> None:
        """Random numbers begin anew."""
        self._seeded = event.place

    def on_epoch_began(self, event: Event) -> None:
        """Workers are given copies of the data set."""
        loader, self._drawn = event.subject, {}
        if loader.num_workers > 1 and loader.worker_init_fn is None:
            found = _copied_generator(loader.dataset)
            if found is not None:
                self._drawn[id(event.epoch)] = found
        if event.epoch.number < _EPOCHS and type(loader.sampler).__name__ in _SHUFFLING:
            self._orders.setdefault(loader, _Order()).current = []

    def on_batch(self, event: Event) -> None:
        """The order of its samples."""
        if event.number < _FIRST and event.epoch.number < _EPOCHS and event.subject in self._orders:
            self._orders[event.subject].current += event.samples.indices or ()

    def on_epoch_ended(self, event: Event) -> None:
        """Judges a pass that a model learned from."""
        epoch, drawn = event.epoch, self._drawn.pop(id(event.epoch), None)
        if not epoch.trains or event.subject is None:
            return
        if drawn is not None and event.batches > 1:
            name, place = drawn
            self.found(
                f"Each of the {event.subject.num_workers} workers draws the same numbers from its copy of "
                f"`{name}`",
                why=_WHY,
                place=place,
                fix="Draw from NumPy's or torch's global generator, which the loader seeds in each worker.",
                related=((epoch.shown, "the workers are started here"),),
                workers=event.subject.num_workers,
            )
        known = self._orders.get(event.subject)
        if known is not None and epoch.number < _EPOCHS:
            self._compare(known, epoch)

    def _compare(self, known: _Order, epoch: Epoch) -> None:
        order, before = hash(tuple(known.current)), known.last
        follows = before is not None and epoch.number == before.number + 1 and epoch.shares_model(before)
        same = follows and known.orders[-1:] == [order] and len(known.current) >= _ORDERED
        known.last, known.orders = epoch, [*(known.orders if same else ()), order]
        if len(known.orders) == _SAME:
            seeded = self._seeded
            self.found(
                "Each epoch goes through the samples in the same order, although they are shuffled: random "
                "numbers begin anew before it",
                why="what is drawn in an epoch, such as augmentations and dropout, repeats as well",
                place=seeded or epoch.shown,
                fix="Seed once, before training.",
                related=((epoch.shown, "this loader shuffles"),) if seeded is not None else (),
                epochs=len(known.orders),
            )


_SHUFFLING = ("RandomSampler", "SubsetRandomSampler")


def _copied_generator(dataset: Any) -> tuple[str, Place] | None:
    """A generator that a data set, or one of its transforms, has, and the line that draws from it."""
    while type(dataset).__name__ == "Subset":
        dataset = dataset.dataset
    found = _drawn_by(dataset, "__getitem__")
    for transform in () if found else vars(dataset).values() if hasattr(dataset, "__dict__") else ():
        found = found or _drawn_by(transform, "__call__") or _drawn_by(transform, "forward")
    return found


def _drawn_by(owner: Any, method: str) -> tuple[str, Place] | None:
    """The generator that a method of the user's draws from, and where."""
    from torchstone.review.places import Place, is_users  # not needed to read source, which has to start fast

    function = getattr(type(owner), method, None)
    if not isinstance(function, FunctionType) or not is_users(function.__code__.co_filename):
        return None
    codes = _reached(type(owner), function.__code__)
    names = {name for code in codes for name in code.co_names}
    if names & _STARTED_ANEW or any("worker" in name for name in names):
        return None
    for name, value in getattr(owner, "__dict__", {}).items():
        if not _is_generator(value):
            continue
        used = [(code, *use) for code in codes for use in _uses(code, name)]
        if used and not any(stored for _, _, stored in used):
            return f"self.{name}", Place(used[0][0].co_filename, used[0][1])
    return None


def _uses(code: CodeType, name: str) -> Iterator[tuple[int, bool]]:
    """The lines of a method that use an attribute of its object, and whether they put another value there."""
    before = None
    for each in dis.get_instructions(code):
        line = None if each.positions is None else each.positions.lineno
        own = before is not None and before.opname.startswith("LOAD_FAST") and before.argval in _own(code)
        if own and each.argval == name and line is not None:
            yield line, each.opname == "STORE_ATTR"
        before = each


def _own(code: CodeType) -> tuple[Any, ...]:
    """The name of a method's own object; Python 3.13 may load another variable beside it."""
    return code.co_varnames[:1]


def _reached(kind: type, code: CodeType) -> list[CodeType]:
    """The code of a method and of those of the same object that it calls."""
    found = [code]
    for each in found:
        held = (getattr(kind, name, None) for name in each.co_names)
        found += [one.__code__ for one in held if isinstance(one, FunctionType) and one.__code__ not in found]
    return found


def _is_generator(value: Any) -> bool:
    kind = type(value)
    known = any(kind.__module__.startswith(home) and kind.__name__ == name for home, name in _KINDS)
    return known or (kind.__module__.startswith("torch") and kind.__name__ == "Generator")
