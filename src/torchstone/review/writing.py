"""A fixed text written back to its file: aside and then renamed, only over what was read."""

from __future__ import annotations

import os
import shutil
import tempfile

from torchstone.review.reading import Content, UnreadableError, read_bytes


class UnwritableError(Exception):
    """A file whose fixes could not be written."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def write(path: str, content: Content, data: bytes, text: str) -> None:
    """Writes a text over the file that another text was read from; encoding, mark and permissions stay.

    Args:
        path: the file; a link stays a link.
        content: what was read.
        data: the bytes that were read.
        text: what to write.

    Raises:
        UnwritableError: the file changed since it was read, may not be written, or its encoding has no such
            character; it is as it was then.
    """
    place = os.path.realpath(path)
    try:
        new = content.encode(text)
        if read_bytes(place) != data:
            raise UnwritableError("changed while it was checked: its fixes were not written")
        if not os.access(place, os.W_OK):
            raise UnwritableError("may not be written: its fixes were left out")
        handle, aside = tempfile.mkstemp(dir=os.path.dirname(place), prefix=".torchstone-", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(new)
            shutil.copymode(place, aside)
            os.replace(aside, place)
        except BaseException:
            os.unlink(aside)
            raise
    except UnicodeEncodeError:
        raise UnwritableError(f"its fixes cannot be written in its encoding, {content.encoding}") from None
    except (OSError, UnreadableError) as error:
        raise UnwritableError(f"its fixes were not written: {error}") from None
