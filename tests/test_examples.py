"""The scripts under examples/, as a user runs them, and that something is learned in each."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def run_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a script in an empty folder, in which it must leave nothing; gives its names."""
    monkeypatch.chdir(tmp_path)

    def run(name: str) -> dict[str, Any]:
        names = runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        assert list(tmp_path.iterdir()) == []
        return names

    return run


def test_a_plain_module_tells_digits_apart(run_example: Any) -> None:
    names = run_example("plain_module.py")
    assert names["accuracy"]["value"] > 0.93
    assert names["run"].module is names["model"]


def test_the_autoencoder_halves_the_error_of_the_mean_picture(run_example: Any) -> None:
    names = run_example("autoencoder.py")
    assert names["error"] < 0.5 * names["of_the_mean"]
    history = names["run"].history
    assert history["val_loss"][-1] < 0.5 * history["val_loss"][0]
    assert history["val_loss"].min() == pytest.approx(names["error"], rel=1e-4)


def test_the_contrastive_embedding_knows_digits_better_than_pixels_do(run_example: Any) -> None:
    names = run_example("contrastive.py")
    assert names["learned"] > names["pixels"] > 0.5


def test_the_gan_draws_pixels_like_the_real_ones(run_example: Any) -> None:
    names = run_example("gan.py")
    assert names["distance"]() < 0.6 * names["before"]
    made = names["net"](names["noise"])
    assert made.std(0).mean() > 0.3  # not one picture for all noise


def test_every_example_is_tested() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    for script in EXAMPLES.glob("*.py"):
        assert f'run_example("{script.name}")' in text
