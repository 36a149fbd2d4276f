"""Which mistakes are looked for: codes, beginnings of codes, names, layers, patterns of files."""

from __future__ import annotations

import sys

import pytest

from torchstone.errors import ConfigError
from torchstone.review.catalogue import load_catalogue
from torchstone.review.index import entries
from torchstone.review.selection import UNUSED_IGNORE, Entry, Layer, choose

CATALOGUE = (
    Entry("TS101", "missing-zero-grad", "error"),
    Entry("TS106", "retain-graph", "warning"),
    Entry("TS301", "softmax-before-cross-entropy", "error"),
    Entry("TS505", "unused-parameters", "advice"),
)


def chosen(*layers: Layer) -> set[str]:
    return set(choose(CATALOGUE, layers).codes)


def test_errors_and_warnings_unless_something_is_said() -> None:
    assert chosen() == {"TS101", "TS106", "TS301"}


@pytest.mark.parametrize(
    ("select", "codes"),
    [
        (["TS1"], {"TS101", "TS106"}),
        (["ts101"], {"TS101"}),
        (["retain-graph", "TS5"], {"TS106", "TS505"}),
        (["all"], {"TS101", "TS106", "TS301", "TS505"}),
        ([], set()),
    ],
)
def test_select(select: list[str], codes: set[str]) -> None:
    assert chosen(Layer(select)) == codes


def test_the_more_exact_word_counts_whichever_way_round() -> None:
    assert chosen(Layer(["TS1"], ["TS101"])) == {"TS106"}
    assert chosen(Layer(["TS101"], ["TS1"])) == {"TS101"}
    assert chosen(Layer(["TS101"], ["missing-zero-grad"])) == set()


def test_a_later_layer_adds_or_begins_anew() -> None:
    settings = Layer(["TS1"], ["TS106"])
    assert chosen(settings, Layer(extend_select=["TS5"])) == {"TS101", "TS505"}
    assert chosen(settings, Layer(["TS106"])) == {"TS106"}
    assert chosen(settings, Layer(ignore=["TS101"])) == set()


def test_an_unknown_word_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match='Did you mean "missing-zero-grad"'):
        chosen(Layer(["missing-zerograd"]))
    with pytest.raises(ConfigError, match='no mistake "TS9"'):
        chosen(Layer(ignore=["TS9"]))


def test_codes_that_do_not_count_in_some_files() -> None:
    selection = choose(CATALOGUE, (), {"tests/*": ["TS1"], "*.ipynb": ["all"]})
    assert selection.of("/p/tests/a.py", "/p") == {"TS301"}
    assert selection.of("/p/lib/a.py", "/p") == {"TS101", "TS106", "TS301"}
    assert selection.of("/p/lib/a.ipynb", "/p") == set()


def test_the_index_is_the_catalogue_without_importing_it() -> None:
    found, *others = entries()
    assert found == UNUSED_IGNORE
    assert [entry.code for entry in others] == [mistake.code for mistake in load_catalogue()]
    for entry in others:
        module = sys.modules[entry.module]
        assert (entry.code, entry.name, entry.severity) == (module.CODE, module.NAME, module.SEVERITY)
        assert entry.mentions == getattr(module, "MENTIONS", ()), entry.code
        assert entry.involves == getattr(module, "INVOLVES", ()), entry.code
