"""Contours whose Contour Image Sequence references a slice other than the one they lie on (PS3.3 C.8.8.6)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import SeriesReference
from autocontour.rtstruct.planes import SAME_PLANE_MM, half_step_mm, mean_positions_mm, nearest_slices
from autocontour.rtstruct.read.notes import Notes
from autocontour.rtstruct.read.parse import FileContour, concatenate_points
from autocontour.rtstruct.write.contours import AREAS


def check_image_references(
    contours: Sequence[FileContour], reference: SeriesReference, geometry: VolumeGeometry, notes: Notes
) -> None:
    """Report the contours that lie on a slice of the CT and only reference other slices of it (``AC-RS-047``).

    A contour between two slices may reference the farther one if the difference is small: exporters round.
    """
    slices = {uid: index for index, uid in enumerate(reference.sop_instance_uids)}
    named: list[list[int]] = []
    known: list[FileContour] = []
    for contour in contours:
        mine = [slices[uid] for uid in contour.images or () if uid in slices]
        if mine and contour.points is not None and len(contour.points) and contour.geometric_type in AREAS:
            named.append(mine)
            known.append(contour)
    points, starts = concatenate_points(known)
    if not len(starts):
        return
    position = mean_positions_mm(geometry.to_plane(points)[:, 2], starts)
    index, distance = nearest_slices(position, geometry)
    first = np.array([mine[0] for mine in named])
    to_first = np.abs(geometry.slice_positions_mm[first] - position)
    doubtful = (distance <= half_step_mm(geometry)[index]) & (to_first > distance + SAME_PLANE_MM)
    wrong = [int(i) for i in np.flatnonzero(doubtful) if int(index[i]) not in named[i]]
    if wrong:
        notes.warn("AC-RS-047", index[wrong].tolist(), count=len(wrong), total=len(known))
