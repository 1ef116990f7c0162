"""Structure sets written and read again: true contours of a phantom in four positions, with every export profile."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from autocontour.base.jobs import Job
from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.patient.structures import Contours, Structure, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.phantom import Phantom, build_phantom
from autocontour.rtstruct import read_structure_set, write_structure_set
from autocontour.rtstruct.write.options import HoleStyle, WriteOptions
from autocontour.site.profile import list_profiles, read_profile

POSITIONS = ("HFS", "HFP", "FFS", "FFP")
SPACING_ZYX_MM, SHAPE_ZYX = (6.0, 4.0, 4.0), (45, 128, 128)
SEED = 1
ALLOWED_MM = 0.001
"""Coordinates are written with three decimals."""


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """A structure set that was written and read.

    Attributes
    ----------
    position
        Of the patient.
    profile
        Of the export.
    structures, contours
        Numbers of structures, and of slices with contours.
    largest_shift_mm
        Largest mean distance between an outline and the one that was read: the area between them by its length.
        Infinite if a slice or a structure is missing.
    """

    position: str
    profile: str
    structures: int
    contours: int
    largest_shift_mm: float

    @property
    def passed(self) -> bool:
        """Whether every contour came back."""
        return self.largest_shift_mm <= ALLOWED_MM

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        found = asdict(self) | {"passed": self.passed}
        return found | {"largest_shift_mm": None} if np.isinf(self.largest_shift_mm) else found


def run_round_trips(job: Job) -> list[RoundTrip]:
    """Write and read the phantom's true contours in every position with every profile."""
    trips = [(position, profile) for position in POSITIONS for profile in list_profiles()]
    return list(_run(job.track(trips, "writing and reading structure sets")))


def _run(trips: Iterator[tuple[str, str]]) -> Iterator[RoundTrip]:
    built: tuple[str, Phantom, CTVolume] | None = None
    with tempfile.TemporaryDirectory(prefix="autocontour-round-trip-") as temporary:
        for position, profile in trips:
            if built is None or built[0] != position:
                phantom = build_phantom(
                    "thorax", SEED, spacing_zyx_mm=SPACING_ZYX_MM, shape_zyx=SHAPE_ZYX, position=position
                )
                described = SeriesDescription(position=position, uid_seed=f"round trip {position}")
                ct = write_ct_series(phantom.hu, phantom.geometry, Path(temporary, position), described)
                built = position, phantom, ct
            yield _make_trip(position, profile, built[1].truth, built[2], Path(temporary, f"{position}-{profile}.dcm"))


def _make_trip(position: str, profile: str, truth: Mapping[str, Contours], ct: CTVolume, path: Path) -> RoundTrip:
    structures = tuple(Structure(name, k, contours) for k, (name, contours) in enumerate(sorted(truth.items()), 1))
    options = WriteOptions(HoleStyle(read_profile(profile).holes))
    write_structure_set(StructureSet("ROUNDTRIP", structures), ct, path, options=options)
    again = {one.name: one.contours for one in read_structure_set(path, ct).structures}
    shifts = [
        _shift_mm(shape, again.get(one.name, {}).get(k)) for one in structures for k, shape in one.contours.items()
    ]
    extra = sum(len(contours) for contours in again.values()) - len(shifts)
    largest = max(shifts, default=0.0) if not extra else float("inf")
    return RoundTrip(position, profile, len(structures), len(shifts), largest)


def _shift_mm(before: shapely.MultiPolygon, after: shapely.MultiPolygon | None) -> float:
    if after is None:
        return float("inf")
    return float(before.symmetric_difference(after).area / before.length)
