"""The configuration: one name for a key everywhere, and every mistake told at once."""

from __future__ import annotations

import tomllib
import typing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchstone import config as configuration
from torchstone.config import SECTION_OF, SECTIONS, TrainConfig, TrainOptions, from_options, with_settings
from torchstone.errors import ConfigError


def test_keywords_of_train_are_the_keys_of_the_configuration() -> None:
    assert list(typing.get_type_hints(TrainOptions)) == list(SECTION_OF)


def test_keys_are_unique_over_sections() -> None:
    keys = [key for section in SECTIONS.values() for key in section.model_fields]
    assert len(keys) == len(set(keys))


def test_every_key_says_what_it_is() -> None:
    every = [(key, info) for section in SECTIONS.values() for key, info in section.model_fields.items()]
    assert [key for key, info in every if not info.description] == []


def test_options_land_in_their_sections() -> None:
    config = from_options({"target": "income", "lr": 0.1, "model_arguments": ["hidden=[64, 32]", "act=gelu"]})
    assert config.data.target == ["income"]
    assert config.training.lr == 0.1
    assert config.model.model_arguments == {"hidden": [64, 32], "act": "gelu"}


def test_target_may_count_from_the_end_and_missing_may_have_commas() -> None:
    config = from_options({"target": -1, "missing": "unknown,0"})
    assert config.data.target == ["-1"]
    assert config.data.missing == ["unknown", "0"]


def test_all_mistakes_are_told_at_once_with_the_likely_name() -> None:
    with pytest.raises(ConfigError) as caught:
        from_options({"lrate": 1, "epochs": 0, "precision": "float8", "batchsize": 3})
    text = str(caught.value)
    assert '"lrate" is not an option' in text
    assert 'Did you mean "batch_size"?' in text
    assert "epochs: expected at least 1, got 0" in text
    assert "precision: expected " in text


@pytest.mark.parametrize(
    ("setting", "read"),
    [
        ("training.lr=0.25", lambda c: c.training.lr == 0.25),
        ("lr=0.25", lambda c: c.training.lr == 0.25),
        (
            "training.optimizer_arguments.momentum=0.9",
            lambda c: c.training.optimizer_arguments == {"momentum": 0.9},
        ),
        ("model.model=mlp", lambda c: c.model.model == "mlp"),
        ("model=mlp", lambda c: c.model.model == "mlp"),
        ("training.deterministic=true", lambda c: c.training.deterministic is True),
        ('data.missing=["-1"]', lambda c: c.data.missing == ["-1"]),
    ],
)
def test_settings(setting: str, read: typing.Callable[[TrainConfig], bool]) -> None:
    assert read(with_settings(TrainConfig(), [setting]))


@pytest.mark.parametrize("setting", ["training.lrr=1", "lr", "training=1", "nothing.lr=1"])
def test_a_wrong_setting_is_named(setting: str) -> None:
    with pytest.raises(ConfigError, match=f"--set {setting}"):
        with_settings(TrainConfig(), [setting])


def test_later_sources_win(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(configuration.to_toml(from_options({"lr": 0.1, "epochs": 3, "model": "mlp"})))
    config = with_settings(from_options({"lr": 0.2}, configuration.from_toml(path)), ["epochs=5"])
    assert (config.training.lr, config.training.epochs, config.model.model) == (0.2, 5, "mlp")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[training]\nlr = ", "is not TOML"),
        ("[training]\nlearning_rate = 1", '"training.learning_rate" is not a configuration key'),
        ("[trainig]\nlr = 1", 'Did you mean "training"?'),
        ("version = 7", "has version 7"),
        ("[training]\nlr = -1", "lr: expected more than 0"),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        configuration.from_toml(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        configuration.from_toml(tmp_path / "none.toml")


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "lr": st.floats(1e-8, 10),
            "epochs": st.integers(1, 1000),
            "target": st.lists(st.text(min_size=1), max_size=3),
            "columns": st.dictionaries(st.text(min_size=1), st.sampled_from(["numeric", "text"])),
            "missing": st.lists(st.text().map(lambda text: text.replace(",", "").strip())),
            "optimizer_arguments": st.dictionaries(
                st.text("abc_", min_size=1), st.one_of(st.floats(0, 1), st.booleans(), st.text())
            ),
            "keep": st.sampled_from(["best", "last"]),
        },
    )
)
def test_toml_round_trip(options: dict[str, object]) -> None:
    config = from_options(options)
    assert TrainConfig.model_validate(tomllib.loads(configuration.to_toml(config))) == config


def test_a_pair_without_a_value_is_named_once() -> None:
    with pytest.raises(ConfigError) as raised:
        from_options({"columns": ["x0"]})
    assert raised.value.message == 'columns: expected name=value, got "x0".'


def test_paths_are_written_as_text(tmp_path: Path) -> None:
    config = configuration.from_options({"out": tmp_path / "run", "test": Path("test.csv")})
    assert (config.output.out, config.data.test) == (str(tmp_path / "run"), "test.csv")
