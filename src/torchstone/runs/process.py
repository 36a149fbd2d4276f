"""Which process trains a run, and whether it still does. Imports no torch, so that listing runs is quick."""

from __future__ import annotations

import os
import socket
from typing import Any


def this_process() -> dict[str, Any]:
    """What tells this process from others: host and number."""
    return {"host": socket.gethostname(), "pid": os.getpid()}


def is_own_process(process: Any) -> bool:
    """Whether a manifest's process is this one."""
    return bool(process == this_process())


def is_gone(process: Any) -> bool:
    """Whether the process that was training is known to be no more; on another host nobody can tell."""
    if not isinstance(process, dict) or process.get("host") != socket.gethostname():
        return False
    if os.name == "nt" or not isinstance(process.get("pid"), int):
        return False
    try:
        os.kill(process["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
