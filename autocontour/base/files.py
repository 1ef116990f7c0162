"""Atomic writing of files, which never overwrites an input."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
import time
import unicodedata
import zlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from autocontour.base.errors import OutputError
from autocontour.base.lock import lock_handle

PART = ".part"
"""Suffix of a file that is being written; no folder watcher takes it for DICOM or NIfTI."""
STALE_SECONDS = 86_400.0
"""From this age on an unfinished file of an unknown process is removed."""
TURN_SECONDS = 2.0
"""Longest time that a program waits for others that rename files in the same folder."""
_UNFINISHED = re.compile(r"\.autocontour-(?P<host>[0-9a-f]{8})-(?P<process>\d+)-\w+\.part")
_UNFINISHED_BEFORE = re.compile(r"\.autocontour-\w{8}(\.\w+)?")  # of versions up to 0.4


@contextmanager
def replacing(path: Path, *, expected: str | None = None) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`, which replaces `path` when the block ends without an error.

    The temporary file is flushed to the disk before it is renamed; if the block raises, it is removed and `path` stays
    as it was. Unfinished files of killed processes in the folder are removed.

    Parameters
    ----------
    path
        The file.
    expected
        `digest_of` the content that `path` must still have when it is replaced: what the new content was made from.
        Empty if there must be no such file; None for any content.

    Raises
    ------
    OutputError
        ``AC-OUT-001`` if the folder cannot be written or the disk is full, ``AC-OUT-007`` if `path` is not a regular
        file; ``AC-OUT-002`` or ``AC-OUT-009`` if another program has written `path`.
    """
    temporary: Path | None = None
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise OutputError("AC-OUT-007", file=shown_path(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_unfinished(path.parent)
        handle, name = tempfile.mkstemp(prefix=f".autocontour-{_host()}-{os.getpid()}-", suffix=PART, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        _flush(temporary)
        temporary.chmod(0o666 & ~_umask())
        with _turn(path.parent):
            _check_content(path, expected)
            temporary.replace(path)
        _flush(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file's content; empty if there is no such file, or it cannot be read."""
    with suppress(OSError):
        return hashlib.sha256(read_file(path)).hexdigest()
    return ""


def _check_content(path: Path, expected: str | None) -> None:
    """Refuse to replace a file that is not the one that was read."""
    if expected == "" and os.path.lexists(path):
        raise OutputError("AC-OUT-002", file=shown_path(path))
    if expected and digest_of(path) != expected:
        raise OutputError("AC-OUT-009", file=shown_path(path))


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Let only one program at a time compare and rename in a folder, where its disk can lock folders."""
    handle = -1
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
    try:
        until = time.monotonic() + TURN_SECONDS
        while handle >= 0 and not _is_locked_by_us(handle) and time.monotonic() < until:
            time.sleep(0.01)
        yield
    finally:
        if handle >= 0:
            os.close(handle)


def _is_locked_by_us(handle: int) -> bool:
    try:
        lock_handle(handle)
    except BlockingIOError:
        return False
    except OSError:
        return True  # this disk has no locks
    return True


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically (see `replacing`)."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def create_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically, never over an existing file, also if it appears at the last moment.

    Raises
    ------
    OutputError
        ``AC-OUT-002`` if `path` exists, or as `replacing`.
    """
    with suppress(FileNotFoundError):
        if path.lstat():
            raise OutputError("AC-OUT-002", file=shown_path(path))
    with replacing(path) as temporary:
        temporary.write_bytes(data)
        _flush(temporary)
        try:
            os.link(temporary, path)  # unlike a rename, it fails if the name is taken
        except FileExistsError as error:
            raise OutputError("AC-OUT-002", file=shown_path(path)) from error
        except OSError:  # a disk without links
            if path.exists():
                raise OutputError("AC-OUT-002", file=shown_path(path)) from None


def cannot_write(path: Path, error: OSError) -> OutputError:
    """Return the error for a file that cannot be written."""
    cause: BaseException | None = error
    while cause is not None and not getattr(cause, "strerror", None):  # pydicom raises an OSError without a reason
        cause = cause.__cause__
    reason = str(getattr(cause, "strerror", "")) or type(error).__name__
    return OutputError("AC-OUT-001", file=shown_path(path), reason=reason)


def read_file(path: Path) -> bytes:
    """Return the content of a regular file.

    Raises
    ------
    OSError
        If it cannot be read, or is a FIFO, socket or device, on which reading might block.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            reason = os.strerror(21) if stat.S_ISDIR(mode) else "Not a regular file"
            raise OSError(21 if stat.S_ISDIR(mode) else 22, reason, str(path))
        return file.read()


def refuse_inputs(output: Path, inputs: Iterable[Path]) -> None:
    """Refuse to overwrite an input file, also through links.

    Two paths are the same file if they have the same inode, or the same name once links are followed; case and
    Unicode normalization of names do not count, since on some disks they do not.

    Raises
    ------
    OutputError
        ``AC-OUT-004`` if `output` is one of `inputs`.
    """
    names, inodes = _names(output), _inodes(output)
    for path in inputs:
        if names & _names(path) or inodes & _inodes(path):
            raise OutputError("AC-OUT-004", file=shown_path(output))


def remove_unfinished(folder: Path) -> None:
    """Remove the unfinished files of killed processes from a folder; files that cannot be removed stay."""
    with suppress(OSError):
        for entry in os.scandir(folder):
            if entry.name.startswith(".autocontour-") and _is_stale(entry):
                with suppress(OSError):
                    Path(entry.path).unlink()


def foreign_names(folder: Path, known: Collection[str]) -> set[str]:
    """Return the names in a folder that are neither known nor those of unfinished files of a killed program."""
    names = {path.name for path in folder.iterdir()} - set(known)
    return {name for name in names if not (name.startswith(".autocontour-") and name.endswith(PART))}


def shown_path(path: Path) -> str:
    """Return a file's name for a message: without the folders, whose names may identify the patient."""
    name = path.name if len(path.name) <= 80 else f"{path.name[:40]}…{path.name[-30:]}"
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _is_stale(entry: os.DirEntry[str]) -> bool:
    age = time.time() - entry.stat(follow_symlinks=False).st_mtime
    if match := _UNFINISHED.fullmatch(entry.name):
        is_ours = match["host"] == _host()
        return age > STALE_SECONDS or (is_ours and not _is_running(int(match["process"])))
    return age > STALE_SECONDS and _UNFINISHED_BEFORE.fullmatch(entry.name) is not None


def _is_running(process: int) -> bool:
    if os.name == "nt":
        return True  # os.kill would terminate it; its file is removed once it is stale
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


@cache
def _host() -> str:
    """Return an identifier of this computer and container among those that write to the same disk."""
    return f"{zlib.crc32(_host_name().encode('utf-8', 'replace')):08x}"


def _host_name() -> str:
    name = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    with suppress(OSError):  # each container has its own process numbers
        name += str(Path("/proc/self/ns/pid").readlink())
    return name


def _names(path: Path) -> set[str]:
    return {_plain(os.path.abspath(path)), _plain(os.path.realpath(path))}  # noqa: PTH100  (abspath follows no link)


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _inodes(path: Path) -> set[tuple[int, int]]:
    """Return device and inode of the file at a path, and of the link itself; none where the disk has no inodes."""
    found = set()
    for follow in (True, False):
        with suppress(OSError):
            status = os.stat(path, follow_symlinks=follow)  # noqa: PTH116
            if status.st_ino:
                found.add((status.st_dev, status.st_ino))
    return found


def _flush(path: Path) -> None:
    """Flush a file or folder to the disk; on Windows folders cannot be opened."""
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    """Return the user's file mode mask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
