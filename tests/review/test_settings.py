"""[tool.torchstone.check]: found from below, every mistake in it told."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchstone.errors import ConfigError
from torchstone.review.settings import load


def write(folder: Path, text: str) -> Path:
    path = folder / "pyproject.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_nearest_file_with_the_section_counts(folder: Path) -> None:
    write(folder, '[tool.torchstone.check]\nignore = ["TS1"]\nfail-on = "error"\n')
    inner = folder / "a" / "b"
    inner.mkdir(parents=True)
    write(inner, "[project]\nname = 'torchstone-user'\n")
    settings = load([str(inner / "x.py"), str(folder / "a" / "y.py")])
    assert (settings.ignore, settings.fail_on, settings.root) == (["TS1"], "error", str(folder))
    assert load([str(inner)]).ignore == ["TS1"]


def test_without_a_file_the_defaults_hold(folder: Path) -> None:
    settings = load(["."])
    assert settings.select is None
    assert settings.source is None
    assert "node_modules" in settings.exclude


def test_all_that_is_wrong_is_told_at_once(folder: Path) -> None:
    write(
        folder,
        '[tool.torchstone.check]\nselct = ["TS1"]\nignore = "TS1"\nfail-on = "fatal"\n'
        'force-exclude = "yes"\nper-file-ignores = ["x"]\nbaseline = 3\n',
    )
    with pytest.raises(ConfigError) as caught:
        load(["."])
    message = str(caught.value)
    assert 'unknown key "selct". Did you mean "select"?' in message
    for key in ("ignore must be", "fail-on must be", "force-exclude must be", "per-file-ignores", "baseline"):
        assert key in message


@pytest.mark.parametrize("text", ["[tool.torchstone.check\n", "[tool.torchstone]\ncheck = 3\n"])
def test_a_file_that_is_not_toml_or_no_table(folder: Path, text: str) -> None:
    write(folder, text)
    with pytest.raises(ConfigError, match=r"pyproject\.toml"):
        load(["."])


def test_another_section_may_be_anything(folder: Path) -> None:
    write(folder, '[tool]\ntorchstone = "yes"\n')
    assert load(["."]).source is None


def test_a_file_that_was_asked_for_must_be_there(folder: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(["."], "other.toml")
    (folder / "other.toml").write_text('[tool.torchstone.check]\nselect = ["TS301"]\n', encoding="utf-8")
    assert load(["."], "other.toml").select == ["TS301"]
