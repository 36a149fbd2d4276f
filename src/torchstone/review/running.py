"""A script or module that is run as `python` would run it, with something done before and after."""

from __future__ import annotations

import atexit
import builtins
import contextlib
import importlib
import os
import runpy
import signal
import sys
import threading
import types
from importlib.machinery import SourceFileLoader
from typing import NoReturn

from torchstone.errors import UsageError
from torchstone.review.places import UNSEEN, is_users


class NothingToRunError(UsageError):
    """There is no such script or module; one that runs raises what it likes."""


def run_script(path: str, arguments: list[str]) -> None:
    """Runs a file as the program: `__main__`, `sys.argv` and `sys.path` are those that `python path` gives.

    Raises:
        NothingToRunError: there is no such file, or it cannot be read.
        BaseException: what the script raises, `SystemExit` among them, and that it is no Python.
    """
    if not os.path.isfile(path):
        raise NothingToRunError(f"There is no script {path}.", hint="torchstone watch SCRIPT [ARGUMENTS]")
    full = os.path.abspath(path)
    try:
        with open(full, "rb") as file:
            text = file.read()
    except OSError as error:
        raise NothingToRunError(f"{path} cannot be read: {error.strerror}.") from None
    code = compile(text, full, "exec", dont_inherit=True)
    main = types.ModuleType("__main__")
    main.__dict__.update(
        __loader__=SourceFileLoader("__main__", full),
        **({"__annotations__": {}} if sys.version_info < (3, 14) else {}),
        __builtins__=builtins,
        __file__=full,
        __cached__=None,
    )
    sys.argv = [path, *arguments]
    _look_first_in(os.path.dirname(os.path.realpath(path)))
    sys.modules["__main__"] = main
    exec(code, main.__dict__)  # noqa: S102 - the user's own script, which they asked to run


def run_module(name: str, arguments: list[str]) -> None:
    """Runs a module as `python -m name` would.

    Raises:
        NothingToRunError: there is no such module.
    """
    sys.argv = [name, *arguments]
    _look_first_in(os.getcwd())
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    except ImportError as error:
        if _is_of_search(error.__traceback__):
            raise NothingToRunError(f"There is no module {name} to run: {error}.") from None
        raise


def _look_first_in(folder: str) -> None:
    """Where the program's own modules are."""
    if not sys.flags.safe_path:
        sys.path[0] = folder


def _is_of_search(traceback: types.TracebackType | None) -> bool:
    """Whether an error came while Python looked for a module, before a line of the program ran."""
    machinery = ("<frozen ", __file__, str(runpy.__file__), os.path.dirname(importlib.__file__))
    while traceback is not None:
        if not traceback.tb_frame.f_code.co_filename.startswith(machinery):
            return False
        traceback = traceback.tb_next
    return True


def show(error: BaseException) -> None:
    """Prints what ended the script, as python would."""
    if not isinstance(error, SystemExit):
        error.__traceback__ = users_traceback(error.__traceback__)
        sys.excepthook(type(error), error, error.__traceback__)
    elif error.code is not None and not isinstance(error.code, int):
        with contextlib.suppress(Exception):  # as python does, where nothing can be written there
            if sys.stderr is None:
                os.write(2, f"{error.code}\n".encode())
            else:
                sys.stderr.write(f"{error.code}\n")


def wait_for_threads() -> None:
    """Waits for the threads that the script left behind, as python does at its end."""
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        shut_down = getattr(threading, "_shutdown", None)  # ends pools too, as joining alone would not
        if shut_down is not None:
            shut_down()


def leave(error: BaseException | None, *, failed: bool = False) -> NoReturn:
    """Ends this process with the status that `python` would give, by a signal where it would.

    Args:
        error: what ended the script.
        failed: whether the status 0 becomes 1.
    """
    if isinstance(error, KeyboardInterrupt):
        atexit.register(_end_by_signal)
        sys.exit(130)
    status = 0 if error is None else 1
    if isinstance(error, SystemExit):
        code = error.code
        status = code if isinstance(code, int) else int(code is not None)
    sys.exit(1 if failed and status == 0 else status)


def _end_by_signal() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


def users_traceback(traceback: types.TracebackType | None) -> types.TracebackType | None:
    """A traceback that begins in the user's script, as if nobody had run it."""
    first = traceback
    while first is not None and not is_users(first.tb_frame.f_code.co_filename):
        first = first.tb_next
    return _without_ours(first if first is not None else traceback)


def _without_ours(traceback: types.TracebackType | None) -> types.TracebackType | None:
    """The same without the frames of this package, which stand between the user's and torch's."""
    ours = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
    kept = []
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if file != UNSEEN and not file.startswith(ours):
            kept.append(traceback)
        traceback = traceback.tb_next
    following = None
    for each in reversed(kept):
        following = types.TracebackType(following, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return following
