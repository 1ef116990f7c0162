"""The files of a model package, read from its folder or zip as untrusted input."""

from __future__ import annotations

import hashlib
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from autocontour.base.errors import ModelError
from autocontour.base.limits import shown

CHECKSUMS = "SHA256SUMS"
METADATA = "metadata.json"
WEIGHTS = {"localizer": "localizer.safetensors", "segmenter": "segmenter.safetensors"}
ALLOWED = frozenset({METADATA, CHECKSUMS, *WEIGHTS.values(), "LICENSE", "README.md", "training.json"})
PICKLE_SUFFIXES = frozenset({".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".npy", ".joblib", ".py"})
MAX_WEIGHT_BYTES = 1 << 30
MAX_TEXT_BYTES = 4 << 20
MAX_COMPRESSION = 50  # of a member over 1 MiB: trained weights compress to at least a half, texts to a tenth
FREE_BYTES = 1 << 20
CHUNK_BYTES = 1 << 20
MIB = 1 << 20

Open = Callable[[str], IO[bytes]]


class Members:
    """The files of one package: listed, their sizes and checksums checked, then read one at a time.

    Parameters
    ----------
    sizes
        Name → size in bytes.
    opener
        Opens a file of the package.

    Attributes
    ----------
    sizes
        Name → size in bytes; only names in `ALLOWED`.
    checksum
        The SHA-256 that identifies the package: that of its list of checksums, which covers every other file.
    """

    def __init__(self, sizes: Mapping[str, int], opener: Open) -> None:
        self.sizes = sizes
        self._open = opener
        if CHECKSUMS not in sizes:
            raise ModelError("AC-MD-008")
        listed = self._read(CHECKSUMS)
        self.checksum = hashlib.sha256(listed).hexdigest()
        self._digests = _parse_checksums(listed)
        if set(self._digests) != set(sizes) - {CHECKSUMS}:
            raise ModelError("AC-MD-008")

    def check(self) -> None:
        """Compare every file with its checksum, without keeping any in memory."""
        for name, digest in self._digests.items():
            found = hashlib.sha256()
            for chunk in self._chunks(name):
                found.update(chunk)
            if found.hexdigest() != digest:
                raise ModelError("AC-MD-007", file=name)

    def read(self, name: str) -> bytes:
        """Return the content of a file, compared with its checksum."""
        data = self._read(name)
        if name != CHECKSUMS and hashlib.sha256(data).hexdigest() != self._digests[name]:
            raise ModelError("AC-MD-007", file=name)
        return data

    def _read(self, name: str) -> bytes:
        return b"".join(self._chunks(name))

    def _chunks(self, name: str) -> Iterator[bytes]:
        left = self.sizes[name]
        with self._open(name) as file:
            while chunk := file.read(min(CHUNK_BYTES, left + 1)):
                if left == self.sizes[name]:
                    _check_beginning(name, chunk)
                left -= len(chunk)
                if left < 0:
                    raise ModelError("AC-MD-007", file=name)  # longer than listed
                yield chunk


@contextmanager
def open_members(path: Path) -> Iterator[Members]:
    """Open the package at `path` for reading, its list of files checked.

    Parameters
    ----------
    path
        A folder, or a zip with the same files at its top.

    Raises
    ------
    ModelError
        ``AC-MD-001`` no package there, ``002`` an unexpected file, ``003`` a file that could run code when it is
        opened, ``004`` a path outside the package, ``005`` a link, ``006`` too large, ``007`` content that
        differs from its checksum, ``008`` checksums missing or incomplete, ``009`` a damaged zip, ``023`` a name with
        characters that are not allowed, ``024`` a zip bomb, ``025`` not a regular file, ``026`` a repeated file,
        ``027`` an error of the file system.
    """
    try:
        if path.is_dir():
            yield _checked(path, _list_folder(path), lambda name: (path / name).open("rb"))
        elif path.is_file():
            with zipfile.ZipFile(path) as archive:
                yield _checked(path, _list_zip(archive), archive.open)
        else:
            raise ModelError("AC-MD-001", name=shown(path.name))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, zlib.error) as error:
        raise ModelError("AC-MD-009", name=shown(path.name)) from error
    except OSError as error:
        raise ModelError("AC-MD-027", name=shown(path.name), reason=error.strerror or type(error).__name__) from error


def read_members(path: Path) -> dict[str, bytes]:
    """Return the content of every file of the package at `path`, checked; raises as `open_members`."""
    with open_members(path) as members:
        return {name: members.read(name) for name in members.sizes}


def checksums_of(members: Mapping[str, bytes]) -> bytes:
    """Return the content of ``SHA256SUMS`` for `members`, in the format of sha256sum."""
    rows = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(members.items()))
    return "".join(row for row in rows if not row.endswith(f"  {CHECKSUMS}\n")).encode("ascii")


def _checked(path: Path, sizes: Mapping[str, int], opener: Open) -> Members:
    if METADATA not in sizes:
        raise ModelError("AC-MD-001", name=shown(path.name))
    return Members(sizes, opener)


def _parse_checksums(listed: bytes) -> dict[str, str]:
    rows = [line.split("  ", 1) for line in listed.decode("ascii", "replace").splitlines()]
    digests = {row[1]: row[0] for row in rows if len(row) == 2}
    if len(digests) != len(rows):
        raise ModelError("AC-MD-008")
    return digests


def _list_folder(folder: Path) -> dict[str, int]:
    if folder.is_symlink():
        raise ModelError("AC-MD-005", file=shown(folder.name))
    sizes: dict[str, int] = {}
    for path in sorted(folder.iterdir()):
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            raise ModelError("AC-MD-005", file=shown(path.name))
        if not stat.S_ISREG(status.st_mode):
            raise ModelError("AC-MD-025", file=shown(path.name))
        _check_name(path.name)
        _check_size(path.name, status.st_size)
        sizes[path.name] = status.st_size
    return sizes


def _list_zip(archive: zipfile.ZipFile) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for info in archive.infolist():
        name = info.filename
        if stat.S_ISLNK(info.external_attr >> 16):
            raise ModelError("AC-MD-005", file=shown(name))
        if "\0" in info.orig_filename:  # zipfile truncates a name there
            raise ModelError("AC-MD-023", file=shown(info.orig_filename))
        _check_name(name)
        if name in sizes:
            raise ModelError("AC-MD-026", file=shown(name))
        _check_size(name, info.file_size)
        if info.file_size > FREE_BYTES + MAX_COMPRESSION * info.compress_size:
            raise ModelError("AC-MD-024", file=name, size=info.file_size / MIB, stored=info.compress_size / MIB)
        sizes[name] = info.file_size
    return sizes


def _check_name(name: str) -> None:
    pure = PurePosixPath(name.replace("\\", "/"))
    if not name.isprintable():
        raise ModelError("AC-MD-023", file=shown(name))
    if pure.is_absolute() or ".." in pure.parts or ":" in name:
        raise ModelError("AC-MD-004", file=shown(name))
    if pure.suffix.lower() in PICKLE_SUFFIXES:
        raise ModelError("AC-MD-003", file=shown(name))
    if name not in ALLOWED:
        raise ModelError("AC-MD-002", file=shown(name))


def _check_size(name: str, size: int) -> None:
    limit = MAX_WEIGHT_BYTES if name in WEIGHTS.values() else MAX_TEXT_BYTES
    if size > limit:
        raise ModelError("AC-MD-006", file=name, size=size / MIB, limit=limit >> 20)


def _check_beginning(name: str, data: bytes) -> None:
    """Reject weights that are a pickle or a torch archive under another name."""
    pickled = data[:1] == b"\x80" or data[:4] == b"PK\x03\x04"
    if name in WEIGHTS.values() and pickled and data[8:9] != b"{":
        raise ModelError("AC-MD-003", file=name)
