"""Grey values inside structures: contours that were drawn on other images are found by what they hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from autocontour.base.findings import Finding
from autocontour.contouring import box_of, mask_from_contours
from autocontour.patient.structures import Contours, Structure
from autocontour.patient.volume import CTVolume
from autocontour.qa.checks.anatomy import read_anatomy, split_side

AIR_HU, BONE_HU = -250, 150
"""Below: air and lung, well below fat. Above: bone, and contrast medium."""
SLICES = 40
"""At most so many slices of a structure are looked at, evenly spaced."""
LEAST_VOXELS = 100


def check_contents(ct: CTVolume, structures: Sequence[Structure]) -> Iterator[Finding]:
    """Yield a finding for each lung that is hardly air, organ that holds air, and bone that is not dense."""
    contents = read_anatomy().contents
    for structure in structures:
        base, _ = split_side(structure)
        known = contents.get(base)
        values = _values(ct, structure.contours) if known else np.empty(0, np.int16)
        if known is None or len(values) < LEAST_VOXELS:
            continue
        air, bone = float((values < AIR_HU).mean()), float((values > BONE_HU).mean())
        name, limit = structure.name, round(100 * known.limit)
        if known.kind == "air" and air < known.limit:
            yield Finding.of("AC-QA-117", name, structure=name, percent=round(100 * air, 1), limit=limit)
        elif known.kind == "solid" and air > known.limit:
            yield Finding.of("AC-QA-118", name, structure=name, percent=round(100 * air, 1), limit=limit)
        elif known.kind == "bone" and bone < known.limit:
            yield Finding.of("AC-QA-119", name, structure=name, percent=round(100 * bone, 1), limit=limit)


def _values(ct: CTVolume, contours: Contours) -> NDArray[np.int16]:
    """Return the Hounsfield units of the voxels inside, on some of the slices."""
    slices = sorted(contours)
    step = max(1, -(-len(slices) // SLICES))
    found = []
    for k in slices[step // 2 :: step]:
        mine = {k: contours[k]}
        box = box_of(mine, ct.geometry)
        if box is not None:
            found.append(ct.hu[box.slices][mask_from_contours(mine, ct.geometry, box)])
    return np.concatenate(found) if found else np.empty(0, np.int16)
