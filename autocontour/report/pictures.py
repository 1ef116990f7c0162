"""Pictures of contours on a CT: three views, true proportions, no patient identity."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from autocontour.contouring.ragged import polygons_of
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Contours, Structure
from autocontour.patient.volume import CTVolume
from autocontour.report.fonts import hangul_in_pictures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SOFT_TISSUE_HU = (-160.0, 240.0)
LUNG_HU = (-1350.0, 150.0)
BONE_HU = (-500.0, 1300.0)
WIDE_HU = (-1000.0, 600.0)

LOWER, HIGHER = "RAF", "LPH"  # towards lower and higher LPS x, y, z
LEFT_OR_TOP = "RAH"  # the patient's side at the left or top of a picture
DPI = 100
BORDER_PX = 26  # above and below the views, for title and legend


class _View(NamedTuple):
    """The plane coordinates (0 u, 1 v, 2 w) along a picture's two axes and its viewing direction."""

    across: int
    up: int
    through: int


class Part(NamedTuple):
    """Where a volume lies in a whole scan: its first voxel, and the shape of the scan."""

    start_zyx: tuple[int, int, int]
    whole_zyx: tuple[int, int, int]


VIEWS = (_View(0, 1, 2), _View(1, 2, 0), _View(0, 2, 1))


@hangul_in_pictures()
def render_slices(
    ct: CTVolume,
    structures: Iterable[Structure],
    at_zyx: tuple[int, int, int] | None = None,
    *,
    window_hu: tuple[float, float] = SOFT_TISSUE_HU,
    title: str = "",
    height_px: int = 480,
    labelled: Sequence[Structure] | None = None,
    part: Part | None = None,
) -> bytes:
    """Draw the axial, coronal and sagittal plane through one voxel, with outlines in their colours.

    Parameters
    ----------
    ct
        The volume.
    structures
        Drawn in this order.
    at_zyx
        The voxel that the views go through; by default the middle of the structures.
    window_hu
        HU shown black and white.
    title
        A line above the views; it must not name the patient.
    height_px
        Of each view.
    labelled
        The structures that the legend names; by default all.
    part
        Where the volume lies in the whole scan, so that the labels count the slices of the scan.

    Returns
    -------
    bytes
        A PNG file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    structures = list(structures)
    at = middle_of(ct.geometry, [s.contours for s in structures]) if at_zyx is None else at_zyx
    widths = [_proportion(ct.geometry, view) for view in VIEWS]
    size_px = np.array([sum(widths) * height_px, height_px + 2 * BORDER_PX])
    figure = Figure(figsize=tuple(size_px / DPI), dpi=DPI, facecolor="black")
    FigureCanvasAgg(figure)
    panels: Sequence[Axes] = figure.subplots(1, 3, width_ratios=widths)
    border = BORDER_PX / size_px[1]
    figure.subplots_adjust(left=0, right=1, bottom=border, top=1 - border, wspace=0.01)
    for view, axes in zip(VIEWS, panels, strict=True):
        _show_ct(axes, ct, view, at, window_hu, part or Part((0, 0, 0), ct.geometry.shape_zyx))
        for structure in structures:
            _show_outline(axes, ct.geometry, view, at, structure)
    figure.text(0.5, 1 - border / 2, title, color="white", ha="center", va="center", fontsize=9)
    _show_names(figure, structures if labelled is None else labelled, border / 2)
    file = BytesIO()
    figure.savefig(file, format="png", facecolor="black", pil_kwargs={"compress_level": 3})
    return file.getvalue()


def middle_of(geometry: VolumeGeometry, drawn: Iterable[Contours]) -> tuple[int, int, int]:
    """Return the voxel z, y, x in the middle of the structures: its middle slice, and the middle of its box there."""
    by_slice: dict[int, list[Any]] = {}
    for contours in drawn:
        for k, multi in contours.items():
            by_slice.setdefault(k, []).append(multi)
    if not by_slice:
        z, y, x = geometry.shape_zyx
        return z // 2, y // 2, x // 2
    k = sorted(by_slice)[len(by_slice) // 2]
    return voxel_at(geometry, k, *shapely.box(*shapely.total_bounds(by_slice[k])).centroid.coords[0])


def voxel_at(geometry: VolumeGeometry, k: int, u_mm: float, v_mm: float) -> tuple[int, int, int]:
    """Return z, y, x of the voxel of slice `k` nearest to plane coordinates u, v."""
    x, y = (np.array((u_mm, v_mm)) - geometry.plane_origins_uv_mm[k]) / geometry.pixel_spacing_vu_mm[::-1]
    return k, int(np.clip(np.rint(y), 0, geometry.rows - 1)), int(np.clip(np.rint(x), 0, geometry.columns - 1))


def _coordinates_mm(geometry: VolumeGeometry, axis: int) -> NDArray[np.float64]:
    """Return the plane coordinate of every voxel along u, v or w (axis 0, 1, 2)."""
    if axis == 2:
        return geometry.slice_positions_mm
    count, spacing_mm = ((geometry.columns, geometry.rows)[axis], geometry.pixel_spacing_vu_mm[1 - axis])
    steps: NDArray[np.float64] = geometry.plane_origins_uv_mm[0, axis] + np.arange(count) * spacing_mm
    return steps


def _extent_mm(geometry: VolumeGeometry, axis: int) -> tuple[float, float]:
    """Return the positions of the voxels' outer edges along an axis."""
    at, half = _coordinates_mm(geometry, axis), geometry.spacing_zyx_mm[2 - axis] / 2
    return float(at[0] - half), float(at[-1] + half)


def _proportion(geometry: VolumeGeometry, view: _View) -> float:
    """Return width over height of a view, in mm."""
    width, height = (np.ptp(_extent_mm(geometry, axis)) for axis in (view.across, view.up))
    return float(width / height)


def _letters(geometry: VolumeGeometry, axis: int) -> tuple[str, str]:
    """Return the patient's sides at the low and the high end of an axis."""
    along = geometry.direction[:, axis]
    nearest = int(np.abs(along).argmax())
    low, high = LOWER[nearest], HIGHER[nearest]
    return (low, high) if along[nearest] > 0 else (high, low)


def _show_ct(
    axes: Axes, ct: CTVolume, view: _View, at: tuple[int, int, int], window_hu: tuple[float, float], part: Part
) -> None:
    """Show the plane of the CT in radiological orientation, with letters and position."""
    index = at[2 - view.through]
    plane: NDArray[np.int16] = np.take(ct.hu, index, axis=2 - view.through)
    if view.up == 2:  # slices may lie unevenly
        positions = ct.geometry.slice_positions_mm
        even = np.linspace(positions[0], positions[-1], len(positions))
        plane = plane[np.abs(even[:, None] - positions).argmin(axis=1)]
    across, up = (_extent_mm(ct.geometry, axis) for axis in (view.across, view.up))
    axes.imshow(plane, "gray", vmin=window_hu[0], vmax=window_hu[1], extent=(*across, *up), origin="lower")
    axes.set_axis_off()
    axes.set_aspect("equal")
    left, right = _letters(ct.geometry, view.across)
    bottom, top = _letters(ct.geometry, view.up)
    if left not in LEFT_OR_TOP:
        axes.invert_xaxis()
        left, right = right, left
    if top not in LEFT_OR_TOP:
        axes.invert_yaxis()
        bottom, top = top, bottom
    for letter, x, y in ((left, 0.02, 0.5), (right, 0.98, 0.5), (bottom, 0.5, 0.02), (top, 0.5, 0.98)):
        axes.text(x, y, letter, color="yellow", ha="center", va="center", transform=axes.transAxes, fontsize=10)
    position_mm = _coordinates_mm(ct.geometry, view.through)[index]
    number, count = part.start_zyx[2 - view.through] + index + 1, part.whole_zyx[2 - view.through]
    label = f"{'uvw'[view.through]} {position_mm:.1f} mm, {number} of {count}"
    behind = {"facecolor": "black", "alpha": 0.6, "edgecolor": "none", "pad": 1.0}
    axes.text(0.01, 0.99, label, color="white", ha="left", va="top", transform=axes.transAxes, fontsize=7, bbox=behind)


def _show_outline(
    axes: Axes, geometry: VolumeGeometry, view: _View, at: tuple[int, int, int], structure: Structure
) -> None:
    """Draw the intersection of a structure with the plane."""
    if view.through == 2:
        shape = structure.contours.get(at[0])
    else:
        shape = _cut(structure.contours, geometry, view, _coordinates_mm(geometry, view.through)[at[2 - view.through]])
    if shape is None:
        return
    color = np.array(structure.color_rgb) / 255
    for polygon in shape.geoms:
        for ring in (polygon.exterior, *polygon.interiors):
            axes.plot(*shapely.get_coordinates(ring).T, color=color, linewidth=1.0, solid_joinstyle="round")


def _cut(contours: Contours, geometry: VolumeGeometry, view: _View, at_mm: float) -> shapely.MultiPolygon | None:
    """Cut a structure across its slices; each slice extends half way to its neighbours."""
    if not contours:
        return None
    slices = np.array(list(contours))
    low, high = _extent_mm(geometry, view.across)
    ends = np.full((2, 2), at_mm)
    ends[:, view.across] = low - 1e4, high + 1e4
    met = shapely.intersection(np.array(list(contours.values()), dtype=object), shapely.LineString(ends))
    pieces, owner = shapely.get_parts(met, return_index=True)
    bounds = shapely.bounds(pieces)
    steps = np.diff(geometry.slice_positions_mm, prepend=np.nan, append=np.nan)
    steps = np.where(np.isnan(steps), geometry.slice_spacing_mm, steps) / 2
    middle = geometry.slice_positions_mm[slices[owner]]
    below, above = middle - steps[slices[owner]], middle + steps[slices[owner] + 1]
    shape = shapely.union_all(shapely.box(bounds[:, view.across], below, bounds[:, view.across + 2], above))
    cut = polygons_of(shape)
    return None if cut.is_empty else cut


def _show_names(figure: Figure, structures: Sequence[Structure], height: float) -> None:
    """Write the structures' names in their colours along the bottom."""
    for i, structure in enumerate(structures):
        color = np.array(structure.color_rgb) / 255
        x = (i + 0.5) / len(structures)
        figure.text(x, height, structure.name, color=color, ha="center", va="center", fontsize=9)
