"""The type of a mistake: what a file under `mistakes/` must define, read into one object.

A mistake's file holds, in this order: a docstring (a sentence, then the headings of `SECTIONS`), `CODE`,
`NAME`, `SEVERITY`, perhaps `MENTIONS` and `INVOLVES`, then `BAD`, `GOOD` and `check`. Its examples are its
tests and its page.

`ONLY_RUN = True` stands in the file of a mistake that source cannot show: it has a detector and no `check`.
`MENTIONS` lists what the text of a file has to contain for the rule to find anything in it, and `INVOLVES`
what that file, or another one of its program, has to contain. Each string is one or several alternatives,
`"randperm|permutation"`, and all strings must be met. A rule's file is imported for files that meet them
only, which is what keeps the check of a short file short; a rule without both is always imported.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from torchstone.finding import Finding, Severity
from torchstone.review.detector import Detector, detector_of

if TYPE_CHECKING:
    from torchstone.review.syntax.file import File

Check = Callable[["File"], Iterator[Finding]]

SECTIONS = ("What it does", "Why is this bad?", "References")
"""The headings of a mistake's docstring; its examples are printed between the second and the third."""

FAMILIES = {
    "1": "gradients",
    "2": "modes",
    "3": "losses",
    "4": "data",
    "5": "parameters",
    "6": "numerics",
    "7": "memory",
    "8": "checkpoints",
    "9": "distributed",
}
"""The folder of each group of codes, by the first digit."""


@dataclass(frozen=True)
class Example:
    """Code that has the mistake.

    Args:
        code: a program; each offending line ends in a comment with the code, such as `# TS101`.
        fixed: the program after `--fix` (or `--unsafe-fixes`), when the mistake can be fixed by a program.
    """

    code: str
    fixed: str | None = None


@dataclass(frozen=True)
class Mistake:
    """One mistake of the catalogue.

    Args:
        code: such as `TS101`.
        name: such as `missing-zero-grad`.
        severity: `error` (wrong whenever it runs), `warning` (wrong unless meant), `advice` (off by default).
        title: the first line of the docstring.
        sections: heading to text.
        bad: programs with the mistake.
        good: programs that look alike and are right.
        check: the rule for source, None when only a run can show the mistake.
        detector: what looks for it while a program runs, None when only source can show it.
        path: the mistake's own file.
    """

    code: str
    name: str
    severity: Severity
    title: str
    sections: dict[str, str]
    bad: tuple[Example, ...]
    good: tuple[str, ...]
    check: Check | None
    detector: type[Detector] | None
    path: str

    @property
    def family(self) -> str:
        """The group that the mistake belongs to, such as `gradients`."""
        return FAMILIES[self.code[2]]

    @property
    def can_fix(self) -> bool:
        """Whether a program can mend at least one of its examples."""
        return any(example.fixed is not None for example in self.bad)

    @property
    def found_by(self) -> list[str]:
        """The commands that find it: `check` reads source, `watch` looks at a run, perhaps with an option."""
        found = ["check"] if self.check is not None else []
        if self.detector is not None:
            found.append(f"watch {self.detector.OPTION}".rstrip())
        return found


def read_mistake(module: ModuleType) -> Mistake:
    """The mistake that a module under `mistakes/` defines."""
    title, sections = _read_docstring(inspect.cleandoc(module.__doc__ or ""))
    return Mistake(
        code=module.CODE,
        name=module.NAME,
        severity=module.SEVERITY,
        title=title,
        sections=sections,
        bad=tuple(Example(_dedent(e.code), e.fixed and _dedent(e.fixed)) for e in module.BAD),
        good=tuple(_dedent(code) for code in module.GOOD),
        check=getattr(module, "check", None),
        detector=detector_of(module),
        path=module.__file__ or "",
    )


def _dedent(code: str) -> str:
    return inspect.cleandoc(code) + "\n"


def _read_docstring(text: str) -> tuple[str, dict[str, str]]:
    head, *rest = re.split(r"^## ", text, flags=re.MULTILINE)
    sections = {}
    for part in rest:
        heading, _, body = part.partition("\n")
        sections[heading.strip()] = body.strip()
    return head.strip(), sections
