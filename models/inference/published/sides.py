"""The test that a published network's left is the patient's left, on a CT of the user's.

Neither nnU-Net nor MONAI records the orientation of its images, and a network that is fed mirrored images may draw
every organ well and call each by the name of the other side. What is drawn is compared with the patient's anatomy.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from autocontour.base.errors import ModelError
from autocontour.base.jobs import Job
from autocontour.models.inference.localizer import find_patient
from autocontour.models.inference.plausibility import Measure
from autocontour.models.inference.published.segment import draw_published
from autocontour.models.package.package import ModelPackage
from autocontour.models.package.procedure import SidesCheck
from autocontour.patient.volume import CTVolume

LEAST_CC = 0.5
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
    """

    what: str
    holds: bool
    about_sides: bool


def check_sides(ct: CTVolume, package: ModelPackage, job: Job, device: str = "auto", profile: str = "") -> SidesCheck:
    """Draw the structures whose place is known and compare their places.

    Parameters
    ----------
    ct
        A CT of a patient with the usual anatomy.
    package
        With a procedure.
    job, device, profile
        As of `autocontour.models.inference.published.segment.draw_published`.

    Raises
    ------
    ModelError
        ``AC-MD-081`` if one is in a place where it cannot be, ``AC-MD-082`` if nothing says which side is left.
    """
    names = [name for name in package.structures if is_placed(name, package)]
    drawn = draw_published(ct, package, names, job, device, profile) if names else None
    patient = find_patient(ct)
    measures = drawn.measures if drawn else {}
    verdicts = list(compare_places(measures, patient.midline_x_mm)) if patient else []
    if wrong := [one.what for one in verdicts if not one.holds]:
        raise ModelError("AC-MD-081", package=package.name, structures=", ".join(wrong[:10]))
    if not any(one.about_sides for one in verdicts):
        raise ModelError("AC-MD-082", package=package.name, count=len(measures))
    checksum = ct.content_checksum or sha256(ct.hu.tobytes()).hexdigest()
    date = datetime.now(UTC).isoformat(timespec="seconds")
    return SidesCheck(checksum, tuple(one.what for one in verdicts)[:200], date)


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
            yield Verdict(what, one.centre_zyx_mm[X] > other.centre_zyx_mm[X], about_sides=True)
        for side, sign in (("left", 1), ("right", -1)):
            if name in rules[side] and not one.at_end:
                away = sign * (one.centre_zyx_mm[X] - midline_x_mm)
                if abs(away) >= float(rules["least_mm"]):
                    yield Verdict(f"{name} on the {side}", away > 0, about_sides=True)
    for behind in rules["behind"]:
        for front in rules["front"]:
            if behind in drawn and front in drawn:
                backwards = drawn[behind].centre_zyx_mm[Y] > drawn[front].centre_zyx_mm[Y]
                yield Verdict(f"{behind} behind {front}", backwards, about_sides=False)
    levels = [[name for name in level if name in drawn] for level in rules["levels"]]
    for number, upper in enumerate(levels):
        for lower in levels[number + 1 :]:
            for above in upper:
                for below in lower:
                    higher = drawn[above].centre_zyx_mm[Z] > drawn[below].centre_zyx_mm[Z]
                    yield Verdict(f"{above} above {below}", higher, about_sides=False)


def _other_side(name: str) -> str:
    """Return the name of the structure on the other side; empty for one without a side."""
    if name.endswith("_L"):
        return f"{name[:-2]}_R"
    return f"{name[:-2]}_L" if name.endswith("_R") else ""


@cache
def _rules() -> Mapping[str, Any]:
    text = files("autocontour.models.inference.published").joinpath("places.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
