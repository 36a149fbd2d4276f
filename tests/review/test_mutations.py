"""Programs as they are while somebody types: whatever is cut out of them, there is an answer, and soon."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

from torchstone.review.catalogue import load_catalogue
from torchstone.review.index import entries
from torchstone.review.jobs import check_guarded

CORPUS = Path(__file__).parent / "corpus"
CODES = frozenset(entry.code for entry in entries())
MUTANTS = 300
SECONDS = 1.0
"""CPU time that one program may take, whatever it has become."""


def mutants(programs: list[str], seed: int) -> Iterator[str]:
    """Programs with lines or words left out, doubled or swapped, or cut off in the middle."""
    chance = random.Random(seed)
    for _ in range(MUTANTS):
        text = chance.choice(programs)
        kind = chance.randrange(5)
        pieces = text.splitlines(keepends=True) if kind < 3 else re.findall(r"\w+|\s+|\W", text)
        for _ in range(chance.randrange(1, 4)):
            here, there = chance.randrange(len(pieces)), chance.randrange(len(pieces))
            if kind == 1:
                pieces.insert(here, pieces[there])
            elif kind in (0, 3):
                pieces[here] = "" if pieces[here].strip() else pieces[here]
            else:
                pieces[here], pieces[there] = pieces[there], pieces[here]
        mutant = "".join(pieces)
        yield mutant[: chance.randrange(len(mutant))] if chance.random() < 0.2 else mutant


def test_a_program_that_something_was_cut_out_of_is_checked_in_time() -> None:
    load_catalogue()  # what rules cost to import is no part of it
    programs = [m.good[0] for m in load_catalogue()] + [m.bad[0].code for m in load_catalogue()]
    programs += [path.read_text() for path in sorted(CORPUS.rglob("train.py"))[::3]]
    parsed = 0
    for number, text in enumerate(mutants(programs, seed=20)):
        start = time.process_time()
        result = check_guarded(text, "mutant.py", CODES)
        seconds = time.process_time() - start
        told = "\n".join(error.message for error in result.errors)
        assert "please report" not in told, f"{told} in mutant {number}:\n{text}"
        assert seconds < SECONDS, f"{seconds:.2f} s for mutant {number}:\n{text}"
        parsed += not result.errors
    assert parsed > MUTANTS / 4  # the others end at a syntax error, which says little of the rules
