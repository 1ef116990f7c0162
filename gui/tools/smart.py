"""Smart brush: a brush that paints only what looks like where the stroke began."""

from __future__ import annotations

import numpy as np
from shapely import MultiPolygon

from autocontour.edits import Outline, brushed, erased, intersection, swept_disc
from autocontour.edits.strokes import Point2
from autocontour.gui.look.language import later
from autocontour.gui.tools.base import Pointer, Tool
from autocontour.gui.tools.brush import Brush
from autocontour.gui.views.planes import Plane
from autocontour.patient.geometry import Box

SPREAD_HU = 25.0
NOISE_VOXELS = 3


class SmartBrush(Brush):
    """Paints within the HU range found under the brush where the stroke began, connected to the pointer."""

    identity = "smart"
    name = later("Smart brush")
    tip = later("Paint only voxels similar to where the stroke begins")
    keys = "G"
    icon = '<path d="M20 3L11 12"/><path d="M10 12a3 3 0 013 3c0 3-2.500 5-8 5 1.500-1.500 1-5 5-8z"/><path d="M18 13v5M15.500 15.500h5"/>'  # noqa: E501

    def beside(self, plane: Plane) -> Tool | None:  # noqa: ARG002  (it works on axial slices alone)
        """Leave the crosshair in the side views."""
        return None

    def begin(self, pointer: Pointer) -> None:
        """Learn the range, then dab."""
        hu, inside = self._under(pointer.at)
        sample = hu[inside] if inside.any() else hu.ravel()
        middle = float(np.median(sample))
        spread = max(2.0 * 1.4826 * float(np.median(np.abs(sample - middle))), SPREAD_HU)
        self._range = (middle - spread, middle + spread)
        super().begin(pointer)

    def _sweep(self, points: list[Point2]) -> None:
        stroke = intersection(MultiPolygon([swept_disc(points, self.radius_mm)]), self._alike(points[-1]))
        if stroke is not None:
            self.working = erased(self.working, stroke) if self._takes else brushed(self.working, stroke)

    def _box(self, at: Point2) -> Box:
        ct = self.workspace.ct
        assert ct is not None  # a stroke needs a scan
        z, y, x = self.workspace.grids[Plane.AXIAL].to_voxel(*at, self.slice_index)
        step_v, step_u = ct.geometry.pixel_spacing_vu_mm
        reach = (0, int(self.radius_mm / step_v) + 3, int(self.radius_mm / step_u) + 3)
        return Box((z, y, x), (z + 1, y + 1, x + 1)).padded(reach, ct.geometry.shape_zyx)

    def _under(self, at: Point2) -> tuple[np.ndarray, np.ndarray]:
        from scipy.ndimage import median_filter

        ct, box = self.workspace.ct, self._box(at)
        assert ct is not None  # a stroke needs a scan
        # The median calms noise and keeps edges where they are.
        hu = median_filter(ct.hu[box.slices][0].astype(np.float32), size=NOISE_VOXELS)
        geometry = ct.geometry.cropped(box)
        u0, v0 = geometry.plane_origins_uv_mm[0]
        step_v, step_u = geometry.pixel_spacing_vu_mm
        v, u = np.ogrid[: geometry.rows, : geometry.columns]
        near = (u0 + u * step_u - at[0]) ** 2 + (v0 + v * step_v - at[1]) ** 2 <= max(self.radius_mm / 2, step_u) ** 2
        return hu, near

    def _alike(self, at: Point2) -> Outline:
        """Return the outline of what lies in the range and is connected to the pointer."""
        from scipy.ndimage import label

        from autocontour.contouring import contours_from_probability

        ct, box = self.workspace.ct, self._box(at)
        assert ct is not None  # a stroke needs a scan
        hu, near = self._under(at)
        low, high = self._range
        likeness = np.clip(np.minimum(hu - low, high - hu) / SPREAD_HU + 0.5, 0, 1)
        pieces, _ = label(likeness >= 0.5)
        mine = np.isin(pieces, np.unique(pieces[near & (pieces > 0)]))
        geometry = ct.geometry.cropped(box)
        contours = contours_from_probability(
            np.where(mine, likeness, np.minimum(likeness, 0.49))[None], geometry, geometry
        )
        return contours.get(0)
