"""Progress on a real terminal (a pseudo-terminal) and in a pipe, of runs in a process of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

import pytest

pty = pytest.importorskip("pty")  # POSIX

PROGRAM = """
import sys, torch
from torch import nn
import torchstone as ts
torch.manual_seed(0)
X = torch.randn(400, 8)
ts.fit(nn.Linear(8, 1), (X[:300], X[:300, :1]), (X[300:], X[300:, :1]), loss=nn.MSELoss(),
       optimizer=torch.optim.Adam, epochs=int(sys.argv[1]), batch_size=4, quiet="quiet" in sys.argv)
"""


def _on_terminal(*arguments: str, term: str = "xterm-256color", columns: int = 100) -> tuple[str, float]:
    """What a terminal receives, and in how many seconds."""
    import fcntl
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")}
    environment |= {"TERM": term, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    parts, began = [], 0.0
    while True:
        try:
            part = os.read(ours, 1 << 16)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        began = began or time.monotonic()
        parts.append(part)
    took = time.monotonic() - began
    os.close(ours)
    assert process.wait(60) == 0
    return b"".join(parts).decode(), took


def _screen(text: str) -> list[str]:
    """The lines that are left on a terminal: what was erased is gone."""
    lines, row = [""], 0
    column = 0
    for token in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
        if token == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif token == "\r":
            column = 0
        elif token.endswith("A") and token.startswith("\x1b"):
            row = max(row - int(token[2:-1] or 1), 0)
        elif token.endswith("K") and token.startswith("\x1b"):
            lines[row], column = "", 0
        elif not token.startswith("\x1b"):
            lines[row] = lines[row][:column].ljust(column) + token + lines[row][column + len(token) :]
            column += len(token)
    return [line.rstrip() for line in lines if line.strip()]


def test_on_a_terminal_one_bar_is_redrawn_and_leaves_one_line() -> None:
    text, took = _on_terminal("30")
    assert "\x1b[2K" in text  # lines are replaced
    assert "\x1b[?25l" in text
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")  # the cursor is given back
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert re.search(r"epoch \d+/30", plain)
    assert re.search(r"step \d+/75", plain)
    assert re.search(r"[\d,]+ samples/s", plain)
    assert re.search(r"best val loss [\d.e-]+ in epoch \d+", plain)
    drawings = len(re.findall(r"epoch \d+/30", plain))
    assert 3 <= drawings <= 10 * took + 30 + 5  # ten a second, and after each epoch
    (line,) = _screen(text)
    assert re.fullmatch(r"Trained 30 epochs in \d+:\d\d\. Best val loss \S+ in epoch \d+\.", line)


def test_a_narrow_terminal_is_not_overrun() -> None:
    """A line that wraps would be left behind by the next drawing."""
    text, _ = _on_terminal("5", columns=40)
    screen = _screen(text)
    assert all("step" not in line for line in screen)
    assert " ".join(screen).startswith("Trained 5 epochs")


def test_a_terminal_that_cannot_redraw_gets_lines() -> None:
    text, _ = _on_terminal("3", term="dumb")
    assert "\x1b" not in text
    lines = [line for line in text.replace("\r", "").splitlines() if line]
    assert [line.split("  ")[0] for line in lines[:3]] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert lines[3].startswith("Trained 3 epochs")
    assert len(lines) == 4


def test_a_quiet_run_leaves_the_terminal_alone() -> None:
    assert _on_terminal("2", "quiet")[0] == ""


def test_in_a_pipe_there_is_a_line_for_each_epoch_on_stderr() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "12"], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == ""
    assert "\x1b" not in done.stderr
    assert "\r" not in done.stderr
    lines = done.stderr.splitlines()
    assert [line[:11] for line in lines[:-1]] == [f"epoch {epoch:>2}/12" for epoch in range(1, 13)]
    for line in lines[:-1]:
        assert re.search(r"  val loss \d\S*  train loss \d\S*  [\d,]+ samples/s  \d+:\d\d", line)
    assert re.fullmatch(r"Trained 12 epochs in .*\. Best val loss \S+ in epoch \d+\.", lines[-1])
    losses = [float(loss) for loss in re.findall(r"val loss (\S+)  train", done.stderr)]
    called = [line.endswith("  best") for line in lines[:-1]]
    assert called == [loss == min(losses[: place + 1]) for place, loss in enumerate(losses)]
