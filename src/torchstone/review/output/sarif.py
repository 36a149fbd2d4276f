"""SARIF 2.1.0, which code scanning of GitHub, GitLab, Azure and editors read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import torchstone
from torchstone.finding import Edit, Finding
from torchstone.review.catalogue import find_mistake
from torchstone.review.excerpts import Excerpts
from torchstone.review.report import CheckError, Report

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning", "advice": "note"}


def render(report: Report) -> str:
    """The log as text."""
    return json.dumps(_log(report), indent=2) + "\n"


def _log(report: Report) -> dict[str, Any]:
    codes = sorted({(finding.code, finding.name, finding.severity) for finding in report.findings})
    rules = {code: _rule(code, name, severity) for code, name, severity in codes}
    indices = {code: index for index, code in enumerate(rules)}
    excerpts = Excerpts(report.texts)
    run = {
        "tool": {
            "driver": {
                "name": "torchstone",
                "semanticVersion": torchstone.__version__,
                "rules": list(rules.values()),
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": not report.errors,
                "toolExecutionNotifications": [_notification(error) for error in report.errors],
            }
        ],
        "results": [_result(finding, indices[finding.code], excerpts) for finding in report.findings],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str, name: str, severity: str) -> dict[str, Any]:
    mistake = find_mistake(code)
    rule: dict[str, Any] = {
        "id": code,
        "name": "".join(part.title() for part in name.split("-")),
        "shortDescription": {"text": mistake.title if mistake else name},
        "defaultConfiguration": {"level": _LEVELS[mistake.severity if mistake else severity]},
        "properties": {"tags": ["pytorch", mistake.family] if mistake else ["pytorch"]},
    }
    if mistake:
        sections = "\n\n".join(f"## {title}\n\n{text}" for title, text in mistake.sections.items())
        rule["fullDescription"] = {"text": mistake.sections.get("What it does", mistake.title)}
        rule["help"] = {"text": sections, "markdown": sections}
    return rule


def _result(finding: Finding, index: int, excerpts: Excerpts) -> dict[str, Any]:
    text = finding.message if not finding.why else f"{finding.message}\n{finding.why}"
    if finding.cell:
        text = f"Cell {finding.cell}, line {finding.line}: {text}"
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [_location(finding, excerpts)] if finding.file else [],
        "partialFingerprints": {"torchstone/v1": _fingerprint(finding, excerpts)},
    }
    if finding.related and not finding.cell:
        result["relatedLocations"] = [
            {
                "physicalLocation": {
                    "artifactLocation": _artifact(other.file),
                    "region": {"startLine": other.line, "startColumn": other.column},
                },
                "message": {"text": other.message},
            }
            for other in finding.related
        ]
    if finding.fix and finding.fix.edits and not finding.cell:
        result["fixes"] = [_fix(finding.fix.description, finding.fix.edits, finding.file or "")]
    if finding.evidence:
        result["properties"] = {"evidence": finding.evidence}
    return result


def _location(finding: Finding, excerpts: Excerpts) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": _artifact(finding.file or "")}
    if finding.line and not finding.cell:  # a cell's lines are not those of the file
        region: dict[str, Any] = {"startLine": finding.line}
        values = {
            "startColumn": finding.column,
            "endLine": finding.end_line,
            "endColumn": finding.end_column,
        }
        region |= {key: value for key, value in values.items() if value}
        line = excerpts.line(finding.file, None, finding.line)
        if line is not None:
            region["snippet"] = {"text": line}
        place["region"] = region
    return {"physicalLocation": place}


def _fix(description: str, edits: Iterable[Edit], file: str) -> dict[str, Any]:
    changes: dict[str, list[dict[str, Any]]] = {}
    for edit in edits:
        region = {
            "startLine": edit.line,
            "startColumn": edit.column,
            "endLine": edit.end_line,
            "endColumn": edit.end_column,
        }
        replacement = {"deletedRegion": region, "insertedContent": {"text": edit.text}}
        changes.setdefault(edit.file or file, []).append(replacement)
    return {
        "description": {"text": description},
        "artifactChanges": [
            {"artifactLocation": _artifact(name), "replacements": replacements}
            for name, replacements in changes.items()
        ],
    }


def _notification(error: CheckError) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": _artifact(error.file)}
    if error.line:
        place["region"] = {"startLine": error.line}
    return {
        "level": "error",
        "message": {"text": error.message},
        "locations": [{"physicalLocation": place}],
    }


def _artifact(file: str) -> dict[str, Any]:
    """A file as a URI: relative to the current folder where it lies below it."""
    relative = os.path.relpath(file)
    if relative.startswith(".."):
        return {"uri": "file://" + quote(os.path.abspath(file), errors="surrogateescape")}
    return {"uri": quote(relative.replace(os.sep, "/"), errors="surrogateescape"), "uriBaseId": "%SRCROOT%"}


def _fingerprint(finding: Finding, excerpts: Excerpts) -> str:
    """Stays when lines are added above, so that a result is known again."""
    line = excerpts.line(finding.file, finding.cell, finding.line) or ""
    parts = (finding.code, finding.file or "", line.strip())
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]
