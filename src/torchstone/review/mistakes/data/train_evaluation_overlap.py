"""The loader that evaluates holds samples that are trained on.

## What it does
Follows the data sets of a training loader and of one that is called validation or test data back to where
their rows come from, and reports the second when both surely share rows: the same data set or arrays, the
same part of a split, the training pictures (`train=True`) in both, slices that overlap, or a part of what the
training loader goes through as a whole. A score that is called validation or test and taken from the training
loader counts too. Loaders that say in their name that they hold training data are not meant.

A watched run compares the samples themselves: by their place in the data set that both loaders come from in
the end, and by their content. It reports a loader of validation or test data when it gives samples that the
same model was trained on last, more than the data repeats itself.

## Why is this bad?
The score is that of samples that the model has seen. It goes up while the model overfits, and says nothing
about new data.

## References
- [Common pitfalls: data leakage](https://scikit-learn.org/stable/common_pitfalls.html#data-leakage)
- [random_split](https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.random_split)
"""

from __future__ import annotations

import ast
import re
import weakref
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector
from torchstone.review.epochs import bases_of, is_held_out, names_of
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.loaders import Loader, is_held_out_name, is_training_name, loaders
from torchstone.review.syntax.origins import Origin, resolved
from torchstone.review.syntax.rows import Rows, expression_key, overlap, rows_of
from torchstone.review.syntax.scopes import Scope

if TYPE_CHECKING:
    from torchstone.review.epochs import Epoch, Samples
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS403"
NAME = "train-evaluation-overlap"
SEVERITY: Severity = "error"
MENTIONS = ("DataLoader",)

BAD = (
    Example(
        """
        import torch
        from sklearn.datasets import load_digits
        from torch.utils.data import DataLoader, TensorDataset, random_split

        digits = load_digits()
        data = TensorDataset(torch.tensor(digits.data).float(), torch.tensor(digits.target))
        train_set, test_set = random_split(data, [1500, 297])
        train_loader = DataLoader(data, batch_size=64, shuffle=True)
        test_loader = DataLoader(test_set, batch_size=64)  # TS403
        """
    ),
    Example(
        """
        from torch.utils.data import DataLoader
        from torchvision import datasets, transforms

        train_set = datasets.MNIST("data", train=True, transform=transforms.ToTensor())
        test_set = datasets.MNIST("data", train=True, transform=transforms.ToTensor())
        train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
        test_loader = DataLoader(test_set, batch_size=64)  # TS403
        """
    ),
)
GOOD = (
    """
    import torch
    from sklearn.datasets import load_digits
    from torch.utils.data import DataLoader, TensorDataset, random_split

    digits = load_digits()
    data = TensorDataset(torch.tensor(digits.data).float(), torch.tensor(digits.target))
    train_set, test_set = random_split(data, [1500, 297])
    train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
    test_loader = DataLoader(test_set, batch_size=64)
    """,
    """
    import torch
    from sklearn.datasets import load_digits
    from torch.utils.data import DataLoader, TensorDataset, random_split

    digits = load_digits()
    train_set = TensorDataset(torch.tensor(digits.data).float(), torch.tensor(digits.target))
    train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
    train_set, val_set = random_split(train_set, [1500, 297])
    train_loader = DataLoader(train_set, batch_size=64, shuffle=True)  # takes the other's place
    val_loader = DataLoader(val_set, batch_size=64)
    """,
)

_MEANT = ("overfit", "sanity", "memori", "full", "final", "all_", "whole")
_SUBSETS = ("torch.utils.data.SubsetRandomSampler", "torch.utils.data.sampler.SubsetRandomSampler")
_SWITCHES = re.compile(r"split|mode|train|eval|phase|subset|fold")
_TRAINING = re.compile(r"^(?:self\.)?train\w*(?:loader|dl|iter|iterator|set)$", re.IGNORECASE)
_HELD_OUT = re.compile(r"^(?:val|valid|test|dev)\w*(?:loader|dl|iter|iterator|set)$", re.IGNORECASE)
_EVALUATES = re.compile(r"eval|valid|test|accuracy|score", re.IGNORECASE)
_GENERATES = re.compile(
    r"rand|__iter__|IterableDataset|generat|simul|synth|toy|fake|dummy|mock|stream", re.IGNORECASE
)


def check(file: File) -> Iterator[Finding]:
    """Compares each loader that evaluates with those that are trained on."""
    if "DataLoader" not in file.source.text:
        return
    made = [each for each in loaders(file) if each.is_plain and each.dataset is not None]
    training = [each for each in made if each.is_for_training and each.frame.file is file]
    training = [each for each in training if each.trains or not _is_replaced(file, each, made)]
    together: dict[Scope, list[Loader]] = {}
    for each in training:
        together.setdefault(_place(each), []).append(each)
    looped = [each for each in training if each.trains]
    held_out = [each for each in made if each.is_held_out and each.frame.file is file]
    reported: set[ast.AST] = set()
    for evaluated in held_out:
        for trained in (*together.get(_place(evaluated), ()), *(looped if evaluated.evaluates else ())):
            if trained.call is evaluated.call:
                continue
            names = (*trained.names, *evaluated.names)
            if any(word in name.lower() for name in names for word in _MEANT):
                continue
            shared = _shared(trained, evaluated)
            if shared is not None and evaluated.call not in reported:
                reported.add(evaluated.call)
                yield _finding(file, trained, evaluated, shared)
                break
    yield from _mixed_up(file)


def _mixed_up(file: File) -> Iterator[Finding]:
    """`val_loss = evaluate(model, train_loader)` where there is a `val_loader` too."""
    for node in file.index.nodes[ast.Assign]:
        assert isinstance(node, ast.Assign)  # noqa: S101 (listed by type)
        call = node.value
        if not isinstance(call, ast.Call) or not _is_evaluation(ast.unparse(call.func)):
            continue
        given = [ast.unparse(a) for a in (*call.args, *(keyword.value for keyword in call.keywords))]
        named = [each for each in call.args if _TRAINING.search(ast.unparse(each))]
        names = [n.id for n in ast.walk(node.targets[0]) if isinstance(n, ast.Name)]
        scores = names and all(is_held_out_name(name) and not is_training_name(name) for name in names)
        if len(named) == 1 and scores and not any(is_held_out_name(text) for text in given):
            other = _held_out_data(file, node)
            if other is not None:
                yield _wrong_loader(file, node, named[0], names[0], other)


def _is_evaluation(function: str) -> bool:
    return bool(_EVALUATES.search(function)) and not is_training_name(function)


def _held_out_data(file: File, node: ast.AST) -> str | None:
    """The name of a loader of validation or test data that the code could have given."""
    scope = file.index.scope_of(node)
    names = [*scope.bindings, *file.index.module.bindings]
    return next((name for name in names if _HELD_OUT.search(name) and not is_training_name(name)), None)


def _place(loader: Loader) -> Scope:
    """Where a loader is made: the loaders of one function, or of one class, are used in one run."""
    return loader.frame.scope.method_of or loader.frame.scope


def _is_replaced(file: File, loader: Loader, made: list[Loader]) -> bool:
    """Whether another loader takes its name, further down in the same block, before anything reads it."""
    for later in made:
        names = [name for name in loader.names if name in later.names]
        first, second = loader.call.end_lineno or 0, later.call.lineno
        if names and first < second and _block(file, loader.call) == _block(file, later.call):
            read = (
                node
                for node in file.index.nodes[ast.Name]
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names
            )
            return not any(first < node.lineno < second for node in read)
    return False


def _block(file: File, call: ast.Call) -> tuple[int, str] | None:
    """The statements that the one of a call is among."""
    node: ast.AST = call
    for parent in file.index.ancestors(call):
        if isinstance(node, ast.stmt):
            fields = (
                name for name, value in ast.iter_fields(parent) if isinstance(value, list) and node in value
            )
            return (id(parent), next(fields, ""))
        node = parent
    return None


def _shared(trained: Loader, evaluated: Loader) -> Rows | None:
    """The rows of the evaluated loader, when the other surely holds some of them."""
    mine, other = _rows(trained), _rows(evaluated)
    if mine is None or other is None or not overlap(mine, other):
        return None
    return None if mine.is_noise or _is_generated(other.origin) or _switches(trained) else other


def _is_generated(made: Origin) -> bool:
    """Whether a class of the project, or a function that is not seen, may draw new samples each time."""
    if not isinstance(made.node, ast.Call):
        return False
    if _GENERATES.search(ast.unparse(made.node.func)):
        return True
    value = made.frame.value(made.node)
    if value is None or value.cls is None:
        return False
    return any(_GENERATES.search(ast.unparse(part.node)) for part in value.cls.lineage())


def _switches(trained: Loader) -> bool:
    """Whether the data set is switched from one part to another: `data.set_split("test")`."""
    assert trained.dataset is not None  # noqa: S101 (asked before)
    name, scope = ast.unparse(trained.dataset), trained.frame.scope
    scopes = _switched(trained.frame.file).get(name, [])
    return any(each is scope or "." in name or not scope.is_function for each in scopes)


def _switched(file: File) -> dict[str, list[Scope]]:
    """Where something is done that may switch an object, by the object's source."""
    key = "switched"
    if key not in file.cache:
        found: dict[str, list[Scope]] = {}
        for node in file.index.nodes[ast.Attribute]:
            if isinstance(node, ast.Attribute) and _SWITCHES.search(node.attr):
                found.setdefault(ast.unparse(node.value), []).append(file.index.scope_of(node))
        file.cache[key] = found
    switched: dict[str, list[Scope]] = file.cache[key]
    return switched


def _rows(loader: Loader) -> Rows | None:
    """The rows that a loader goes through, its sampler included."""
    assert loader.dataset is not None  # noqa: S101 (asked before)
    rows = rows_of(Origin(loader.frame, loader.dataset))
    if loader.given(4, "batch_sampler") is not None:
        return None
    sampler = loader.given(3, "sampler")
    if rows is None or sampler is None or (isinstance(sampler, ast.Constant) and sampler.value is None):
        return rows
    value = _sampler(loader, sampler)
    return rows.part("sampler", value) if value is not None else None


def _sampler(loader: Loader, sampler: ast.expr) -> object | None:
    """What tells the samples that a `SubsetRandomSampler` draws from others."""
    here = resolved(Origin(loader.frame, sampler))
    if not isinstance(here.node, ast.Call) or here.path or not here.node.args:
        return None
    if here.frame.name(here.node.func) not in _SUBSETS:
        return None
    index = resolved(Origin(here.frame, here.node.args[0], here.callers))
    rows = rows_of(index) if isinstance(index.node, ast.Subscript) else None
    if rows is not None:
        return (rows.base, rows.parts)
    key = expression_key(index, index.node)
    return (key, index.path) if key is not None else None


def _finding(file: File, trained: Loader, evaluated: Loader, shared: Rows) -> Finding:
    assert evaluated.dataset is not None  # noqa: S101 (asked before)
    related = [file.related(trained.call, f"`{trained.name}` is trained on")]
    if shared.origin.frame.file is file and shared.origin.node is not evaluated.dataset:
        related.append(file.related(shared.origin.node, "both come from here"))
    data = ast.unparse(evaluated.dataset)
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        evaluated.call,
        f"`{evaluated.name}` evaluates on `{data}`, and `{trained.name}` trains on the same samples",
        why="the score is that of samples that the model has seen, and says nothing about new ones",
        fix=Fix("Give each loader its own part of the data."),
        related=tuple(related),
    )


def _wrong_loader(file: File, node: ast.Assign, given: ast.expr, score: str, other: str) -> Finding:
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        given,
        f"`{score}` is computed on `{ast.unparse(given)}`, the samples that are trained on",
        why="the score is that of samples that the model has seen, and says nothing about new ones",
        fix=Fix(f"Give `{other}` instead, or call the result a training score."),
    )


_MOST = 20_000
"""So many samples of a pass are remembered, chosen by their hash."""

_READ = 200_000
"""So many samples of a pass are looked at."""

_LOADERS = 16
"""The samples of so many loaders are remembered."""

_FEWEST = 20
"""So many samples have to be the same."""

_SHARE = 0.1
"""Such a part of the evaluated samples has to be trained on."""


class _Content:
    """The samples that a loader gave in a pass.

    Args:
        epoch: the pass.
    """

    def __init__(self, epoch: Epoch) -> None:
        self.epoch = epoch
        self.base: Callable[[], Any] | None = None
        """The data set that the samples are from in the end, where it is one."""
        self.indices: dict[int, int] = {}
        """By index in that data set, the hash of the sample's targets, or of all of it."""
        self.hashes: dict[int, int | None] = {}
        """By hash of a sample, an index of it."""
        self.repeated: set[int] = set()
        self.repetitions = 0
        self.every = 1
        """Only such hashes are kept that this divides."""
        self.last = 0
        self.read = 0
        self.whole = False

    def add(self, dataset: Any, samples: Samples) -> None:
        """Takes the samples of a batch."""
        hashes = samples.hashes() if self.read < _READ else None
        if hashes is None:
            return
        self.read += len(hashes)
        indices = samples.indices
        if self.every == 1 and self.hashes.keys().isdisjoint(hashes) and len(set(hashes)) == len(hashes):
            self.hashes.update(zip(hashes, indices or repeat(None), strict=False))
        else:
            for position, value in enumerate(hashes):
                if value % self.every == 0:
                    self._add_hash(value, None if indices is None else indices[position])
        if samples.indices is not None:
            self._add_indices(dataset, samples, hashes)
        while len(self.hashes) > _MOST:
            self.every *= 2
            self.hashes = {one: at for one, at in self.hashes.items() if one % self.every == 0}

    def _add_hash(self, value: int, index: int | None) -> None:
        if value not in self.hashes:
            self.hashes[value] = index
        elif index is None or self.hashes[value] != index:
            self.repeated.add(value)
            self.repetitions += 1

    def _add_indices(self, dataset: Any, samples: Samples, hashes: list[int]) -> None:
        if len(self.indices) >= _MOST:
            return
        known = hashes if samples.targets is None else samples.target_hashes() or hashes
        base, places = bases_of(dataset, samples.indices or [])
        if self.base is None:
            self.base = _reference(base)
        if _is_same(self.base(), _reference(base)()):
            self.indices.update(zip(places, known, strict=False))

    def repeats(self) -> float:
        """The part of the samples that are in the data more than once."""
        kept = [value for value in self.repeated if value % self.every == 0]
        return (len(kept) + self.repetitions) / max(1, len(self.hashes) + self.repetitions)

    def same_indices(self, other: _Content) -> int:
        """How many samples of the other one are the same samples of the same data set."""
        if self.base is None or other.base is None or not _is_same(self.base(), other.base()):
            return 0
        both = [at for at in other.indices if at in self.indices]
        same = sum(self.indices[at] == other.indices[at] for at in both)
        made_up = same < 0.95 * len(both) or len({other.indices[at] for at in both}) < 2
        return 0 if made_up else len(both)

    def same_content(self, other: _Content) -> tuple[int, int]:
        """How many samples of the other one are here too, of how many that could be compared."""
        every = max(self.every, other.every)
        compared = [value for value in other.hashes if value % every == 0]
        return sum(value in self.hashes for value in compared), len(compared)


def _reference(dataset: Any) -> Callable[[], Any]:
    """A data set that is not kept alive; of a plain list, which takes no weak reference, a number."""
    try:
        return weakref.ref(dataset)
    except TypeError:
        number = id(dataset)
        return lambda: number


def _is_same(first: Any, second: Any) -> bool:
    """Whether two of these are of one data set."""
    return first is second or (type(first) is int and type(second) is int and first == second)


class Watch(Detector):
    """Looks whether samples that evaluate a model are among those that it was trained on last."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._contents: dict[int, _Content] = {}
        self._batches = 0

    def on_epoch_began(self, event: Event) -> None:
        """The first pass that goes to the end is looked at."""
        key, epoch = id(event.subject), event.epoch
        known = self._contents.get(key)
        if epoch.number > 0 and known is not None and (known.whole or epoch.number > 1):
            return
        self._contents.pop(key, None)
        self._contents[key] = _Content(epoch)
        while len(self._contents) > _LOADERS:
            del self._contents[next(iter(self._contents))]

    def on_batch(self, event: Event) -> None:
        """Remembers its samples."""
        content = self._contents.get(id(event.subject))
        if content is None:
            return
        self._batches += 1
        content.last = self._batches
        if content.epoch is event.epoch and event.subject is not None:
            content.add(event.subject.dataset, event.samples)

    def on_epoch_ended(self, event: Event) -> None:
        """Compares what was evaluated with what was trained on last."""
        content = self._contents.get(id(event.subject))
        if content is None or content.epoch is not event.epoch:
            return
        content.whole = True
        if not content.epoch.evaluates:
            return
        trained = [one for one in self._contents.values() if one is not content and one.epoch.trains]
        latest = max(trained, key=lambda one: one.last, default=None)
        if latest is not None and latest.epoch.shares_model(content.epoch):
            self._compare(latest, content, event)

    def _compare(self, trained: _Content, evaluated: _Content, event: Event) -> None:
        same, compared = trained.same_indices(evaluated), len(evaluated.indices)
        how = "the same samples of one data set"
        if same < max(_FEWEST, _SHARE * compared):
            same, compared = trained.same_content(evaluated)
            how = "samples with the same content"
            if same < max(_FEWEST, (_SHARE + 2 * trained.repeats()) * compared):
                return
        names = names_of(event.subject, event.frame)
        if is_held_out(names) and not _is_meant(event.frame):
            self._report(trained, evaluated, same / compared, how)

    def _report(self, trained: _Content, evaluated: _Content, share: float, how: str) -> None:
        self.found(
            f"{100 * share:.3g} % of the samples that this loader evaluates are trained on: {how}",
            why="the score is that of samples that the model has seen",
            place=evaluated.epoch.shown,
            fix="Give the loader the samples that were held out.",
            related=((trained.epoch.shown, "the model was trained on these"),),
            share=share,
            repeated_in_training=trained.repeats(),
        )


def _is_meant(frame: Any) -> bool:
    """Whether the program says that it wants to learn its samples by heart."""
    while frame is not None:
        if any(word in frame.f_code.co_name or word in frame.f_code.co_filename for word in _MEANT[:3]):
            return True
        frame = frame.f_back
    return False
