"""Evaluation data goes through random transforms.

## What it does
Follows the transform of each data set back to the list that `Compose` is given, and reports torchvision's
random transforms where the data is validation or test data: by `train=False` or `split="test"`, by the name
of the data set or of the transform, or because a split of one data set gives both parts.

A watched run compares the samples of a loader of validation or test data from one pass to the next: it
reports inputs that differ where index and label are the same.

## Why is this bad?
Each evaluation sees other pictures, harder than those that the model is meant for. The score is too low, and
it changes from one time to the next by chance, so the choice of the best epoch is partly luck.

## References
- [Transforming images](https://docs.pytorch.org/vision/stable/transforms.html)
- [random_split](https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.random_split)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector
from torchstone.review.epochs import is_held_out, names_of
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.loaders import (
    Loader,
    assigned_names,
    is_held_out_name,
    is_training_name,
    loaders,
)
from torchstone.review.syntax.origins import Origin, resolved

if TYPE_CHECKING:
    from torchstone.review.epochs import Epoch, Samples
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS405"
NAME = "augmentation-in-evaluation"
SEVERITY: Severity = "warning"
MENTIONS = ("torchvision", "Compose")

BAD = (
    Example(
        """
        from torchvision import datasets, transforms

        transform = transforms.Compose([
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
        ])
        train_set = datasets.CIFAR10("data", train=True, transform=transform)
        test_set = datasets.CIFAR10("data", train=False, transform=transform)  # TS405
        """
    ),
    Example(
        """
        from torch.utils.data import DataLoader, random_split
        from torchvision import datasets, transforms

        transform = transforms.Compose([transforms.RandomResizedCrop(64), transforms.ToTensor()])
        data = datasets.ImageFolder("flowers", transform=transform)
        train_set, val_set = random_split(data, [0.8, 0.2])
        train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
        val_loader = DataLoader(val_set, batch_size=32)  # TS405
        """
    ),
)
GOOD = (
    """
    from torchvision import datasets, transforms

    augment = transforms.Compose([transforms.RandomHorizontalFlip(), transforms.ToTensor()])
    plain = transforms.ToTensor()
    train_set = datasets.FakeData(10, transform=augment)
    test_set = datasets.FakeData(10, transform=plain)
    """,
)

_RANDOM = words("ColorJitter AutoAugment RandAugment TrivialAugmentWide AugMix ElasticTransform")
_MEANT = re.compile(
    r"\btta\b|test_?time_aug|contrastive|simclr|moco|byol|two_?crop|views|augmented|corrupt|perturb|robust|"
    r"augment(?:ing)? (?:the )?(?:train\w*,? ?(?:and|&|/) ?)?(?:val|test)",
    re.IGNORECASE,
)
_PATH = re.compile(r"(?:^|[/\\])(?:val|valid|validation|test|testing)(?:[/\\]|$)")


def check(file: File) -> Iterator[Finding]:
    """Looks at transforms that are called those of evaluation, at evaluation data sets, and at splits."""
    text = file.source.text
    if "torchvision" not in text or "Compose" not in text or _MEANT.search(text):
        return
    reported: set[ast.AST] = set()
    for compose in file.index.calls_by_name.get("Compose", ()):
        step = _random_step(Origin(file.frame_of(compose), compose))
        names = assigned_names(file, compose)
        if step is not None and names and _are_held_out(names):
            reported.add(compose)
            yield _named(file, step, names[0])
    trained = {id(_made(each).node) for each in loaders(file) if each.trains and each.dataset is not None}
    for call in _data_sets(file):
        transform = _transform(file, call)
        step = _random_step(transform) if transform is not None else None
        if transform is None or step is None or transform.node in reported or id(call) in trained:
            continue
        if _is_evaluated(file, call) and not _is_asked_for(file, call):
            yield _of_data_set(file, call, transform, step)
    yield from _split(file)


def _are_held_out(names: list[str]) -> bool:
    return all(is_held_out_name(name) and not is_training_name(name) for name in names)


def _data_sets(file: File) -> Iterator[ast.Call]:
    """The calls that make a data set and name a transform."""
    for call in file.index.calls():
        if len(call.args) + len(call.keywords) > 1 and not any(isinstance(a, ast.Starred) for a in call.args):
            name = file.name(call.func) or ""
            torchvision = name.startswith("torchvision.datasets.")
            if torchvision or any(keyword.arg == "transform" for keyword in call.keywords):
                yield call


def _transform(file: File, call: ast.Call) -> Origin | None:
    """What a data set transforms its pictures with."""
    frame = file.frame_of(call)
    for keyword in call.keywords:
        if keyword.arg == "transform":
            return resolved(Origin(frame, keyword.value))
    position = 1 if (frame.name(call.func) or "").endswith("Folder") else 2
    return resolved(Origin(frame, call.args[position])) if len(call.args) > position else None


def _random_step(transform: Origin) -> ast.Call | None:
    """The first random transform in the list of a `Compose`."""
    node = transform.node
    if not isinstance(node, ast.Call) or transform.path or not node.args:
        return None
    name = transform.frame.name(node.func) or ""
    if not name.startswith("torchvision.transforms.") or not name.endswith(".Compose"):
        return None
    steps = resolved(Origin(transform.frame, node.args[0], transform.callers)).node
    for step in steps.elts if isinstance(steps, ast.List | ast.Tuple) else ():
        if isinstance(step, ast.Call):
            name = transform.frame.name(step.func) or ""
            last = name.rsplit(".", 1)[-1]
            random = last.startswith("Random") or last in _RANDOM
            if name.startswith("torchvision.transforms.") and random and not _is_off(step):
                return step
    return None


def _is_off(step: ast.Call) -> bool:
    """Whether a random transform does the same each time: `p=0`, `p=1` of a flip."""
    given = [k.value for k in step.keywords if k.arg == "p"]
    if ast.unparse(step.func).endswith("Flip"):
        given += step.args[:1]
    return any(isinstance(each, ast.Constant) and each.value in (0, 1) for each in given)


def _is_evaluated(file: File, call: ast.Call) -> bool:
    """Whether a data set is validation or test data, by its arguments or its name."""
    for keyword in call.keywords:
        if isinstance(keyword.value, ast.Constant):
            if keyword.arg == "train":
                return keyword.value.value is False
            if keyword.arg in ("split", "image_set"):
                return keyword.value.value in ("test", "val", "valid")
    names = assigned_names(file, call)
    if any(is_training_name(name) for name in names):
        return False
    first = call.args[0] if call.args else None
    path = (
        isinstance(first, ast.Constant) and isinstance(first.value, str) and bool(_PATH.search(first.value))
    )
    return path or (bool(names) and _are_held_out(names))


def _is_asked_for(file: File, call: ast.Call) -> bool:
    """Whether a function that gives evaluation data is told how much to augment it."""
    scope = file.index.scope_of(call)
    return scope.is_function and any(
        binding.kind == "parameter" and "augment" in name.lower()
        for name, bindings in scope.bindings.items()
        for binding in bindings
    )


def _made(loader: Loader) -> Origin:
    assert loader.dataset is not None  # noqa: S101 (asked before)
    return resolved(Origin(loader.frame, loader.dataset))


def _split(file: File) -> Iterator[Finding]:
    """Loaders of the evaluated part of a data set that transforms at random."""
    if ".dataset." in file.source.text or "deepcopy" in file.source.text:
        return  # perhaps the transform of the part is set afterwards
    trained = _trained(file)
    for loader in loaders(file):
        if not loader.is_held_out or loader.dataset is None or loader.frame.file is not file:
            continue
        here = _made(loader)
        sampled = loader.given(3, "sampler") is not None
        whole = _whole(here) if not sampled else here
        if whole is None or not isinstance(whole.node, ast.Call) or whole.path:
            continue
        others = [call for call in trained.get(whole.node, ()) if call is not loader.call]
        if whole.frame.file is not file or (sampled and not others):
            continue
        transform = _transform(file, whole.node)
        step = _random_step(transform) if transform is not None else None
        if step is not None and transform is not None:
            yield _of_split(file, loader, transform, step)


def _whole(here: Origin) -> Origin | None:
    """The data set that a split divides."""
    node = here.node
    if not isinstance(node, ast.Call) or not node.args:
        return None
    name = here.frame.name(node.func)
    if name == "torch.utils.data.Subset" or (name == "torch.utils.data.random_split" and here.path):
        return resolved(Origin(here.frame, node.args[0], here.callers))
    return None


def _trained(file: File) -> dict[ast.AST, list[ast.Call]]:
    """The training loaders by the data set that they load from."""
    found: dict[ast.AST, list[ast.Call]] = {}
    for loader in loaders(file):
        if loader.is_for_training and loader.dataset is not None:
            found.setdefault(_made(loader).node, []).append(loader.call)
    return found


def _named(file: File, step: ast.Call, name: str) -> Finding:
    return _finding(
        file, step, f"`{name}` has the random `{ast.unparse(step.func)}`, and evaluates by its name"
    )


def _of_data_set(file: File, call: ast.Call, transform: Origin, step: ast.Call) -> Finding:
    names = assigned_names(file, call)
    told = names[0] if names else ast.unparse(call.func)
    message = f"`{told}` is evaluated on, and goes through the random `{ast.unparse(step.func)}`"
    return _finding(file, call, message, step if transform.frame.file is file else None)


def _of_split(file: File, loader: Loader, transform: Origin, step: ast.Call) -> Finding:
    message = (
        f"`{loader.name}` evaluates on a part of the data that is trained on, "
        f"with its random `{ast.unparse(step.func)}`"
    )
    return _finding(file, loader.call, message, step if transform.frame.file is file else None)


def _finding(file: File, node: ast.expr, message: str, step: ast.expr | None = None) -> Finding:
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        node,
        message,
        why="the score is too low, and another one each time that it is taken",
        fix=Fix("Give the evaluation data a transform of its own, without random parts."),
        related=(file.related(step, "random here"),) if step is not None else (),
    )


_SAMPLES = 512
"""So many samples of a loader are compared."""

_LOADERS = 16
"""So many loaders are remembered."""

_PASSES = 4
"""So many passes are looked at."""


class _Memory:
    """What a loader gave in its first pass, by index, and what came of it later.

    Args:
        epoch: the first pass.
    """

    def __init__(self, epoch: Epoch) -> None:
        self.first = epoch
        self.samples: dict[int, tuple[int, int]] = {}
        self.compared = 0
        self.other_inputs = 0
        self.other_targets = 0

    def take(self, samples: Samples, epoch: Epoch) -> None:
        """Remembers the samples of a batch, or compares them."""
        inputs, targets = samples.input_hashes(), samples.target_hashes()
        if inputs is None or targets is None or samples.indices is None:
            return
        for index, *now in zip(samples.indices, inputs, targets, strict=True):
            if epoch is self.first:
                if len(self.samples) < _SAMPLES:
                    self.samples[index] = (now[0], now[1])
            elif index in self.samples:
                before = self.samples[index]
                self.compared += 1
                self.other_inputs += before[0] != now[0]
                self.other_targets += before[1] != now[1]

    def are_augmented(self) -> bool:
        """Whether inputs differ from pass to pass, and their labels do not."""
        labels = {target for _, target in self.samples.values()}
        changing = self.compared >= 8 and 2 * self.other_inputs >= self.compared
        return changing and not self.other_targets and len(labels) > 1


class Watch(Detector):
    """Looks whether samples that are only evaluated differ from one pass to the next."""

    PAUSES = frozenset({"batch"})

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._memories: dict[int, _Memory] = {}

    def on_batch(self, event: Event) -> None:
        """Its samples."""
        samples, epoch, key = event.samples, event.epoch, id(event.subject)
        if epoch.learned or epoch.number >= _PASSES or samples.indices is None or not _are_labelled(samples):
            return
        if epoch.number == 0 and (key not in self._memories or self._memories[key].first is not epoch):
            self._memories.pop(key, None)
            self._memories[key] = _Memory(epoch)
            while len(self._memories) > _LOADERS:
                del self._memories[next(iter(self._memories))]
        known = self._memories.get(key)
        if known is not None and known.first.loader is event.subject:
            known.take(samples, epoch)

    def on_epoch_ended(self, event: Event) -> None:
        """Judges the pass, where the loader is one of evaluation."""
        known, epoch = self._memories.get(id(event.subject)), event.epoch
        if known is None or known.first is epoch or known.first.loader is not event.subject:
            return
        if not (known.first.evaluates and epoch.evaluates and known.are_augmented()):
            return
        del self._memories[id(event.subject)]
        names = names_of(event.subject, event.frame)
        if is_held_out(names) and not any(_MEANT.search(each) for name in names for each in _spellings(name)):
            share = known.other_inputs / known.compared
            self.found(
                f"{100 * share:.3g} % of the samples that this loader evaluates differ from one pass to the "
                "next, with the same index and label",
                why="each evaluation sees other samples, harder than those that the model is meant for",
                place=epoch.shown,
                fix="Give the evaluated data transforms without chance.",
                related=((epoch.place, "this pass differs from the first"),) if epoch.made else (),
                share=share,
                compared=known.compared,
            )


def _spellings(name: str) -> tuple[str, str]:
    """A name as it is, and in words."""
    return name, name.replace("_", " ")


def _are_labelled(samples: Samples) -> bool:
    """Whether inputs are real numbers, and each has one label."""
    inputs, targets = samples.inputs, samples.targets
    return (
        targets is not None
        and inputs is not targets
        and inputs.is_floating_point()
        and targets.numel() == samples.count < inputs.numel()
    )
