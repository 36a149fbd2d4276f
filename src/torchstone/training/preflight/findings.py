"""What the checks before the first step say: findings with the catalogue's codes, and the error of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from torchstone.errors import PreflightError
from torchstone.finding import Finding, Fix, Severity

NAMES = {
    "TS000": "does-not-run",
    "TS107": "cut-gradient",
    "TS301": "softmax-before-cross-entropy",
    "TS302": "sigmoid-before-bce-with-logits",
    "TS303": "logits-into-bce",
    "TS304": "nll-without-log-softmax",
    "TS305": "softmax-dimension",
    "TS306": "broadcast-loss",
    "TS307": "target-dtype",
    "TS308": "label-out-of-range",
    "TS316": "shape-mismatch",
    "TS416": "bad-feature",
}
"""The mistakes that are found before the first step, as the catalogue calls them."""


def mistake(
    code: str,
    message: str,
    fix: str,
    *,
    why: str = "",
    severity: Severity = "error",
    **evidence: Any,
) -> Finding:
    """A finding with a code of the catalogue; evidence holds JSON values only."""
    return Finding(code, NAMES[code], severity, message, why, evidence=evidence, fix=Fix(fix))


def preflight_error(findings: Sequence[Finding]) -> PreflightError:
    """The error that tells all findings, errors first."""
    ordered = sorted(findings, key=lambda finding: finding.severity != "error")
    errors = [finding for finding in ordered if finding.severity == "error"]
    message = "\n".join(
        finding.message if finding.code == "TS000" else f"{finding.code} {finding.name}: {finding.message}"
        for finding in errors
    )
    hints = dict.fromkeys(finding.fix.description for finding in errors if finding.fix is not None)
    return PreflightError(message, findings=ordered, hint=" ".join(hints) or None)


def described(value: Any) -> str:
    """The shape and dtype of what went in or came out, such as `(32, 10) float32`."""
    if isinstance(value, Tensor):
        return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {described(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(described(item) for item in value) + "]"
    return type(value).__name__
