"""What a training is asked to do: one model per section of `config.toml`, each key also a flag and a keyword.

A key has one name everywhere: `lr` is `--lr` on the command line, `lr=` in Python, `lr` under `[training]`
in `config.toml`, and `--set training.lr=0.1`. Values come from, in rising order: defaults, `--config`,
flags or keywords, `--set`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from torchstone.errors import ConfigError, did_you_mean

VERSION = 1


def _from_pairs(value: object, read: Callable[[str], Any]) -> object:
    """A list of `name=value` texts as a dictionary; anything else as it is."""
    if not isinstance(value, list | tuple):
        return value
    for item in value:
        if "=" not in item:
            raise ValueError(f'expected name=value, got "{item}"')
    return {name: read(text) for name, _, text in (item.rpartition("=") for item in value)}


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text.strip()


class Section(BaseModel):
    """One table of `config.toml`."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=(), use_attribute_docstrings=True)


class DataConfig(Section):
    """Which data, and how it is read."""

    target: list[str] = []
    """The target column; several for multilabel. -1 counts from the end. Default: a column called
    target, label, class or y, else the last one."""
    task: Literal["auto", "binary", "multiclass", "multilabel", "regression"] = "auto"
    """What is to be learned. Default: found from the target, and said."""
    test: str | None = None
    """A file with the test rows."""
    val: str | None = None
    """A file with the validation rows."""
    columns: dict[str, str] = {}
    """The kind of a column where the guess is wrong, as name=kind: numeric, categorical, boolean, datetime,
    text, identifier, constant or drop."""
    missing: list[str] = []
    """Values that mean "missing" in this data, besides the usual ones."""
    root: str | None = None
    """The folder of a data set named torchvision:NAME."""
    separator: str | None = None
    """The separator of a text table. Default: found out, and said."""
    encoding: str | None = None
    """The encoding of a text table. Default: found out, and said."""
    header: bool | None = None
    """Whether a text table's first line holds the column names. Default: found out, and said."""

    @field_validator("target", "missing", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        if value is None:
            return []
        if isinstance(value, str | int):
            value = [value]
        return [str(item) for item in value] if isinstance(value, list | tuple) else value

    @field_validator("missing", mode="after")
    @classmethod
    def _commas(cls, value: list[str]) -> list[str]:
        return [part.strip() for item in value for part in item.split(",")]

    @field_validator("columns", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        return _from_pairs(value, lambda text: text)


class SplitConfig(Section):
    """How rows are divided into training, validation and test."""

    val_fraction: float = Field(0.1, ge=0, lt=1)
    """The share of rows for validation."""
    test_fraction: float = Field(0.1, ge=0, lt=1)
    """The share of rows for test."""
    split_column: str | None = None
    """A column that says train, val or test for each row."""
    group: str | None = None
    """A column whose equal values stay on one side of the split."""
    time: str | None = None
    """A column to cut by: the oldest rows train, the newest test."""


class ModelConfig(Section):
    """Which model."""

    model: str = "auto"
    """A name that `torchstone models` lists, or file.py:Class of your own."""
    model_arguments: dict[str, Any] = {}
    """Arguments of the model, as name=value, such as hidden=256."""

    @field_validator("model_arguments", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        return _from_pairs(value, _toml_value)


class TrainingConfig(Section):
    """How the model is trained."""

    epochs: int | None = Field(None, ge=1)
    """The most passes over the training rows. Default: the model's own."""
    max_time: float | None = Field(None, gt=0)
    """Stop after this many seconds of training, keeping the best weights."""
    batch_size: int | None = Field(None, ge=1)
    """Rows per step. Default: chosen from the number of rows, and said."""
    accumulate: int = Field(1, ge=1)
    """Batches whose gradients make one step."""
    optimizer: str | None = None
    """A class of torch.optim, in any case: adamw, sgd, rmsprop. Default: the model's own."""
    optimizer_arguments: dict[str, Any] = {}
    """Further arguments of the optimizer, as name=value, such as momentum=0.9."""
    lr: float | None = Field(None, gt=0)
    """The learning rate. Default: the model's own."""
    weight_decay: float | None = Field(None, ge=0)
    """Decay of weights, never of biases and normalisation. Default: the model's own."""
    scheduler: str | None = None
    """none, cosine, onecycle, or a class of torch.optim.lr_scheduler. Default: the model's own."""
    scheduler_arguments: dict[str, Any] = {}
    """Further arguments of the scheduler, as name=value."""
    warmup: float = Field(0.0, ge=0)
    """Epochs over which the learning rate rises from near zero."""
    loss: str | None = None
    """A loss of torch.nn that fits the task, such as CrossEntropyLoss or HuberLoss. Default: the task's."""
    loss_arguments: dict[str, Any] = {}
    """Further arguments of the loss, as name=value."""
    class_weights: Literal["none", "balanced"] = "none"
    """balanced weighs each class by the inverse of its share."""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Share of the target spread over all classes."""
    clip: float | None = Field(None, gt=0)
    """The largest norm of the gradients."""
    average: Literal["none", "ema", "swa"] = "none"
    """Average of the weights over steps (ema) or epochs (swa), used for validation and kept."""
    average_decay: float = Field(0.999, gt=0, lt=1)
    """Decay of the ema average, per step."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Mixed precision of forward and loss. auto: bfloat16 on a GPU that has it, else float32."""
    compile: bool = False
    """Compile the model with torch.compile."""
    device: str = "auto"
    """cpu, cuda, cuda:1, mps. auto: the first there is, and it is said."""
    seed: int = Field(0, ge=0)
    """Seed of the split, the initial weights and the order of rows."""
    deterministic: bool = False
    """Only operations that give the same bits each time."""
    monitor: str = "val_loss"
    """The metric that decides which epoch is best: val_loss or a metric of the task."""
    patience: int | None = Field(None, ge=0)
    """Stop after this many epochs without improvement; 0 never stops. Default: the model's own."""
    min_delta: float = Field(0.0, ge=0)
    """The least change of the monitored metric that counts as an improvement."""
    keep: Literal["best", "last"] = "best"
    """The weights that the run ends with. Default: best, or what the recipe says."""
    log_every: int | None = Field(None, ge=1)
    """Steps between two records of the training loss. Default: about 20 an epoch."""
    save_every: float = Field(30.0, ge=0)
    """Least seconds between two checkpoints; one is always made at the end and when stopped."""

    @field_validator("optimizer_arguments", "scheduler_arguments", "loss_arguments", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        return _from_pairs(value, _toml_value)


class OutputConfig(Section):
    """Where the run is kept."""

    out: str | None = None
    """The run directory. Default: runs/ and a readable name."""


class TrainConfig(Section):
    """All that `torchstone train` is asked to do; `config.toml` holds it."""

    version: int = VERSION
    source: list[str] = []
    data: DataConfig = DataConfig()
    split: SplitConfig = SplitConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    output: OutputConfig = OutputConfig()


SECTIONS: dict[str, type[Section]] = {
    "data": DataConfig,
    "split": SplitConfig,
    "model": ModelConfig,
    "training": TrainingConfig,
    "output": OutputConfig,
}
"""The sections in the order of `config.toml`."""

SECTION_OF: dict[str, str] = {key: name for name, section in SECTIONS.items() for key in section.model_fields}
"""The section of each key; keys are unique over all sections."""


class TrainOptions(TypedDict, total=False):
    """The keywords of `ts.train`, key for key the flags of `torchstone train` (see `TrainConfig`)."""

    target: str | int | list[str]
    task: Literal["auto", "binary", "multiclass", "multilabel", "regression"]
    test: str | Path | None
    val: str | Path | None
    columns: dict[str, str]
    missing: str | list[str]
    root: str | Path | None
    separator: str | None
    encoding: str | None
    header: bool | None
    val_fraction: float
    test_fraction: float
    split_column: str | None
    group: str | None
    time: str | None
    model: str
    model_arguments: dict[str, Any]
    epochs: int | None
    max_time: float | None
    batch_size: int | None
    accumulate: int
    optimizer: str | None
    optimizer_arguments: dict[str, Any]
    lr: float | None
    weight_decay: float | None
    scheduler: str | None
    scheduler_arguments: dict[str, Any]
    warmup: float
    loss: str | None
    loss_arguments: dict[str, Any]
    class_weights: Literal["none", "balanced"]
    label_smoothing: float
    clip: float | None
    average: Literal["none", "ema", "swa"]
    average_decay: float
    precision: Literal["auto", "float32", "bfloat16", "float16"]
    compile: bool
    device: str
    seed: int
    deterministic: bool
    monitor: str
    patience: int | None
    min_delta: float
    keep: Literal["best", "last"]
    log_every: int | None
    save_every: float
    out: str | Path | None


def from_options(options: dict[str, Any], base: TrainConfig | None = None) -> TrainConfig:
    """A configuration from flat keys (`lr`, `target`, ...) laid over `base`.

    Raises:
        ConfigError: names every unknown key and every value out of range at once.
    """
    values = (base or TrainConfig()).model_dump(exclude_unset=True)
    problems = []
    for key, value in options.items():
        if key == "source":
            values["source"] = value
        elif key in SECTION_OF:
            written = str(value) if isinstance(value, Path) else value
            values.setdefault(SECTION_OF[key], {})[key] = written
        else:
            problems.append(f'"{key}" is not an option of train. {did_you_mean(key, SECTION_OF)}'.strip())
    return _validated(values, problems)


def from_toml(path: str | Path) -> TrainConfig:
    """The configuration in a file as `config.toml` of a run.

    Raises:
        ConfigError: the file is missing, is not TOML, or holds unknown keys or values out of range.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    if values.get("version", VERSION) != VERSION:
        raise ConfigError(f"{path} has version {values['version']}; this torchstone reads version {VERSION}.")
    return _validated(values, [], where=f"{path}: ")


def with_settings(config: TrainConfig, settings: list[str]) -> TrainConfig:
    """`config` with each `section.key=value` (or `key=value`) set; values are read as TOML, else as text.

    Raises:
        ConfigError: a setting without `=`, an unknown key or a value out of range.
    """
    values = config.model_dump(exclude_unset=True)
    problems = []
    for setting in settings:
        path, equals, text = setting.partition("=")
        parts = path.strip().split(".")
        if parts[0] in SECTION_OF and (len(parts) == 1 or parts[0] not in SECTIONS):
            parts.insert(0, SECTION_OF[parts[0]])
        is_key = len(parts) > 1 and parts[0] in SECTIONS and parts[1] in SECTIONS[parts[0]].model_fields
        if not equals or not is_key:
            known = [f"{section}.{key}" for key, section in SECTION_OF.items()]
            hint = did_you_mean(path, known) or f"Sections: {', '.join(SECTIONS)}."
            problems.append(f"--set {setting}: expected section.key=value with a known key. {hint}")
            continue
        place = values
        for part in parts[:-1]:
            place = place.setdefault(part, {})
        place[parts[-1]] = _toml_value(text)
    return _validated(values, problems)


def to_toml(config: TrainConfig) -> str:
    """`config` as the text of `config.toml`: every value that is not None, section by section."""
    import tomli_w

    values = config.model_dump(exclude_none=True)
    return tomli_w.dumps(values)


def _validated(values: dict[str, Any], problems: list[str], where: str = "") -> TrainConfig:
    try:
        config = TrainConfig.model_validate(values)
    except ValidationError as error:
        problems += [_sentence(detail) for detail in error.errors()]
    if problems:
        raise ConfigError("\n".join(where + problem for problem in problems))
    return config


def _sentence(detail: Any) -> str:
    """One pydantic error in the user's words."""
    parts = [str(part) for part in detail["loc"]]
    path = ".".join(parts)
    if detail["type"] == "extra_forbidden":
        known = SECTIONS[parts[0]].model_fields if parts[0] in SECTIONS else {**SECTIONS, "source": 0}
        return f'"{path}" is not a configuration key. {did_you_mean(parts[-1], known)}'.strip()
    message = _expected(detail)
    got = "" if ", got " in message else f", got {detail['input']!r}"
    return f"{parts[-1] if len(parts) <= 2 else path}: {message}{got}."


_EXPECTED = {
    "greater_than_equal": "at least {ge:g}",
    "greater_than": "more than {gt:g}",
    "less_than_equal": "at most {le:g}",
    "less_than": "less than {lt:g}",
    "finite_number": "a finite number",
    "literal_error": "{expected}",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "names with values",
}
"""What pydantic wanted, by the type of its error."""


def _expected(detail: Any) -> str:
    """What was wanted, in the words of all other messages."""
    wanted = _EXPECTED.get(detail["type"])
    if wanted is not None:
        return f"expected {wanted.format(**detail.get('ctx', {}))}"
    message = str(detail["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
