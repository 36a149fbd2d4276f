"""A finding: one mistake, where it is, the evidence and the fix. One type for every part that reviews."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "advice"]


@dataclass(frozen=True)
class Edit:
    """Text that replaces a range of a file; lines and columns count from 1, the end is exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    text: str


@dataclass(frozen=True)
class Fix:
    """What to do; `edits` when it can be done by a program, `safe` when that never changes what is meant."""

    description: str
    safe: bool = False
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True)
class Related:
    """Another place that takes part in the mistake."""

    file: str
    line: int
    column: int
    message: str


@dataclass(frozen=True)
class Finding:
    """One mistake.

    Args:
        code: the catalogue's code, such as `TS306`; `TS000` for what has none.
        name: the catalogue's name, such as `broadcast-loss`.
        severity: `error` (wrong whenever it runs), `warning` (wrong unless meant) or `advice`.
        message: what is wrong here, by this program's own names.
        why: why it matters.
        file, cell, line, column, end_line, end_column: the place, counted from 1; None where there is none.
        evidence: numbers, shapes and names that were seen; JSON values only.
        fix: what to do.
        related: the other places that take part.
    """

    code: str
    name: str
    severity: Severity
    message: str
    why: str = ""
    file: str | None = None
    cell: int | None = None
    line: int | None = None
    column: int | None = None
    end_line: int | None = None
    end_column: int | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    fix: Fix | None = None
    related: tuple[Related, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Finding:
        """The inverse of `to_json`."""
        values = dict(values)
        if fix := values.get("fix"):
            edits = tuple(Edit(**edit) for edit in fix["edits"])
            values["fix"] = Fix(fix["description"], fix["safe"], edits)
        values["related"] = tuple(Related(**related) for related in values.get("related", ()))
        return cls(**values)
