"""The folder of the learning: its files, its lock, its key and its log."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autocontour.archive.key import Key, open_key
from autocontour.archive.names import NameRow, NamesFile, fold, read_names, write_names
from autocontour.base.errors import LearningError
from autocontour.base.lock import lock_handle
from autocontour.models.package.package import ModelPackage
from autocontour.queue.log import Log


class Folder:
    """The files of the learning.

    ``settings.toml`` is described in `autocontour.learning.settings`; ``private`` holds key, names and decisions;
    ``collected`` a data set for each case; ``test`` the data set of the patients that are put aside; ``rounds`` one
    folder for each retraining.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.private = path / "private"
        self.collected = path / "collected"
        self.test = path / "test"
        self.rounds = path / "rounds"
        self.names = self.private / "names.toml"
        self.decisions = self.private / "decisions.toml"
        self.key_file = self.private / "key"

    def open_key(self) -> Key:
        """Return the key, made at the first use.

        Raises
        ------
        LearningError
            ``AC-LN-004`` if it is gone while cases have been collected: no patient would be recognized.
        """
        if not self.key_file.exists() and (self.path / "cases.json").exists():
            raise LearningError("AC-LN-004")
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o700)
        return open_key(self.key_file, "")

    def open_log(self) -> Log:
        """Return the log."""
        return Log(self.path, "learning.log")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock: one program at a time.

        Raises
        ------
        LearningError
            ``AC-LN-005`` if another program holds it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                lock_handle(handle)
            except OSError as error:
                raise LearningError("AC-LN-005") from error
            yield
        finally:
            os.close(handle)

    def confirm_own_names(self, package: ModelPackage) -> None:
        """Confirm the names of the package's structures as they are; every other name waits for a person."""
        content = read_names(self.names)
        known = {fold(row.name) for row in content.names}
        missing = [name for name in package.structures if fold(name) not in known]
        if missing or not self.names.exists():
            rows = (NameRow(name, name, how="name of the package", confirmed=True) for name in missing)
            write_names(self.names, NamesFile(content.confirmed, (*content.names, *rows)))
