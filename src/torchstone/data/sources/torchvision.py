"""Data sets of torchvision that hold their pictures in memory: FashionMNIST, CIFAR10 and their kin."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from torchstone.config import DataConfig, SplitConfig
from torchstone.data.samples import Samples
from torchstone.data.sources.array import array_samples
from torchstone.errors import DataError, MissingExtraError, did_you_mean

_PREFIX = "torchvision:"
_LARGEST = 256
"""The longest side of a picture in a data set that is held in memory."""


def matches(data: Any) -> bool:
    """Whether data is `torchvision:NAME`."""
    return isinstance(data, str) and data.startswith(_PREFIX)


def load(data: Any, config: DataConfig, split: SplitConfig) -> Samples:
    """The published training and test pictures, uint8 `(N, C, H, W)`; the published test split is kept.

    Raises:
        DataError: no `--root`, no such data set, or its files are not below the root.
        MissingExtraError: torchvision is not installed.
    """
    name = data.removeprefix(_PREFIX)
    dataset = _class(name)
    if config.root is None:
        raise DataError(f"{data} needs the folder of its files.", hint="Give it with --root FOLDER.")
    root = Path(config.root).expanduser()
    train, test = (_open(dataset, name, root, training) for training in (True, False))
    pictures = [_pictures(part, name) for part in (train, test)]
    labels = [_labels(part) for part in (train, test)]
    classes = getattr(train, "classes", None)
    targets = _targets(np.concatenate(labels), classes)
    samples = array_samples(name, np.concatenate(pictures), targets)
    samples.given_split = np.repeat(np.array([0, 2], dtype=np.int8), [len(part) for part in labels])
    samples.files = [f"{name} train", f"{name} test"]
    samples.file_of = np.repeat(np.array([0, 1], dtype=np.int32), [len(part) for part in labels])
    samples.row_of = np.concatenate([np.arange(1, len(part) + 1, dtype=np.int64) for part in labels])
    samples.notes = [f"{name}: {len(labels[0])} pictures to train on, {len(labels[1])} published for test."]
    return samples


def _class(name: str) -> Any:
    try:
        from torchvision import datasets
    except ImportError:
        raise MissingExtraError("torchvision", "vision") from None
    if name not in datasets.__all__:
        raise DataError(
            f"torchvision has no data set {name}.",
            hint=did_you_mean(name, datasets.__all__) or "Such as torchvision:FashionMNIST.",
        )
    return getattr(datasets, name)


def _open(dataset: Any, name: str, root: Path, training: bool) -> Any:
    known = inspect.signature(dataset).parameters
    arguments: dict[str, Any] = {"root": root}
    if "train" in known:
        arguments["train"] = training
    elif "split" in known:
        arguments["split"] = "train" if training else "test"
    if name == "EMNIST":
        arguments |= {"split": "balanced", "train": training}
    try:
        return dataset(**arguments)
    except (RuntimeError, OSError, TypeError, ValueError) as error:
        first = str(error).strip().split("\n", 1)[0]
        raise DataError(
            f"torchvision cannot open {name} in {root}: {first}",
            hint=f'Download it with: python -c "import torchvision; torchvision.datasets.{name}('
            f'{str(root)!r}, download=True)"',
        ) from None


def _pictures(part: Any, name: str) -> np.ndarray:
    """The pictures as uint8 `(N, C, H, W)`."""
    if not hasattr(part, "data") or not hasattr(part.data, "shape"):
        raise DataError(
            f"torchvision:{name} keeps its pictures in files, not in memory.",
            hint="Data sets such as FashionMNIST, MNIST, CIFAR10 and SVHN can be given by name.",
        )
    pixels = np.asarray(part.data)
    if pixels.dtype != np.uint8 or pixels.ndim not in (3, 4) or max(pixels.shape[1:3]) > _LARGEST:
        raise DataError(
            f"torchvision:{name} holds {pixels.dtype} {pixels.shape}, expected pictures of bytes."
        )
    if pixels.ndim == 3:
        return pixels[:, None]
    if pixels.shape[-1] in (1, 3) and pixels.shape[1] not in (1, 3):
        return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    return pixels


def _labels(part: Any) -> np.ndarray:
    labels = part.targets if hasattr(part, "targets") else part.labels
    return np.asarray(labels).astype(np.int64)


def _targets(labels: np.ndarray, classes: Any) -> pl.DataFrame:
    """The names of the classes where the data set has them, else the numbers."""
    if classes is None or len(classes) <= int(labels.max()) or len(set(classes)) < len(classes):
        return pl.DataFrame({"target": labels})
    names = [str(name) for name in classes]
    words = np.array(names, dtype=object)[labels]
    return pl.DataFrame([pl.Series("target", words.tolist(), dtype=pl.Enum(names))])
