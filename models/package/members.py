"""The files of a model package, read from its folder or zip without trusting either."""

from __future__ import annotations

import hashlib
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from autocontour.base.errors import ModelError

CHECKSUMS = "SHA256SUMS"
METADATA = "metadata.json"
WEIGHTS = {"localizer": "localizer.safetensors", "segmenter": "segmenter.safetensors"}
ALLOWED = frozenset({METADATA, CHECKSUMS, *WEIGHTS.values(), "LICENSE", "README.md", "training.json"})
PICKLE_SUFFIXES = frozenset({".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".npy", ".joblib", ".py"})
MAX_WEIGHT_BYTES = 1 << 30
MAX_TEXT_BYTES = 4 << 20

_ASK_AGAIN = "Get the package again from where it came from."


def read_members(path: Path) -> dict[str, bytes]:
    """Read every file of the package at `path`, checked against the package's own checksums.

    Parameters
    ----------
    path
        A folder, or a zip with the same files at its top.

    Returns
    -------
    dict[str, bytes]
        Member name → content; only names in `ALLOWED`.

    Raises
    ------
    ModelError
        ``AC-MD-001`` no package there, ``002`` a foreign member, ``003`` something that could hold a pickle, ``004``
        a name that leads out of the package, ``005`` a link, ``006`` too large, ``007`` content changed, ``008``
        checksums missing or incomplete, ``009`` a damaged zip.
    """
    if path.is_dir():
        members = _read_folder(path)
    elif path.is_file():
        members = _read_zip(path)
    else:
        raise ModelError("AC-MD-001", f"There is no model package at {path.name}.", "Check the path.")
    if METADATA not in members:
        raise ModelError("AC-MD-001", f"{path.name} is no model package: it has no {METADATA}.", "Check the path.")
    check_checksums(members)
    return members


def package_checksum(members: dict[str, bytes]) -> str:
    """Return the SHA-256 that names the package: that of its list of checksums, which covers every other file."""
    return hashlib.sha256(members[CHECKSUMS]).hexdigest()


def checksums_of(members: dict[str, bytes]) -> bytes:
    """Return the content of ``SHA256SUMS`` for `members`, as the tool sha256sum writes and checks it."""
    rows = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(members.items()))
    return "".join(row for row in rows if not row.endswith(f"  {CHECKSUMS}\n")).encode("ascii")


def check_checksums(members: dict[str, bytes]) -> None:
    """Compare every member with the checksum that the package states for it."""
    if CHECKSUMS not in members:
        raise ModelError("AC-MD-008", f"The package has no {CHECKSUMS}.", _ASK_AGAIN)
    rows = [line.split("  ", 1) for line in members[CHECKSUMS].decode("ascii", "replace").splitlines()]
    stated = {row[1]: row[0] for row in rows if len(row) == 2}
    if len(stated) != len(rows) or set(stated) != set(members) - {CHECKSUMS}:
        raise ModelError("AC-MD-008", "The package's checksums do not list exactly its files.", _ASK_AGAIN)
    for name, digest in stated.items():
        if hashlib.sha256(members[name]).hexdigest() != digest:
            raise ModelError("AC-MD-007", f"{name} is not the file that the package was made with.", _ASK_AGAIN)


def _read_folder(folder: Path) -> dict[str, bytes]:
    members = {}
    if folder.is_symlink():
        raise _link(folder.name)
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            raise _link(path.name)
        if not path.is_file():
            raise ModelError("AC-MD-002", f"The package holds {path.name}, which is no plain file.", _ASK_AGAIN)
        _check_name(path.name)
        _check_size(path.name, path.stat().st_size)
        members[path.name] = _checked_content(path.name, path.read_bytes())
    return members


def _read_zip(path: Path) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if stat.S_ISLNK(info.external_attr >> 16):
                    raise _link(info.filename)
                _check_name(info.filename)
                if info.filename in members:
                    raise ModelError("AC-MD-002", f"The package holds {info.filename} twice.", _ASK_AGAIN)
                _check_size(info.filename, info.file_size)
                with archive.open(info) as member:
                    data = member.read(info.file_size + 1)
                _check_size(info.filename, len(data))
                members[info.filename] = _checked_content(info.filename, data)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, zlib.error) as error:
        raise ModelError("AC-MD-009", f"{path.name} is no zip that can be read.", _ASK_AGAIN) from error
    return members


def _check_name(name: str) -> None:
    pure = PurePosixPath(name.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or ":" in name:
        raise ModelError("AC-MD-004", f"The package holds {name!r}, which leads out of it.", "Do not use it.")
    if pure.suffix.lower() in PICKLE_SUFFIXES:
        raise ModelError(
            "AC-MD-003", f"The package holds {name!r}; such a file can run code when it is opened.", "Do not use it."
        )
    if name not in ALLOWED:
        raise ModelError("AC-MD-002", f"The package holds {name!r}, which does not belong in one.", _ASK_AGAIN)


def _check_size(name: str, size: int) -> None:
    limit = MAX_WEIGHT_BYTES if name in WEIGHTS.values() else MAX_TEXT_BYTES
    if size > limit:
        raise ModelError("AC-MD-006", f"{name} would take {size >> 20} MiB; {limit >> 20} MiB are allowed.", _ASK_AGAIN)


def _checked_content(name: str, data: bytes) -> bytes:
    """Refuse weights that are a pickle or a torch archive under another name."""
    pickled = data[:1] == b"\x80" or data[:4] == b"PK\x03\x04"
    if name in WEIGHTS.values() and pickled and data[8:9] != b"{":
        raise ModelError("AC-MD-003", f"{name} holds a pickle, not safetensors.", "Do not use it.")
    return data


def _link(name: str) -> ModelError:
    return ModelError("AC-MD-005", f"{name!r} in the package is a link.", _ASK_AGAIN)
