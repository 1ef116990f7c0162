"""A film of PNG pictures in one file: animated PNG (PNG specification, third edition, section 11.3.6)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence

from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtGui import QImage

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def as_png(image: QImage) -> bytes:
    """Return a picture as PNG, with its pixels and nothing else."""
    plain = image.convertToFormat(QImage.Format.Format_RGB888)
    for key in plain.textKeys():
        plain.setText(key, "")
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    plain.save(buffer, "PNG")  # type: ignore[call-overload]  # a device is as good as a file's name
    return bytes(data.data())


def animated(pictures: Sequence[bytes], frame_ms: int) -> bytes:
    """Return PNG pictures of one size as an animated PNG that repeats for ever.

    Raises
    ------
    ValueError
        If there is no picture, or if two differ in size or pixel format.
    """
    headers = {next(data for kind, data in chunks(picture) if kind == b"IHDR") for picture in pictures}
    if len(headers) != 1:
        raise ValueError("pictures of one size and format are needed")
    (header,) = headers
    size, number = header[:8], 0
    made = [SIGNATURE, _chunk(b"IHDR", header), _chunk(b"acTL", struct.pack(">II", len(pictures), 0))]
    for index, picture in enumerate(pictures):
        timing = struct.pack(">I", number) + size + struct.pack(">IIHHBB", 0, 0, frame_ms, 1000, 0, 0)
        made.append(_chunk(b"fcTL", timing))
        number += 1
        data = b"".join(data for kind, data in chunks(picture) if kind == b"IDAT")
        made.append(_chunk(b"IDAT", data) if index == 0 else _chunk(b"fdAT", struct.pack(">I", number) + data))
        number += index > 0
    return b"".join((*made, _chunk(b"IEND", b"")))


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and data of every chunk of a PNG."""
    at = len(SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
