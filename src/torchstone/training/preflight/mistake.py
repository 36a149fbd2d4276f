"""Findings of the preflight, and the one error that tells them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from torchstone.errors import PreflightError
from torchstone.finding import Finding, Fix, Severity

NAMES = {
    "TS107": "cut-gradient",
    "TS301": "softmax-before-cross-entropy",
    "TS302": "sigmoid-before-bce-with-logits",
    "TS303": "logits-into-bce",
    "TS304": "nll-without-log-softmax",
    "TS306": "broadcast-loss",
    "TS307": "target-dtype",
    "TS308": "label-out-of-range",
    "TS316": "shape-mismatch",
    "TS317": "input-dtype",
    "TS414": "last-batch-of-one",
    "TS502": "parameters-not-optimized",
    "TS503": "replaced-after-optimizer",
    "TS504": "everything-frozen",
    "TS601": "nan-origin",
    "TS708": "device-mismatch",
}


def mistake(
    code: str, message: str, why: str, fix: str, *, severity: Severity = "error", **evidence: Any
) -> Finding:
    """A finding with the catalogue's name for its code."""
    return Finding(code, NAMES[code], severity, message, why, evidence=evidence, fix=Fix(fix))


def refuse(findings: Sequence[Finding], cause: BaseException | None = None) -> None:
    """Raises what is wrong, if anything is.

    Raises:
        PreflightError: there are errors among the findings.
    """
    errors = [finding for finding in findings if finding.severity == "error"]
    if not errors:
        return
    count = "A mistake was" if len(errors) == 1 else f"{len(errors)} mistakes were"
    parts = [f"{count} found on one batch, before the first step."]
    for finding in errors:
        lines = [f"{finding.code} {finding.name}: {finding.message}", finding.why]
        lines.append(f"Fix: {finding.fix.description}" if finding.fix else "")
        parts.append("\n".join(line for line in lines if line))
    raise PreflightError("\n\n".join(parts), findings=errors) from cause


def shape(value: Any) -> str:
    """A tensor's shape as a tuple."""
    return str(tuple(value.shape)) if isinstance(value, Tensor) else type(value).__name__


def dtype(value: Tensor) -> str:
    """A tensor's dtype, such as `float32`."""
    return str(value.dtype).removeprefix("torch.")
