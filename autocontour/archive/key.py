"""The secret key of a data set: it replaces UIDs and identities, always in the same way."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from autocontour.base.errors import DatasetError
from autocontour.base.files import shown_path

BYTES = 32


@dataclass(frozen=True)
class Key:
    """A secret of 32 bytes. Without it the identities behind the data set's names cannot be found by trying them."""

    secret: bytes = field(repr=False)

    @property
    def check(self) -> str:
        """What a data set stores to recognize its key."""
        return self.hash("check")[:16]

    def hash(self, *parts: str) -> str:
        """Return a hash of the parts, 32 hexadecimal digits."""
        text = "\0".join(parts).encode("utf-8", "surrogateescape")
        return hmac.new(self.secret, text, hashlib.sha256).hexdigest()[:32]

    def uid(self, uid: str) -> str:
        """Return the replacement of a UID: one derived from a UUID (PS3.5 B.2)."""
        digest = hmac.new(self.secret, f"uid\0{uid}".encode(), hashlib.sha256).digest()
        return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"

    def name(self, letter: str, *parts: str) -> str:
        """Return a name in the data set: a letter and 12 hexadecimal digits."""
        return letter + self.hash(letter, *parts)[:12]


def open_key(path: Path, known_check: str) -> Key:
    """Read the key file, or create it for a new data set.

    Parameters
    ----------
    path
        A file of 64 hexadecimal digits, readable by its owner only.
    known_check
        `Key.check` of the data set that exists already; empty if there is none.

    Raises
    ------
    DatasetError
        ``AC-DS-005`` if it is missing, damaged or another one than the data set's.
    """
    try:
        key = Key(bytes.fromhex(path.read_text(encoding="ascii").strip()))
    except FileNotFoundError:
        if known_check:
            raise DatasetError("AC-DS-005", file=shown_path(path)) from None
        return _create(path)
    except (OSError, ValueError) as error:
        raise DatasetError("AC-DS-005", file=shown_path(path)) from error
    if len(key.secret) != BYTES or known_check not in ("", key.check):
        raise DatasetError("AC-DS-005", file=shown_path(path))
    return key


def _create(path: Path) -> Key:
    key = Key(secrets.token_bytes(BYTES))
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(key.secret.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return key
