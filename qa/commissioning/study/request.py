"""What a commissioning study compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REFERENCE = "reference"
RULES, PROGRAM, ATLAS = "rules", "autocontour", "atlas"


@dataclass(frozen=True)
class SetRole:
    """Which structure sets are those of an observer or of another program.

    Attributes
    ----------
    name
        In the report.
    pattern
        Of the file's path below the cohort's folder, or of the set's label, with ``*`` and ``?``.
    """

    name: str
    pattern: str


@dataclass(frozen=True)
class StudyRequest:
    """A study.

    Attributes
    ----------
    cohort
        Folder of CTs and structure sets, searched with all its subfolders.
    output
        Folder of the report.
    reference
        Pattern of the reference structure sets; empty: the only set of a CT that has no other role.
    observers
        Further manual sets.
    others
        Sets of other programs.
    packages
        Model packages to run, each a method of its own: name, folder or zip.
    with_rules
        Whether the rules alone are a method.
    with_program
        Whether the program as in use (rules, then packages) is a method.
    structures
        Only these; all confirmed ones if empty.
    tolerances, names, key
        Files, instead of the program's and the private folder's.
    device
        For the networks.
    atlas, atlas_nearest, atlas_fusion
        Folder of contoured patients (the cohort itself: each patient with the others), how many are registered with
        each patient, and how their contours are fused (see `autocontour.qa.commissioning.study.atlas`).
    pictures
        How many of the worst cases of each method are shown.
    with_dangling
        Whether sets with references to images that are not in the CT are used (``AC-DS-034``), by their positions.
    """

    cohort: Path
    output: Path
    reference: str = ""
    observers: Sequence[SetRole] = ()
    others: Sequence[SetRole] = ()
    packages: Sequence[str] = ()
    with_rules: bool = False
    with_program: bool = False
    structures: Sequence[str] = ()
    tolerances: Path | None = None
    names: Path | None = None
    key: Path | None = None
    device: str = "auto"
    pictures: int = 3
    atlas: Path | None = None
    atlas_nearest: int = 5
    atlas_fusion: str = "weighted"
    with_dangling: bool = False

    @property
    def private(self) -> Path:
        """The folder beside the report, of files that name patients or places."""
        return self.output.with_name(self.output.name + ".private")

    @property
    def names_file(self) -> Path:
        """The file of names."""
        return self.names or self.private / "names.toml"

    @property
    def key_file(self) -> Path:
        """The key of the patients' names in the report."""
        return self.key or self.private / "key"

    @property
    def roles(self) -> list[SetRole]:
        """The roles of structure sets, the reference first if it has a pattern."""
        first = [SetRole(REFERENCE, self.reference)] if self.reference else []
        return [*first, *self.observers, *self.others]

    @property
    def observer_names(self) -> list[str]:
        """The observers other than the reference."""
        return [role.name for role in self.observers]
