"""Whether and how this site learns from its approved cases: ``settings.toml`` in the folder of the learning.

::

    enabled = true                  # nothing is collected while it is false
    package = "head-and-neck"       # the package in use that is retrained
    cases = "/home/me/.local/share/autocontour/cases"
    when = 10                       # new patients after which the package is retrained
    test_share = 0.25               # of the patients, put aside for the gate and never trained on
    quiet_minutes = 30              # a case counts when nothing in it has changed for so long
    steps = 0                       # of the training; 0: by the number of cases
    replay = ["/data/earlier"]      # data sets of earlier patients, against forgetting
    tests = ["original=/data/earlier:test"]   # further data sets for the gate, as of autocontour models gate --data
    limits = ""                     # file of the gate's limits; empty for the program's
    device = "auto"                 # of the gate's contouring
"""

# `annotations` is not imported from __future__: cattrs needs the limits.

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

from autocontour.base.errors import LearningError
from autocontour.base.files import shown_path, write_atomically
from autocontour.base.folders import cases_folder, data_folder
from autocontour.base.limits import Length, OneOf, Range, Text
from autocontour.base.typed import SettingsError, read_file, read_toml

NAME = "settings.toml"
HEAD = "# Learning from approved cases: see docs/retraining.md. Nothing is collected while enabled = false.\n"
Place = Annotated[str, Text(4096, least=0, path=True)]


@dataclass(frozen=True)
class LearningSettings:
    """The settings; see the module."""

    enabled: bool = False
    package: Annotated[str, Text(200, path=True)] = "head-and-neck"
    cases: Place = ""
    when: Annotated[int, Range(1, 100_000)] = 10
    test_share: Annotated[float, Range(0.05, 0.9)] = 0.25
    quiet_minutes: Annotated[float, Range(0, 100_000)] = 30.0
    steps: Annotated[int, Range(0, 10_000_000)] = 0
    replay: Annotated[tuple[Place, ...], Length(0, 100)] = ()
    tests: Annotated[tuple[Place, ...], Length(0, 100)] = ()
    limits: Place = ""
    device: Annotated[str, OneOf(("auto", "cpu", "cuda", "torch-cpu"))] = "auto"

    @property
    def cases_folder(self) -> Path:
        """The folder of the cases; the user's own by default."""
        return Path(self.cases).expanduser() if self.cases else cases_folder()


def learning_folder() -> Path:
    """Return the user's own folder of the learning."""
    return data_folder() / "learning"


def read_settings(folder: Path) -> LearningSettings:
    """Read the settings; a folder without any has learning switched off.

    Raises
    ------
    LearningError
        ``AC-LN-002`` with every problem of the file.
    """
    path = folder / NAME
    if not path.exists():
        return LearningSettings()
    try:
        return read_toml(LearningSettings, read_file(path))
    except OSError as error:
        raise LearningError("AC-LN-002", file=shown_path(path), count=1) from error
    except SettingsError as error:
        raise LearningError("AC-LN-002", error.problems, file=shown_path(path), count=len(error.problems)) from error


def write_settings(folder: Path, settings: LearningSettings) -> None:
    """Write the settings; the folder is readable for its owner only.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    lines = [f"{one.name} = {_toml(getattr(settings, one.name))}" for one in fields(settings)]
    write_atomically(folder / NAME, (HEAD + "\n".join(lines) + "\n").encode("utf-8"))
    folder.chmod(0o700)


def _toml(value: bool | float | str | tuple[str, ...]) -> str:
    """Return a value as TOML, whose strings and lists are those of JSON."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
