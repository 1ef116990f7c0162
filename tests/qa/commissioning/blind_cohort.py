"""Small patients with manual, automatic and corrected sets, for blind reviews."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from shapely import MultiPolygon, Point, box

from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import GenerationAlgorithm, Structure, StructureSet
from autocontour.rtstruct import write_structure_set

SHAPE, SPACING, ORIGIN = (14, 72, 80), (3.0, 3.0, 3.0), (-118.5, -106.5, -20.0)
SLICES = range(3, 11)
SHIFTS = {"manual": 0.0, "automatic": 4.0, "corrected": 2.0}
GENERATIONS = dict(zip(SHIFTS, (GenerationAlgorithm.MANUAL, GenerationAlgorithm.AUTOMATIC,
                                GenerationAlgorithm.SEMIAUTOMATIC), strict=True))  # fmt: skip


def geometry():
    return VolumeGeometry.regular(SHAPE, SPACING, ORIGIN)


def disc(u, v, r):
    return MultiPolygon([Point(u, v).buffer(r, quad_segs=16)])


def organs(shift=0.0):
    """Contours of two discs, and of a square that is drawn along the pixels."""
    return {
        "Heart": {k: disc(20 + shift, -10, 24) for k in SLICES},
        "Liver": {k: disc(-40 + shift, 10, 30) for k in SLICES},
        "Kidney_L": {k: MultiPolygon([box(30 + shift, 40, 54 + shift, 64)]) for k in SLICES},
    }


def voxels(number):
    v, u = np.mgrid[: SHAPE[1], : SHAPE[2]]
    hu = np.full(SHAPE, -1000, np.int16)
    inside = ((u - 40) / 36) ** 2 + ((v - 36) / 32) ** 2 <= 1
    noise = np.random.default_rng(number).integers(-12, 12, SHAPE)
    hu[:, inside] = (40 + noise)[:, inside]
    return hu


def structure_set(kind, contours, ct):
    structures = tuple(
        Structure(name, number, mine, generation=GENERATIONS[kind])
        for number, (name, mine) in enumerate(contours.items(), 1)
    )
    return StructureSet(kind.upper(), structures, ct.reference.series_instance_uid, ct.reference.frame_of_reference_uid)


def write_patient(folder: Path, number: int, kinds=tuple(SHIFTS), seed="blind"):
    """Write a CT and its sets, and return the CT."""
    description = SeriesDescription(patient_name=f"SECRET^NAME{number}", patient_id=f"ID-SECRET-{number}",
                                    uid_seed=f"{seed} {number}")  # fmt: skip
    ct = write_ct_series(voxels(number), geometry(), folder / "CT", description)
    for kind in kinds:
        write_structure_set(structure_set(kind, organs(SHIFTS[kind]), ct), ct, folder / kind / "RS.dcm")
    return ct


def patterns(*kinds):
    return [text for kind in kinds or SHIFTS for text in (f"--{kind}", f"*/{kind}/*")]
