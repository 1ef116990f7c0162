"""The slices of the CT that a finding about a structure concerns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from autocontour.base.findings import Finding
from autocontour.models.package.description import PackageStructure
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Contours

LEAST_SPREAD = 0.01
"""Of a probability: smaller differences between slices are not significant."""


@dataclass(frozen=True, eq=False)
class Seen:
    """Result of the network for a structure.

    Attributes
    ----------
    contours
        Drawn on the CT's slices.
    probability
        Over the CT's w, v, u, on the voxels of `box`.
    box, ct
        Geometry of `probability` and of the CT.
    structure
        Its entry in the package.
    """

    contours: Contours
    probability: NDArray[np.float32]
    box: VolumeGeometry
    ct: VolumeGeometry
    structure: PackageStructure

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """Mask of the structure."""
        return self.probability >= self.structure.threshold

    def slices_of(self, planes: NDArray[np.bool_]) -> tuple[int, ...]:
        """Return the drawn slices that are nearest to one of the box's planes that are true."""
        drawn = np.array(sorted(self.contours))
        steps = np.abs(self.ct.slice_positions_mm[drawn][:, None] - self.box.slice_positions_mm[None, :])
        return tuple(drawn[planes[steps.argmin(axis=1)]].tolist())


def point_at_slices(findings: Iterable[Finding], seen: Seen) -> tuple[Finding, ...]:
    """Return the findings with the affected slices, if they concern some slices more than others."""
    return tuple(replace(f, slices=_PLACES[f.code](seen)) if f.code in _PLACES else f for f in findings)


def _at_ends(seen: Seen) -> tuple[int, ...]:
    """Return the drawn slices at the ends of the scan, with a tolerance of one voxel of the network."""
    positions = seen.ct.slice_positions_mm
    reach_mm = max(seen.box.slice_spacing_mm, seen.ct.slice_spacing_mm)
    ends = {min(seen.contours): positions[0], max(seen.contours): positions[-1]}
    return tuple(sorted(k for k, end in ends.items() if abs(positions[k] - end) <= reach_mm))


def _at_box(seen: Seen) -> tuple[int, ...]:
    """Return the drawn slices on which the structure reaches a side of its box."""
    mask = seen.mask
    sides = [mask[:, [0, -1]].reshape(len(mask), -1), mask[:, :, [0, -1]].reshape(len(mask), -1)]
    planes: NDArray[np.bool_] = np.logical_or.reduce(np.concatenate(sides, axis=1), axis=1)
    for end in (0, -1):
        planes[end] |= mask[end].any()
    return seen.slices_of(planes)


def _unsure(seen: Seen) -> tuple[int, ...]:
    """Return the drawn slices that are more uncertain than the others, by a standard deviation."""
    count = seen.mask.sum(axis=(1, 2))
    planes = count > 0
    if not planes.any():
        return ()
    total = np.where(seen.mask, seen.probability, 0).sum(axis=(1, 2), dtype=np.float64)
    mean = total[planes] / count[planes]
    planes[planes] = mean < mean.mean() - max(LEAST_SPREAD, float(mean.std()))
    return seen.slices_of(planes)


_PLACES: dict[str, Callable[[Seen], tuple[int, ...]]] = {
    "AC-MD-102": _at_ends,
    "AC-MD-103": _at_box,
    "AC-MD-107": _unsure,
}
