"""Which mistakes are looked for: by code, by the beginning of a code, or by name, as in ruff."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from torchstone.errors import ConfigError, did_you_mean
from torchstone.finding import Severity
from torchstone.review.patterns import matches

ALL = "all"
_PREFIX = re.compile(r"ts\d{0,3}")


@dataclass(frozen=True)
class Entry:
    """What selection has to know of a mistake."""

    code: str
    name: str
    severity: Severity
    module: str = ""
    """Where its rule is; empty for what is no rule of the catalogue."""
    mentions: tuple[str, ...] = ()
    """What a file has to mention before the rule is worth importing; see `torchstone.review.mistake`."""
    involves: tuple[str, ...] = ()
    """What it, or another file of the project, has to mention."""
    is_read: bool = True
    """Whether source can show it; what only a run shows is not imported to read source."""


UNUSED_IGNORE = Entry("TS000", "unused-ignore", "warning")
"""A comment `# torchstone: ignore` that lets nothing pass; no rule of the catalogue, but chosen like one."""


@dataclass(frozen=True)
class Layer:
    """What one source (the settings file, the command line) asks for; None where it says nothing."""

    select: Sequence[str] | None = None
    ignore: Sequence[str] = ()
    extend_select: Sequence[str] = ()


@dataclass(frozen=True)
class Selection:
    """The chosen codes, and those that do not count in some files.

    Args:
        codes: the codes that are looked for.
        per_file: glob patterns with the codes that are ignored in the files that match.
    """

    codes: frozenset[str]
    per_file: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def of(self, file: str, root: str) -> frozenset[str]:
        """The codes that count in a file.

        Args:
            file: the file's absolute path.
            root: the folder that the patterns are relative to.
        """
        ignored = [codes for pattern, codes in self.per_file.items() if matches(file, pattern, root)]
        return self.codes.difference(*ignored)


def choose(
    catalogue: Iterable[Entry], layers: Sequence[Layer], per_file: Mapping[str, Sequence[str]] | None = None
) -> Selection:
    """The chosen mistakes.

    A layer with `select` begins anew; one without adds to what the layers before it chose. Of two words for
    the same mistake the more exact one counts: `select=["TS101"]` with `ignore=["TS1"]` looks for TS101.
    Without any `select` every error and warning is chosen, and no advice.

    Raises:
        ConfigError: a word that is no code, beginning of a code or name.
    """
    entries = list(catalogue)
    chosen = {entry.code for entry in entries if entry.severity != "advice"}
    for layer in layers:
        chosen = _with_layer(entries, chosen, layer)
    ignored = {
        pattern: frozenset[str]().union(*(_meant(entries, word)[0] for word in words))
        for pattern, words in (per_file or {}).items()
    }
    return Selection(frozenset(chosen), ignored)


def _with_layer(entries: list[Entry], before: set[str], layer: Layer) -> set[str]:
    begun = layer.select is not None
    strength = dict.fromkeys(() if begun else before, (-1, True))
    for words, wanted in ((layer.select or (), True), (layer.extend_select, True), (layer.ignore, False)):
        for word in words:
            codes, exactness = _meant(entries, word)
            for code in codes:
                if exactness >= strength.get(code, (-1, False))[0]:  # at a draw the later one: ignore
                    strength[code] = (exactness, wanted)
    return {code for code, (_, wanted) in strength.items() if wanted}


def _meant(entries: list[Entry], word: str) -> tuple[frozenset[str], int]:
    """The codes that a word stands for, and how exact it is.

    Raises:
        ConfigError: it stands for none.
    """
    lower = word.strip().lower()
    if lower == ALL:
        return frozenset(entry.code for entry in entries), 0
    codes = [entry.code for entry in entries if lower in (entry.code.lower(), entry.name)]
    if codes:
        return frozenset(codes), 10
    if _PREFIX.fullmatch(lower):
        codes = [entry.code for entry in entries if entry.code.lower().startswith(lower)]
    if not codes:
        known = [entry.name for entry in entries] + [entry.code for entry in entries]
        near = did_you_mean(word, known)
        hint = "List them with: torchstone explain"
        raise ConfigError(f'There is no mistake "{word}". {near}'.rstrip(), hint=hint)
    return frozenset(codes), len(lower)
