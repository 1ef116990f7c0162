"""Rules that choose how a series is contoured, by its DICOM attributes: a TOML file.

::

    [[rules]]
    name = "Head and neck"
    when = { BodyPartExamined = ["HEAD*", "NECK"], SeriesDescription = "*plan*" }
    least_slices = 40
    template = "head-neck"
    output = "outbox/head-neck"     # relative to this file; where missing: the folder of the command

    [[rules]]
    name = "Follow-up"
    when = { StudyDescription = "*follow*" }
    skip = true

    [[rules]]
    name = "Everything else"        # without conditions

The first rule whose conditions all hold is used. Texts are compared without case; ``*`` stands for any characters and
``?`` for one. Of several texts in a list one must fit. A series that no rule fits is not contoured, and reported.
"""

# `annotations` is not imported from __future__: cattrs needs the limits (see `autocontour.base.typed`).

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from autocontour.base.errors import QueueError
from autocontour.base.findings import Finding
from autocontour.base.limits import Keys, Length, OneOf, Range, Text, Unique
from autocontour.base.typed import SettingsError, read_file, read_toml
from autocontour.queue.record import Options

ATTRIBUTES = (
    *("StudyDescription", "SeriesDescription", "ProtocolName", "BodyPartExamined", "PatientPosition", "PatientSex"),
    *("StationName", "InstitutionName", "InstitutionalDepartmentName", "Manufacturer", "ManufacturerModelName"),
    *("ConvolutionKernel", "SliceThickness", "KVP", "ContrastBolusAgent", "ImageType"),
)
"""Attributes that rules may use: none identifies the patient."""

Wanted = Annotated[str, Text(200, least=0)]
Path_ = Annotated[str, Text(1000, least=0, path=True)]


@dataclass(frozen=True)
class Condition:
    """A condition with its result on one series."""

    attribute: str
    wanted: str
    present: str
    holds: bool


@dataclass(frozen=True)
class Rule:
    """One rule of the file; see the module."""

    name: Annotated[str, Text(100)]
    when: Annotated[dict[str, Wanted | tuple[Wanted, ...]], Keys(OneOf(ATTRIBUTES))] = field(default_factory=dict)
    least_slices: Annotated[int, Range(0, 100_000)] = 0
    skip: bool = False
    template: Path_ = ""
    package: Path_ = ""
    structures: Annotated[tuple[Annotated[str, Text(64)], ...], Length(0, 500), Unique()] = ()
    output: Path_ = ""
    priority: Annotated[int, Range(-1000, 1000)] = 0

    def find_problems(self) -> Iterator[Finding]:
        """Yield ``AC-CFG-026`` for settings of a rule that skips."""
        if self.skip:
            for name in ("template", "package", "structures", "output", "priority"):
                if getattr(self, name):
                    yield Finding.of("AC-CFG-026", name, other="skip = false")

    def conditions(self, attributes: Mapping[str, str], slices: int) -> Iterator[Condition]:
        """Yield every condition with its result."""
        for attribute, wanted in self.when.items():
            texts = (wanted,) if isinstance(wanted, str) else wanted
            present = attributes.get(attribute, "")
            holds = any(fnmatchcase(present.casefold(), text.casefold()) for text in texts)
            yield Condition(attribute, " or ".join(texts), present, holds)
        if self.least_slices:
            yield Condition("slices", f"at least {self.least_slices}", str(slices), slices >= self.least_slices)

    def fits(self, attributes: Mapping[str, str], slices: int) -> bool:
        """Whether every condition holds."""
        return all(one.holds for one in self.conditions(attributes, slices))

    def options(self, default: Options) -> Options:
        """Return the options of a series under this rule; what the rule does not state is as in `default`."""
        return replace(
            default,
            template=self.template or default.template,
            package=self.package or default.package,
            structures=self.structures or default.structures,
            output=self.output or default.output,
            priority=self.priority or default.priority,
        )


@dataclass(frozen=True)
class Rules:
    """The content of the file."""

    rules: Annotated[tuple[Rule, ...], Length(1, 200), Unique("name")]

    def choose(self, attributes: Mapping[str, str], slices: int) -> Rule | None:
        """Return the first rule that fits; None if none does."""
        return next((rule for rule in self.rules if rule.fits(attributes, slices)), None)


def read_rules(path: Path) -> Rules:
    """Read a file of rules; its paths are relative to its folder.

    Raises
    ------
    QueueError
        ``AC-QU-020`` if it cannot be read, ``AC-QU-019`` if it is not valid.
    """
    try:
        content = read_toml(Rules, read_file(path))
    except OSError as error:
        raise QueueError("AC-QU-020", file=path.name, reason=error.strerror or type(error).__name__) from error
    except SettingsError as error:
        raise QueueError("AC-QU-019", error.problems, file=path.name, count=len(error.problems)) from error
    return Rules(tuple(_placed(rule, path.resolve().parent) for rule in content.rules))


def _placed(rule: Rule, folder: Path) -> Rule:
    """Return a rule with absolute paths; names of templates and packages stay."""

    def placed(name: str) -> str:
        return str(folder / name) if name and (folder / name).exists() else name

    output = str(folder / rule.output) if rule.output else ""
    return replace(rule, template=placed(rule.template), package=placed(rule.package), output=output)
