"""Guarded reading of DICOM files: damaged data only raise errors of the program."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from pydicom import Dataset, config, dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian

from autocontour.base.errors import AutoContourError, CTError, is_program_error
from autocontour.base.files import read_file
from autocontour.dicom.wording import shown

DAMAGED = "AC-CT-001"
UNREADABLE = "AC-CT-007"
INFLATED_LIMIT = 1 << 26
_PREAMBLE = 128

# Values that violate the standard are common and are kept unchanged; they are handled by the checks.
config.settings.reading_validation_mode = config.IGNORE
warnings.filterwarnings("ignore", module=r"pydicom\.")


@contextmanager
def guarded(error: type[AutoContourError] = CTError, code: str = DAMAGED, where: str = "") -> Iterator[None]:
    """Convert all exceptions of pydicom on damaged data to an error of the program.

    Values are converted when first used, so code that uses values of an external dataset runs under this guard as well.
    A fault of the program itself (`is_program_error`) is not converted: it would be reported as a damaged file.

    Parameters
    ----------
    error, code
        The error to raise, and its code, whose sentence may use ``count``, ``files``, ``file`` and ``kind``.
    where
        The file's name, for the message.
    """
    try:
        yield
    except AutoContourError:
        raise
    except Exception as fault:  # pydicom raises over ten types, including RecursionError and MemoryError
        if is_program_error(fault):
            raise
        kind = type(fault).__name__
        raise error(code, count=1, files=f"{where} ({kind})".lstrip(), file=where, kind=kind) from fault


def read_dataset(
    source: Path | bytes,
    *,
    error: type[AutoContourError] = CTError,
    code: str = DAMAGED,
    specific_tags: Sequence[int] | None = None,
    stop_before_pixels: bool = False,
) -> Dataset:
    """Read a DICOM file (PS3.10), from disk or from memory.

    Parameters
    ----------
    source
        Path, or the file's bytes.
    error, code
        The error to raise if the file is damaged, and its code; also if it cannot be opened, except for a CT's file.
    specific_tags
        Read only these attributes.
    stop_before_pixels
        Leave the Pixel Data out.

    Raises
    ------
    AutoContourError
        Of the given type, for any content of the file.
    """
    where = shown(source) if isinstance(source, Path) else ""
    cannot_open = UNREADABLE if error is CTError else code
    data = read_bytes(source, error, cannot_open) if isinstance(source, Path) else source
    with guarded(error, code, where):
        _check_inflated_size(data)
        return dcmread(
            BytesIO(data),
            force=starts_like_dicom(data),
            specific_tags=list(specific_tags) if specific_tags else None,
            stop_before_pixels=stop_before_pixels,
        )


def read_bytes(path: Path, error: type[AutoContourError] = CTError, code: str = UNREADABLE) -> bytes:
    """Read a whole file; an `AutoContourError` of the given type if it cannot be opened."""
    try:
        return read_file(path)
    except (OSError, MemoryError) as fault:
        raise unreadable(path, fault, error, code) from fault


def unreadable(
    path: Path, fault: BaseException, error: type[AutoContourError] = CTError, code: str = UNREADABLE
) -> AutoContourError:
    """Return the error for a file that cannot be read."""
    reason = getattr(fault, "strerror", None) or type(fault).__name__
    return error(code, count=1, files=f"{shown(path)} ({reason})", file=shown(path), kind=reason)


def starts_like_dicom(data: bytes) -> bool:
    """Whether the first bytes are a DICOM preamble, or a dataset without one as some systems still write."""
    if data[_PREAMBLE : _PREAMBLE + 4] == b"DICM":
        return True
    return data[:2] in (b"\x02\x00", b"\x08\x00") and data[3:4] == b"\x00" and len(data) > _PREAMBLE


def dataset_start(data: bytes) -> int:
    """Start of the dataset, after the File Meta Information (PS3.10 section 7.1); 0 without preamble."""
    if data[_PREAMBLE : _PREAMBLE + 4] != b"DICM":
        return 0
    return _PREAMBLE + 16 + int.from_bytes(data[_PREAMBLE + 12 : _PREAMBLE + 16], "little")


def _check_inflated_size(data: bytes) -> None:
    """Reject a deflated dataset with an implausible size, before it is expanded in memory."""
    marker = DeflatedExplicitVRLittleEndian.encode()
    if marker not in data[:2048]:
        return
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    size, rest = 0, data[dataset_start(data) :]
    while rest and not inflate.eof:
        size += len(inflate.decompress(rest, 1 << 20))
        rest = inflate.unconsumed_tail
        if size > INFLATED_LIMIT:
            raise ValueError("deflated dataset too large")
