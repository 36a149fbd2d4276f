"""The fixture `torchstone_watch`: a test that asks for it fails where PyTorch is used wrongly."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from torchstone.review.report import Report
    from torchstone.review.session import Session

_SESSION: pytest.StashKey[Session] = pytest.StashKey()


@pytest.fixture
def torchstone_watch(request: pytest.FixtureRequest) -> Iterator[Report]:
    """Watches the test, and fails it where an `error` is found; gives the report, filled at its end."""
    from torchstone.review.session import Session

    session = Session(quiet=True)
    request.node.stash[_SESSION] = session
    with session as report:
        yield report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Ends watching with the test itself, so that it is the test that fails."""
    result = yield
    session = item.stash.get(_SESSION, None)
    if session is not None:
        report = session.finish()
        if any(finding.severity == "error" for finding in report.findings):
            from torchstone.review.output import watched

            pytest.fail(watched.render(report), pytrace=False)
    return result
