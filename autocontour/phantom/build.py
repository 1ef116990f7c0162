"""A phantom patient from a seed: Hounsfield units, geometry and the true contours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from shapely import MultiPolygon

from autocontour.base.errors import UsageError
from autocontour.base.jobs import Job
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Contours
from autocontour.phantom.artifacts import add_metal, correlated_noise, noise_level
from autocontour.phantom.head_neck import draw_head_neck
from autocontour.phantom.positions import PATIENT_POSITIONS, direction_of, down_lps
from autocontour.phantom.props import body_extent, build_couch, build_headrest, build_mask
from autocontour.phantom.render import cut_plane, fine_plane, plane_of, render_plane
from autocontour.phantom.sketch import Anatomy, Painting, Part
from autocontour.phantom.thorax import draw_thorax

Site = Literal["head-neck", "thorax"]
SITES: dict[str, Callable[..., Anatomy]] = {"head-neck": draw_head_neck, "thorax": draw_thorax}
MIDDLE_Z_MM = {"head-neck": -61.0, "thorax": -42.0}
SLICES = {"head-neck": 134, "thorax": 134}
COARSE = frozenset({"External", "Lung_L", "Lung_R", "Liver", "Brain", "Heart", "Bone"})
"""Large structures, cut at 1 mm instead of 0.5 mm."""


@dataclass(frozen=True, slots=True)
class PhantomOptions:
    """Options of a phantom besides the anatomy.

    Attributes
    ----------
    noise_hu
        Standard deviation of the noise in a slice 180 mm across; 0 for none.
    couch, mask
        A table top below the patient, with a headrest under a supine head; a thermoplastic mask (head and neck only).
    contrast
        Contrast medium in the vessels.
    metal
        Four dental fillings with their streaks (head and neck only).
    oblique_deg
        Turn of the slices about their rows.
    """

    noise_hu: float = 11.0
    couch: bool = True
    mask: bool = False
    contrast: bool = False
    metal: bool = False
    oblique_deg: float = 0.0


@dataclass(frozen=True, eq=False)
class Phantom:
    """A phantom patient.

    Attributes
    ----------
    hu
        (slices, rows, columns) int16.
    geometry
        Positions of the voxels.
    truth
        TG-263 name → true contours, only of structures within the scan.
    anatomy
        The shapes.
    site, seed, position
        The arguments it was built from.
    """

    hu: NDArray[np.int16]
    geometry: VolumeGeometry
    truth: dict[str, Contours]
    anatomy: Anatomy
    site: str
    seed: int
    position: str


def build_phantom(
    site: Site,
    seed: int = 0,
    *,
    spacing_zyx_mm: tuple[float, float, float] = (3.0, 1.0, 1.0),
    shape_zyx: tuple[int, int, int] = (134, 512, 512),
    position: str = "HFS",
    options: PhantomOptions | None = None,
    job: Job | None = None,
) -> Phantom:
    """Build the patient of `seed` on any grid, in any of the eight patient positions.

    The anatomy only depends on `site` and `seed`; the same arguments give the same voxels.

    Raises
    ------
    UsageError
        AC-US-020 if the site or position is unknown or the grid is not plausible.
    """
    options, job = options or PhantomOptions(), job or Job()
    _check(site, position, spacing_zyx_mm, shape_zyx)
    anatomy = SITES[site](seed, contrast=options.contrast)
    middle_z = MIDDLE_Z_MM[site]
    reach = shape_zyx[0] * spacing_zyx_mm[0] / 2
    extent = body_extent(anatomy.surface, np.linspace(middle_z - reach, middle_z + reach, 24).tolist())
    center = np.append(extent.mean(axis=0), middle_z) + (down_lps(position) * 18 if options.couch else 0)
    geometry = _geometry(spacing_zyx_mm, shape_zyx, direction_of(position, options.oblique_deg), center)
    props = _props(anatomy, extent, position, site, options)
    hu = _scan(anatomy, props, geometry, seed, options, job)
    return Phantom(hu, geometry, _cut_truth(anatomy, geometry, job), anatomy, site, seed, position)


def _check(site: str, position: str, spacing_zyx_mm: tuple[float, ...], shape_zyx: tuple[int, ...]) -> None:
    for value, known, what in ((site, tuple(SITES), "site"), (position, PATIENT_POSITIONS, "patient position")):
        if value not in known:
            raise UsageError("AC-US-020", what=what, value=str(value), known=", ".join(known))
    if min(spacing_zyx_mm) < 0.2 or max(spacing_zyx_mm) > 20 or min(shape_zyx[1:]) < 2 or shape_zyx[0] < 1:
        raise UsageError("AC-US-021")


def _geometry(
    spacing_zyx_mm: tuple[float, float, float],
    shape_zyx: tuple[int, int, int],
    direction: NDArray[np.float64],
    center_lps_mm: NDArray[np.float64],
) -> VolumeGeometry:
    half_uvw = (np.array(shape_zyx[::-1]) - 1) / 2 * spacing_zyx_mm[::-1]
    origin = np.round(center_lps_mm - direction @ half_uvw, 3)
    return VolumeGeometry.regular(shape_zyx, spacing_zyx_mm, origin, direction)


def _props(
    anatomy: Anatomy, extent: NDArray[np.float64], position: str, site: str, options: PhantomOptions
) -> Painting:
    props: list[Part] = []
    if options.couch:
        props += build_couch(extent, down_lps(position))
        if site == "head-neck" and position.endswith("FS"):
            props += build_headrest(anatomy, extent)
    if options.mask and site == "head-neck":
        props += build_mask(anatomy)
    return Painting(tuple(props))


def _cut_truth(anatomy: Anatomy, geometry: VolumeGeometry, job: Job) -> dict[str, Contours]:
    """Intersect every structure with every slice; structures outside the scan are missing."""
    truth: dict[str, dict[int, MultiPolygon]] = {name: {} for name in anatomy.truth}
    for index in job.track(range(geometry.shape_zyx[0]), "cutting the true contours", geometry.shape_zyx[0]):
        for names, step_mm in ((COARSE, 1.0), (anatomy.truth.keys() - COARSE, 0.5)):
            chosen = [name for name in anatomy.truth if name in names]
            polygons = cut_plane([anatomy.truth[name] for name in chosen], fine_plane(geometry, index, step_mm))
            for name, cut in zip(chosen, polygons, strict=True):
                if not cut.is_empty:
                    truth[name][index] = cut
    return {name: contours for name, contours in truth.items() if contours}


def _scan(
    anatomy: Anatomy, props: Painting, geometry: VolumeGeometry, seed: int, options: PhantomOptions, job: Job
) -> NDArray[np.int16]:
    """Render every slice, twice through its thickness when that is more than 1.5 mm, and add noise and metal."""
    spacing = geometry.pixel_spacing_vu_mm
    edge_mm = max(1.2, *spacing)
    thickness = geometry.slice_spacing_mm
    offsets = (-thickness / 4, thickness / 4) if thickness > 1.5 else (0.0,)
    hu = np.empty(geometry.shape_zyx, np.int16)
    for index in job.track(range(len(hu)), "scanning the phantom", len(hu)):
        drawn = [render_plane(anatomy, props, plane_of(geometry, index, offset), edge_mm) for offset in offsets]
        level, depth = (sum(parts[1:], parts[0]) / np.float32(len(parts)) for parts in zip(*drawn, strict=True))
        if options.metal:
            add_metal(level, plane_of(geometry, index), anatomy.fillings, depth, seed)
        if options.noise_hu:
            noise = correlated_noise(level.shape, spacing, np.random.default_rng([seed, 3, index]))
            level += np.float32(options.noise_hu) * noise_level(depth, spacing[0] * spacing[1]) * noise
        hu[index] = np.rint(np.clip(level, -1024, 30000))
    return hu
