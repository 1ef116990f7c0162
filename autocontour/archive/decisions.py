"""Decisions of a person about patients and structures, in a TOML file that every build obeys.

::

    [[decisions]]
    patient = "p0123456789ab"          # as on the inspection page
    structure_set = "s0123456789ab"    # this one of several

    [[decisions]]
    patient = "p0123456789ab"
    structures = ["Heart"]             # only these; without: the whole patient
    keep = ["AC-DS-051"]               # findings that are accepted
    reason = "contoured on every second slice, interpolated here"

    [[decisions]]
    patient = "p0123456789ab"
    exclude = true
    split = "test"                     # another part of the data set than "train"
"""

# `annotations` is not imported from __future__: cattrs needs the limits.

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from autocontour.base.errors import DatasetError
from autocontour.base.files import shown_path, write_atomically
from autocontour.base.findings import Finding
from autocontour.base.limits import FileName, Length, Pattern, Text
from autocontour.base.typed import SettingsError, read_file, read_toml

HEAD = """# Decisions about patients and structures; every build of the data set obeys them. Keep this file private.
#
# [[decisions]]
# patient = "p0123456789ab"          # as on the inspection page
# structures = ["Heart"]             # only these; without: the whole patient
# exclude = true                     # leave it out, or
# keep = ["AC-DS-051"]               # use it although these findings were reported
# structure_set = "s0123456789ab"    # use this one of several structure sets
# split = "test"                     # put the patient into another part of the data set than "train"
# reason = "…"
"""

Name = Annotated[str, FileName()]
Code = Annotated[str, Pattern(r"AC-[A-Z]+-\d+", "AC-CFG-034")]


@dataclass(frozen=True)
class Decision:
    """One decision.

    Attributes
    ----------
    patient
        Name in the data set.
    structures
        Those it is about; empty for the patient as a whole.
    exclude
        Leave the patient or the structures out.
    keep
        Codes of findings that are accepted.
    structure_set
        The structure set to use.
    split
        Part of the data set; empty for the usual one.
    reason, by
        For the record.
    """

    patient: Name
    structures: Annotated[tuple[Name, ...], Length(0, 2000)] = ()
    exclude: bool = False
    keep: tuple[Code, ...] = ()
    structure_set: Annotated[str, Text(64, least=0)] = ""
    split: Annotated[str, Text(64, least=0)] = ""
    reason: Annotated[str, Text(2000, least=0)] = ""
    by: Annotated[str, Text(200, least=0)] = ""

    def find_problems(self) -> Iterator[Finding]:
        """Yield ``AC-DS-027`` for a decision without effect or that contradicts itself."""
        effects = bool(self.exclude), bool(self.keep), bool(self.structure_set), bool(self.split)
        if not any(effects) or (self.exclude and self.keep):
            yield Finding.of("AC-DS-027")
        if self.split:
            yield from FileName().problems(self.split)


@dataclass(frozen=True)
class Decisions:
    """The content of the file."""

    decisions: Annotated[tuple[Decision, ...], Length(0, 100_000)] = ()

    def excludes(self, patient: str, structure: str = "") -> bool:
        """Whether a patient, or one of its structures, is left out."""
        return any(one.exclude and self._covers(one, patient, structure, whole=False) for one in self.decisions)

    def accepted(self, patient: str, structure: str = "") -> frozenset[str]:
        """Return the codes that are accepted for a patient, or for one of its structures."""
        found = (one.keep for one in self.decisions if self._covers(one, patient, structure, whole=True))
        return frozenset(code for codes in found for code in codes)

    def structure_set(self, patient: str) -> str:
        """Return the structure set that was chosen; empty if none was."""
        return next((one.structure_set for one in self.of(patient) if one.structure_set), "")

    def split(self, patient: str) -> str:
        """Return the part of the data set that was chosen; empty if none was."""
        return next((one.split for one in self.of(patient) if one.split), "")

    def of(self, patient: str) -> tuple[Decision, ...]:
        """Return all decisions about a patient and its structures."""
        return tuple(one for one in self.decisions if one.patient == patient)

    @staticmethod
    def _covers(one: Decision, patient: str, structure: str, *, whole: bool) -> bool:
        """Whether a decision is about the patient or the structure; with `whole`, one about all structures counts."""
        if one.patient != patient:
            return False
        return structure in one.structures if structure and (one.structures or not whole) else not one.structures


def read_decisions(path: Path) -> Decisions:
    """Read the file; if it does not exist, it is created without a decision.

    Raises
    ------
    DatasetError
        ``AC-DS-004`` with every problem.
    """
    if not path.exists():
        write_atomically(path, HEAD.encode("utf-8"))
    try:
        return read_toml(Decisions, read_file(path))
    except OSError as error:
        raise DatasetError("AC-DS-004", name=shown_path(path), count=1) from error
    except SettingsError as error:
        count = len(error.problems)
        raise DatasetError("AC-DS-004", error.problems, name=shown_path(path), count=count) from error
