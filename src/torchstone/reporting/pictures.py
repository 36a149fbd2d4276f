"""Pixels as a PNG inside the page."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np


def data_address(pixels: Any) -> str:
    """A picture as a `data:` address.

    Args:
        pixels: uint8 `(1 or 3, H, W)`; values that end far below 255 (such as 0 to 16) are stretched.
    """
    return "data:image/png;base64," + base64.b64encode(png(np.asarray(pixels))).decode("ascii")


def png(pixels: np.ndarray) -> bytes:
    """A picture as a PNG file (ISO/IEC 15948).

    Args:
        pixels: uint8 `(1 or 3, H, W)`.
    """
    highest = int(pixels.max(initial=0))
    if 0 < highest < 64:
        pixels = (pixels.astype(np.uint16) * 255 // highest).astype(np.uint8)
    channels, height, width = pixels.shape
    rows = pixels.transpose(1, 2, 0).reshape(height, width * channels)
    raw = b"".join(b"\x00" + row.tobytes() for row in rows)  # each row begins with "no filter"
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
