"""Structures as closed planar contours, from which masks and surfaces are derived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

from autocontour.base.findings import Finding
from autocontour.patient.provenance import Provenance

if TYPE_CHECKING:
    from shapely import MultiPolygon

Contours = Mapping[int, "MultiPolygon"]
"""Slice index → valid, non-empty shapely MultiPolygon (holes as interiors) in plane coordinates u, v (mm)."""

SliceChanges = Mapping[int, "MultiPolygon | None"]
"""Slice index → its new polygon, or None where the structure is removed from the slice."""


class GenerationAlgorithm(StrEnum):
    """ROI Generation Algorithm (3006,0036)."""

    AUTOMATIC = "AUTOMATIC"
    SEMIAUTOMATIC = "SEMIAUTOMATIC"
    MANUAL = "MANUAL"


class ReviewStatus(StrEnum):
    """Review status of a structure."""

    AUTO = "auto"
    EDITED = "edited"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class ImportedContour:
    """One item of a Contour Sequence exactly as read (PS3.3 C.8.8.6).

    Attributes
    ----------
    geometric_type
        Contour Geometric Type, such as ``CLOSED_PLANAR`` or ``POINT``.
    data
        Contour Data as the file's own string, values separated by backslashes (x, y, z in mm, LPS).
    item
        The item's other attributes in Explicit VR Little Endian (all but its type, data and image references), for
        writing it back unchanged.
    """

    geometric_type: str
    data: str
    item: bytes = b""


@dataclass(frozen=True)
class Structure:
    """One structure of a structure set.

    Attributes
    ----------
    name
        ROI Name as the clinic calls it; the key within its set.
    number
        ROI Number.
    contours
        Slice index of the CT → MultiPolygon in plane coordinates; slices without the structure are missing.
    tg263_name
        Its TG-263 name if known, else empty.
    interpreted_type
        RT ROI Interpreted Type (3006,00A4), such as ``ORGAN`` or ``EXTERNAL``.
    color_rgb
        0 to 255 each.
    imported
        Slice index → the contours as the file had them, valid while that slice is unedited.
    carried
        Contours without an area or off the slices (points, open lines): shown where it can be, written back unchanged.
    attributes
        Its other attributes in the file, such as a density: its ROI, contour and observation items without the
        contours,
        as one dataset in Explicit VR Little Endian, for writing them back.
    reviewer, reviewed_at
        Who approved it and when, with its time zone; empty and None while it is not approved.
    """

    name: str
    number: int
    contours: Contours
    tg263_name: str = ""
    interpreted_type: str = "ORGAN"
    color_rgb: tuple[int, int, int] = (255, 255, 0)
    generation: GenerationAlgorithm = GenerationAlgorithm.AUTOMATIC
    provenance: Provenance | None = None
    status: ReviewStatus = ReviewStatus.AUTO
    description: str = ""
    findings: tuple[Finding, ...] = ()
    imported: Mapping[int, tuple[ImportedContour, ...]] = field(default_factory=dict)
    carried: tuple[ImportedContour, ...] = ()
    attributes: bytes = b""
    reviewer: str = ""
    reviewed_at: datetime | None = None

    @cached_property
    def contour_hash(self) -> str:
        """SHA-256 of the contours: slices, coordinates, and nothing else."""
        return hash_contours(self.contours)


@dataclass(frozen=True)
class StructureSet:
    """The structures drawn on one CT series.

    Attributes
    ----------
    label
        Structure Set Label (SH, at most 16 characters).
    structures
        In the order of the file or the template; names and numbers are unique within a set the program made.
    series_instance_uid, frame_of_reference_uid
        Of the CT it is drawn on.
    findings
        Findings of the import or about the set as a whole.
    """

    label: str
    structures: tuple[Structure, ...]
    series_instance_uid: str = ""
    frame_of_reference_uid: str = ""
    findings: tuple[Finding, ...] = ()

    def __getitem__(self, name: str) -> Structure:
        """Return the structure called `name`; KeyError if there is none."""
        for structure in self.structures:
            if structure.name == name:
                return structure
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Every structure's name, in order."""
        return tuple(structure.name for structure in self.structures)


@dataclass(frozen=True, slots=True)
class Drawing:
    """The result of a rule or a network, before it becomes a `Structure` of a set.

    Attributes
    ----------
    contours
        Slice index → MultiPolygon; never empty, a structure that was not found has no Drawing.
    findings
        Findings of the rule or network about it.
    """

    contours: Contours
    findings: tuple[Finding, ...] = ()


def hash_contours(contours: Contours) -> str:
    """Return the SHA-256 of contours: of their slices and coordinates."""
    import shapely

    digest = sha256()
    for z in sorted(contours):
        digest.update(b"%d:" % z)
        digest.update(shapely.to_wkb(contours[z], byte_order=1))
    return digest.hexdigest()
