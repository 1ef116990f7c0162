"""The test that a published network's left is the patient's left, on a CT of the user's.

Neither nnU-Net nor MONAI records the orientation of its images, and a network that is fed mirrored images may draw
every organ well and call each by the name of the other side. What is drawn is compared with the patient's anatomy.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.base.errors import ModelError
from autocontour.base.jobs import Job
from autocontour.contouring import mask_from_contours
from autocontour.models.inference.localizer import find_patient
from autocontour.models.inference.plausibility import Measure
from autocontour.models.inference.published.plausible import find_implausible
from autocontour.models.inference.published.segment import Drawn, draw_published
from autocontour.models.package.importers.names import side_of
from autocontour.models.package.package import ModelPackage
from autocontour.models.package.procedure import SidesCheck
from autocontour.patient.structures import Contours
from autocontour.patient.volume import CTVolume

LEAST_CC = 0.5
LEAST_DSC = 0.5
"""Overlap with another drawer's contours below which a structure is not the one of its name."""
CLEAR_DSC = 0.02
"""Difference of overlaps that is not chance."""
Z, Y, X = 0, 1, 2


@dataclass(frozen=True)
class Verdict:
    """Result of one comparison.

    Attributes
    ----------
    what
        The structures compared, such as ``Kidney_L left of Kidney_R``.
    holds
        Whether it is as in any patient.
    about_sides
        Whether it is about left and right.
    structures
        Those whose place in the patient it compares; none for a comparison with other contours.
    """

    what: str
    holds: bool
    about_sides: bool
    structures: tuple[str, ...] = ()


@dataclass(frozen=True)
class SidesTest:
    """What a package drew on a CT, and how it compares with what is known.

    Attributes
    ----------
    package
        Tested.
    ct
        SHA-256 of the CT.
    drawings
        Structure → its contours.
    verdicts
        Every comparison.
    reference
        Name of the other contours that were compared; empty for none.
    implausible
        Structure → why it cannot be the organ of its name (see `find_implausible`): its place proves nothing.
    """

    package: ModelPackage
    ct: str
    drawings: Mapping[str, Contours]
    verdicts: tuple[Verdict, ...]
    reference: str = ""
    implausible: Mapping[str, str] = field(default_factory=dict)

    @property
    def wrong(self) -> list[str]:
        """The comparisons that do not hold."""
        return [one.what for one in self.verdicts if not one.holds]

    @property
    def is_proven(self) -> bool:
        """Whether left is left, without anybody looking."""
        return not self.wrong and any(one.about_sides for one in self.verdicts if self.counts(one)) and self._is_likely

    @property
    def _is_likely(self) -> bool:
        """Whether more of the structures that show a side were really found than not."""
        shown = {name for one in self.verdicts if one.about_sides for name in one.structures}
        return not shown or 2 * len(shown - self.implausible.keys()) > len(shown)

    def counts(self, verdict: Verdict) -> bool:
        """Return whether a comparison is one of structures that were really found."""
        return not any(name in self.implausible for name in verdict.structures)

    @property
    def other_organs(self) -> ModelError | None:
        """``AC-MD-099`` if nothing is shown since what was drawn cannot be the organs of its names."""
        are_right = all(one.holds for one in self.verdicts if self.counts(one)) or not self._is_likely
        if not self.implausible or not are_right or self.is_proven or self.may_be_confirmed:
            return None
        structures = "; ".join(list(self.implausible.values())[:10])
        return ModelError("AC-MD-099", package=self.package.name, structures=structures)

    @property
    def may_be_confirmed(self) -> bool:
        """Whether a person may decide: nothing is wrong, and no structure of the package has a side."""
        return not self.wrong and bool(self.drawings) and not has_sides(self.package)

    def check(self, confirmed_by: str = "") -> SidesCheck:
        """Return the record of the passed test.

        Parameters
        ----------
        confirmed_by
            Name of who looked at the contours; only for a package without any structure that has a side.

        Raises
        ------
        ModelError
            ``AC-MD-081`` if one is in a place where it cannot be, ``AC-MD-082`` if nothing shows which side is left,
            ``AC-MD-088`` for a confirmation of what a person cannot decide, ``AC-MD-099`` if only structures that were
            not really found show a side.
        """
        if self.other_organs:
            raise self.other_organs
        if self.wrong:
            raise ModelError("AC-MD-081", package=self.package.name, structures=", ".join(self.wrong[:10]))
        held = tuple(one.what for one in self.verdicts if self.counts(one))[:200]
        date = datetime.now(UTC).isoformat(timespec="seconds")
        if self.is_proven:
            method = "reference" if self.reference else "anatomy"
            return SidesCheck(self.ct, held, date, method, self.reference)
        if not confirmed_by.strip():
            raise ModelError("AC-MD-082", package=self.package.name, count=len(self.drawings))
        if not self.may_be_confirmed:
            raise ModelError("AC-MD-088", package=self.package.name)
        looked_at = (*held, *self.drawings)[:200]
        return SidesCheck(self.ct, looked_at, date, "person", by=" ".join(confirmed_by.split())[:200])


def check_sides(ct: CTVolume, package: ModelPackage, job: Job, device: str = "auto", profile: str = "") -> SidesCheck:
    """Test a package on a CT (see `compare_sides`) and return the record of the passed test.

    Raises
    ------
    ModelError
        As `SidesTest.check`.
    """
    return compare_sides(ct, package, job, device, profile).check()


def compare_sides(
    ct: CTVolume,
    package: ModelPackage,
    job: Job,
    device: str = "auto",
    profile: str = "",
    reference: Mapping[str, Contours] | None = None,
    reference_name: str = "",
) -> SidesTest:
    """Draw the structures whose place is known, and those of the reference, and compare them.

    Parameters
    ----------
    ct
        A CT of a patient with the usual anatomy.
    package
        With a procedure.
    job, device, profile
        As of `autocontour.models.inference.published.segment.draw_published`.
    reference
        Structure → contours on the same CT by another drawer, for a package that draws nothing with a side: such as
        those of a structure set, or of a package whose sides were checked.
    reference_name
        Who drew it.
    """
    others = {name: one for name, one in (reference or {}).items() if name in package.structures and one}
    placed = [name for name in package.structures if is_placed(name, package) or name in others]
    names = placed or list(package.structures)
    drawn = draw_published(ct, package, names, job, device, profile)
    patient = find_patient(ct)
    midline = patient.midline_x_mm if patient else 0.0
    verdicts = list(compare_places(drawn.measures, midline)) if patient else []
    found = {name: one.contours for name, one in drawn.drawings.items() if drawn.measures[name].volume_cc >= LEAST_CC}
    shared = {name: one for name, one in others.items() if name in found}
    compared = {name for one in verdicts for name in one.structures}
    implausible = find_implausible(patient, found, drawn.measures, compared, _rules()) if patient else {}
    is_known = any(one.about_sides and not implausible.keys() & {*one.structures} for one in verdicts)
    if shared and not is_known and all(one.holds for one in verdicts):
        mirrored = draw_published(_mirrored(ct), package, list(shared), job, device, profile).drawings
        flipped = {name: one.contours for name, one in mirrored.items()}
        verdicts += _compare_contours(ct, package, found, flipped, shared)
    checksum = ct.content_checksum or sha256(ct.hu.tobytes()).hexdigest()
    drawer = reference_name if shared and not is_known else ""
    return SidesTest(package, checksum, found, tuple(verdicts), drawer, implausible)


def find_other_organs(ct: CTVolume, package: ModelPackage, drawn: Drawn) -> dict[str, str]:
    """Return the structures drawn whose place is known and that cannot be the organ of their name, with the values."""
    names = [name for name, one in drawn.measures.items() if is_placed(name, package) and one.volume_cc >= LEAST_CC]
    patient = find_patient(ct) if names else None
    if patient is None:
        return {}
    contours = {name: drawn.drawings[name].contours for name in names}
    return find_implausible(patient, contours, drawn.measures, names, _rules())


def _compare_contours(
    ct: CTVolume,
    package: ModelPackage,
    drawn: Mapping[str, Contours],
    flipped: Mapping[str, Contours],
    reference: Mapping[str, Contours],
) -> Iterator[Verdict]:
    """Yield whether each structure is where the other drawer has it, and no better so on the mirrored CT.

    A structure in the middle of the body is found on a mirrored CT as well, so its overlap alone proves nothing. Where
    the mirrored CT gives worse contours, the network distinguishes left from right and got them in the right order;
    where it makes no difference, none of the structures has a side that could be exchanged.
    """
    for name, other in reference.items():
        truth = mask_from_contours(other, ct.geometry)
        here = _dsc(mask_from_contours(drawn[name], ct.geometry), truth)
        there = _dsc(np.flip(mask_from_contours(flipped.get(name, {}), ct.geometry), _sideways(ct)), truth)
        by_side = bool(side_of(name)) or here - there >= CLEAR_DSC or not has_sides(package)
        holds = here >= LEAST_DSC and here >= there - CLEAR_DSC
        yield Verdict(f"{name} as drawn by another (DSC {here:.2f}, mirrored {there:.2f})", holds, about_sides=by_side)


def _mirrored(ct: CTVolume) -> CTVolume:
    """Return the CT with its voxels from left to right in the opposite order, on the same geometry."""
    return CTVolume(np.ascontiguousarray(np.flip(ct.hu, _sideways(ct))), ct.geometry)


def _sideways(ct: CTVolume) -> int:
    """Return the axis of the voxels that runs from one side of the patient to the other."""
    along_columns, along_rows = np.abs(ct.geometry.direction[0, :2])
    return 2 if along_columns >= along_rows else 1


def _dsc(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 0.0


def has_sides(package: ModelPackage) -> bool:
    """Return whether any structure of a package has a side, by its name or its usual place."""
    rules = _rules()
    return any(side_of(name) or name in rules["left"] or name in rules["right"] for name in package.structures)


def is_placed(name: str, package: ModelPackage) -> bool:
    """Return whether something is known about where a structure lies."""
    rules = _rules()
    other = _other_side(name)
    paired = other in package.structures
    listed = {*rules["left"], *rules["right"], *rules["front"], *(one for level in rules["levels"] for one in level)}
    return paired or name in listed or name in rules["behind"]


def compare_places(measures: Mapping[str, Measure], midline_x_mm: float) -> Iterator[Verdict]:
    """Yield the result of every comparison that the structures drawn allow (LPS: x grows to the left, y backwards)."""
    rules = _rules()
    drawn = {name: one for name, one in measures.items() if one.volume_cc >= LEAST_CC}
    for name, one in drawn.items():
        other = drawn.get(_other_side(name)) if name.endswith("_L") else None
        if other is not None:
            what = f"{name} left of {_other_side(name)}"
            pair = (name, _other_side(name))
            yield Verdict(what, one.centre_zyx_mm[X] > other.centre_zyx_mm[X], about_sides=True, structures=pair)
        for side, sign in (("left", 1), ("right", -1)):
            if name in rules[side] and not one.at_end:
                away = sign * (one.centre_zyx_mm[X] - midline_x_mm)
                if abs(away) >= float(rules["least_mm"]):
                    yield Verdict(f"{name} on the {side}", away > 0, about_sides=True, structures=(name,))
    for behind in rules["behind"]:
        for front in rules["front"]:
            if behind in drawn and front in drawn:
                backwards = drawn[behind].centre_zyx_mm[Y] > drawn[front].centre_zyx_mm[Y]
                yield Verdict(f"{behind} behind {front}", backwards, about_sides=False, structures=(behind, front))
    levels = [[name for name in level if name in drawn] for level in rules["levels"]]
    for number, upper in enumerate(levels):
        for lower in levels[number + 1 :]:
            for above in upper:
                for below in lower:
                    higher = drawn[above].centre_zyx_mm[Z] > drawn[below].centre_zyx_mm[Z]
                    yield Verdict(f"{above} above {below}", higher, about_sides=False, structures=(above, below))


def _other_side(name: str) -> str:
    """Return the name of the structure on the other side; empty for one without a side."""
    if name.endswith("_L"):
        return f"{name[:-2]}_R"
    return f"{name[:-2]}_L" if name.endswith("_R") else ""


@cache
def _rules() -> Mapping[str, Any]:
    text = files("autocontour.models.inference.published").joinpath("places.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
