"""The processes of one distributed program, and what they tell each other.

Nothing is sent through the program's own process group: that would be another collective. Processes of one
machine share a temporary folder instead, which is named by what they have in common and removed by the last
of them; those of other machines are not heard of.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import shutil
import struct
import tempfile
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

from torchstone.review.places import is_users

if TYPE_CHECKING:
    from torchstone.review.stream import Event

_KEPT = 32
"""So many of a process's last meetings can be looked up."""
_SIZE = 2048
"""Bytes of each."""
_FRAMES = 6
"""So many of the user's lines that led to it are kept, the nearest ones."""
_HEAD = struct.Struct("<QQ")


class Meeting(NamedTuple):
    """A call in which all processes of the group have to take part.

    Args:
        number: counted by each process, from 1.
        name: of the function.
        lines: of the user's that led to it, file and number, the outermost first.
    """

    number: int
    name: str
    lines: list[list[Any]]


class Standing(NamedTuple):
    """Where a process is: how many meetings it began, whether it waits in the last one, and the last ones."""

    begun: int
    inside: bool
    meetings: dict[int, Meeting]


class Ranks:
    """This process among the others of its group; alone until `joined` is seen with more than one."""

    def __init__(self, folder: Path | None = None) -> None:
        self.rank = 0
        self.world = 1
        self.seed: Any = None
        """Gives the seed of this process's random numbers."""
        self.folder = folder
        self._given = folder is not None
        self._map: mmap.mmap | None = None
        self._begun = 0
        self._claimed: dict[str, int] = {}
        self.last = True
        """Whether all others have ended; known at the end."""

    @property
    def several(self) -> bool:
        """Whether there are others on this machine that can be heard."""
        return self.world > 1 and self.folder is not None

    def on_joined(self, event: Event) -> None:
        """This process became one of a group."""
        if event.world < 2 or self.world > 1:
            return
        self.rank, self.world, self.seed = event.rank, event.world, event.seed
        self.folder = self.folder or _common_folder()
        if self.folder is not None:
            (self.folder / f"joined-{self.rank}").touch()

    def on_wrapped(self, event: Event) -> None:
        """It shares a model with them."""
        self.on_joined(event)

    def claim(self, key: str) -> bool:
        """Whether this process is the first to say something; the second time it says it is another thing."""
        self._claimed[key] = self._claimed.get(key, 0) + 1
        if not self.several:
            return True
        assert self.folder is not None  # noqa: S101 - several
        name = hashlib.sha256(f"{key}\0{self._claimed[key]}".encode()).hexdigest()[:24]
        try:
            os.close(os.open(self.folder / f"said-{name}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return False
        except OSError:  # the folder is gone: rather twice than never
            return True
        return True

    def tell(self, kind: str, facts: Any) -> None:
        """Lets the others know something, as JSON."""
        if self.several:
            tell(self.folder, kind, self.rank, facts)

    def heard(self, kind: str) -> dict[int, Any]:
        """What each process has told so far, by rank, this one's own among it."""
        return heard(self.folder, kind) if self.several else {}

    def meet(self, name: str, frame: FrameType | None) -> None:
        """A call begins in which all have to take part."""
        self._begun += 1
        if not self.several or not (held := self._written()):
            return
        text = _text(self._begun, name, _lines(frame))
        start = _HEAD.size + self._begun % _KEPT * _SIZE
        held[start : start + _SIZE] = struct.pack("<H", len(text)) + text.ljust(_SIZE - 2)
        held[: _HEAD.size] = _HEAD.pack(self._begun, 1)

    def part(self) -> None:
        """It ended."""
        if self._map is not None:
            self._map[: _HEAD.size] = _HEAD.pack(self._begun, 0)

    def standings(self) -> dict[int, Standing]:
        """Where each process is, by rank."""
        return standings(self.folder) if self.several else {}

    def end(self, failed: bool) -> None:
        """This process has nothing more to tell."""
        if self.several:
            tell(self.folder, "ended", self.rank, failed)
            joined = len(list(self.folder.glob("joined-*"))) if self.folder is not None else 0
            self.last = len(heard(self.folder, "ended")) >= joined and self.claim("last")

    def clean(self) -> None:
        """Removes what was told, where no parent does."""
        if self.several and self.last and not self._given and self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _written(self) -> mmap.mmap | None:
        if self._map is None and self.folder is not None:
            try:
                with open(self.folder / f"standing-{self.rank}", "w+b") as file:
                    file.truncate(_HEAD.size + _KEPT * _SIZE)
                    self._map = mmap.mmap(file.fileno(), 0)
            except OSError:
                self.folder = None
        return self._map


def tell(folder: Path | None, kind: str, rank: int, facts: Any) -> None:
    """Writes something for the others; at once or not at all."""
    if folder is None:
        return
    aside = folder / f".{kind}-{rank}"
    try:
        aside.write_text(json.dumps(facts))
        os.replace(aside, folder / f"{kind}-{rank}.json")
    except OSError:  # no space, or the folder is gone
        return


def heard(folder: Path | None, kind: str) -> dict[int, Any]:
    """What each process has written."""
    found = {}
    for path in sorted(folder.glob(f"{kind}-*.json")) if folder is not None else ():
        try:
            found[int(path.stem.rpartition("-")[2])] = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
    return found


def standings(folder: Path | None) -> dict[int, Standing]:
    """Where each process is that has met others."""
    found = {}
    for path in sorted(folder.glob("standing-*")) if folder is not None else ():
        try:
            data = path.read_bytes()
            begun, inside = _HEAD.unpack_from(data)
            meetings = [_meeting(data, _HEAD.size + place * _SIZE) for place in range(_KEPT)]
        except (OSError, ValueError, struct.error):  # being written
            continue
        found[int(path.name.rpartition("-")[2])] = Standing(
            begun, bool(inside), {one.number: one for one in meetings if one is not None}
        )
    return found


def _meeting(data: bytes, start: int) -> Meeting | None:
    (length,) = struct.unpack_from("<H", data, start)
    return Meeting(*json.loads(data[start + 2 : start + 2 + length])) if length else None


def _text(number: int, name: str, lines: list[list[Any]]) -> bytes:
    """A meeting as JSON, with as many lines as there is room for."""
    while True:
        text = json.dumps([number, name, lines]).encode()
        if len(text) <= _SIZE - 2 or not lines:
            return text[: _SIZE - 2]
        lines = lines[1:]


def _lines(frame: FrameType | None) -> list[list[Any]]:
    found: list[list[Any]] = []
    while frame is not None and len(found) < _FRAMES:
        if is_users(frame.f_code.co_filename):
            found.insert(0, [frame.f_code.co_filename, frame.f_lineno])
        frame = frame.f_back
    return found


def _common_folder() -> Path | None:
    """The folder of the processes that one parent started on this machine; None where none is safe."""
    words = [os.environ.get(name, "") for name in ("TORCHELASTIC_RUN_ID", "MASTER_ADDR", "MASTER_PORT")]
    words += [os.environ.get("TORCHELASTIC_RESTART_COUNT", ""), str(os.getppid()), _start_of(os.getppid())]
    name = hashlib.sha256("\0".join(words).encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir(), f"torchstone-watch-{name}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        safe = not hasattr(os, "getuid") or folder.lstat().st_uid == os.getuid()
        return folder if safe and not folder.is_symlink() else None
    except OSError:
        return None


def _start_of(process: int) -> str:
    """When a process began: its number may have been another's before."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def wraps_for_all(module: Any, world: int) -> bool:
    """Whether a module is a `DistributedDataParallel` over the processes of the whole group."""
    if not is_wrapper(module):
        return False
    group = getattr(module, "process_group", None)
    return group is not None and group.size() == world


def is_wrapper(module: Any) -> bool:
    """Whether a module is torch's `DistributedDataParallel`, or made from it."""
    return any(
        kind.__name__ == "DistributedDataParallel" and kind.__module__.startswith("torch.")
        for kind in type(module).__mro__
    )
