"""Writes that are whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from autocontour.base import files
from autocontour.base.errors import OutputError
from autocontour.base.files import digest_of, replacing, write_atomically
from autocontour.base.lock import lock_handle


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out.bin"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(path.parent) == ["out.bin"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:  # noqa: PT012
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out.bin"]


def test_a_full_disk_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")

    def full(_self: Path, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left") as refusal:
        write_atomically(path, b"new")
    assert refusal.value.code == "AC-OUT-001"
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out.bin"]


def test_the_reason_of_an_error_that_a_library_raised_again_is_stated() -> None:
    """On a full disk pydicom raises an OSError of its own from the disk's: the message was only 'OSError'."""
    wrapped = OSError("With tag (3006,0039) got exception: …")
    wrapped.__cause__ = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert "No space left" in str(files.cannot_write(Path("RS.dcm"), wrapped))
    assert "OSError" in str(files.cannot_write(Path("RS.dcm"), OSError("?")))


def test_a_read_only_folder_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    def refused(**_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(tempfile, "mkstemp", refused)
    with pytest.raises(OutputError, match="Permission denied"):
        write_atomically(tmp_path / "out.bin", b"new")


@pytest.mark.parametrize(("before", "code"), [(b"read", "AC-OUT-009"), (b"", "AC-OUT-002")])
def test_a_file_that_another_program_wrote_in_the_meantime_stays(tmp_path: Path, before: bytes, code: str) -> None:
    """Two programs at once on one output: the second must not replace what it has not read."""
    path = tmp_path / "out.bin"
    if before:
        path.write_bytes(before)
    with pytest.raises(OutputError) as refusal, replacing(path, expected=digest_of(path)) as temporary:  # noqa: PT012
        temporary.write_bytes(b"mine")
        path.write_bytes(b"another program's")
    assert refusal.value.code == code
    assert path.read_bytes() == b"another program's"
    assert os.listdir(tmp_path) == ["out.bin"]
    with replacing(path, expected=digest_of(path)) as temporary:
        temporary.write_bytes(b"mine")
    assert path.read_bytes() == b"mine"


def test_programs_rename_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is locked while the content is compared and the file renamed; nobody waits for ever."""
    compared = []

    def check(path: Path, expected: str | None) -> None:
        handle = os.open(path.parent, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            lock_handle(handle)
        os.close(handle)
        compared.append(expected)

    monkeypatch.setattr(files, "_check_content", check)
    write_atomically(tmp_path / "out.bin", b"new")
    assert compared == [None]
    monkeypatch.undo()
    monkeypatch.setattr(files, "TURN_SECONDS", 0.03)
    other = os.open(tmp_path, os.O_RDONLY)
    lock_handle(other)
    write_atomically(tmp_path / "out.bin", b"newer")
    os.close(other)
    assert (tmp_path / "out.bin").read_bytes() == b"newer"

    def without_locks(_handle: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(files, "lock_handle", without_locks)
    write_atomically(tmp_path / "out.bin", b"newest")
    assert (tmp_path / "out.bin").read_bytes() == b"newest"
