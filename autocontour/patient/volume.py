"""The CT in memory."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autocontour.base.findings import Finding
from autocontour.patient.geometry import VolumeGeometry

if TYPE_CHECKING:
    from pydicom import Dataset


@dataclass(frozen=True)
class SeriesReference:
    """The attributes of the CT series that a structure set contains.

    Attributes
    ----------
    study_instance_uid, series_instance_uid, frame_of_reference_uid, sop_class_uid
        As in the CT's files.
    sop_instance_uids
        One per slice of the volume, in the volume's slice order.
    header
        Patient and study attributes of the first slice, exactly as read; values are never altered.
    """

    study_instance_uid: str
    series_instance_uid: str
    frame_of_reference_uid: str
    sop_class_uid: str
    sop_instance_uids: tuple[str, ...]
    header: Dataset


CHECKSUM_OF = "hu 1"
"""Version of a CT's checksum; changed whenever the same files give other Hounsfield units than before."""


@dataclass(frozen=True, eq=False)
class CTVolume:
    """Hounsfield units on the acquired slices; never resampled silently.

    Attributes
    ----------
    hu
        (slices, rows, columns) int16, read-only; slices ascend along the geometry's w.
    geometry
        Positions of the voxels.
    reference
        The DICOM series; None for a research file (NIfTI, NRRD), for which no structure set can be written.
    findings
        Findings of the checks accepted by the user, copied to the output.
    outside_field
        (1 or slices, rows, columns), read-only: True where the scanner measured nothing (padding, outside the
        reconstruction circle) and `hu` is undefined; None where the field of view is the whole image.
    """

    hu: NDArray[np.int16]
    geometry: VolumeGeometry
    reference: SeriesReference | None = None
    findings: tuple[Finding, ...] = ()
    outside_field: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.hu.shape != self.geometry.shape_zyx:
            raise ValueError(f"voxels {self.hu.shape} do not fit the geometry {self.geometry.shape_zyx}")
        self.hu.setflags(write=False)

    @cached_property
    def content_checksum(self) -> str:
        """SHA-256 of the slices' UIDs and Hounsfield units, in any order of files; empty without reference."""
        if self.reference is None:
            return ""
        planes = zip(self.reference.sop_instance_uids, self.hu, strict=True)
        lines = sorted(f"{uid} {zlib.crc32(plane.astype('<i2', copy=False).data):08x}" for uid, plane in planes)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()
