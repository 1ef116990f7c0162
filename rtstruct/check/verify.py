"""Verification of a written file by reading it back before it becomes the output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import shapely
from pydicom import Dataset
from shapely import MultiPolygon

from autocontour.base.errors import OutputError
from autocontour.contouring.ragged import signed_areas
from autocontour.dicom.read import guarded, read_dataset
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Structure, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.rtstruct.check.validate import validate_structure_set
from autocontour.rtstruct.encoding import decode_dataset, sequence_items
from autocontour.rtstruct.read.import_contours import place_contours
from autocontour.rtstruct.read.import_roi import read_color, read_type
from autocontour.rtstruct.read.notes import Notes
from autocontour.rtstruct.read.parse import FileContour, FileRoi, concatenate_points, parse_rois
from autocontour.rtstruct.text import own_encodings, raw_text, shown_text
from autocontour.rtstruct.write.contours import SMALLEST_AREA_MM2, ContourRecord
from autocontour.rtstruct.write.roi import Shown

Records = Mapping[int, Sequence[ContourRecord]]
"""ROI Number → the contours that the file must contain."""
PRECISION_MM = 0.001
"""Tolerance of a written point."""


def verify_file(path: Path, records: Records, structure_set: StructureSet, ct: CTVolume) -> None:
    """Validate a written file and compare it with the structure set.

    Raises
    ------
    OutputError
        ``AC-OUT-110`` if it cannot be read back, ``AC-OUT-111`` if it is not valid, ``AC-OUT-112`` or ``AC-OUT-115``
        if it differs.
    """
    dataset = read_dataset(path, error=OutputError, code="AC-OUT-110")
    with guarded(OutputError, "AC-OUT-110"):
        rois = parse_rois(dataset)
        validate_structure_set(dataset, ct, rois=rois, imported=imported_numbers(structure_set.structures))
        if len(rois) != len(structure_set.structures):
            raise OutputError("AC-OUT-115", read=len(rois), count=len(structure_set.structures))
        compare_structures(rois, records, structure_set.structures, ct.geometry)


def imported_numbers(structures: Sequence[Structure]) -> frozenset[int]:
    """Return the numbers of the structures that came from a file."""
    return frozenset(structure.number for structure in structures if structure.attributes)


def compare_structures(
    rois: Sequence[FileRoi], records: Records, structures: Sequence[Structure], geometry: VolumeGeometry
) -> None:
    """Reject a file whose ROIs and contours are not those of `structures`."""
    by_number = {roi.number: roi for roi in rois}
    for structure in structures:
        roi = by_number.get(structure.number)
        if roi is None:
            raise _difference(structure.name)
        _compare_labels(roi, structure)
        _compare_contours(roi.contours, records[structure.number], structure.name)
        _compare_drawn(roi.contours, records[structure.number], structure, geometry)
        if structure.imported:
            _compare_imported(roi.contours, structure, geometry)


def _compare_labels(roi: FileRoi, structure: Structure) -> None:
    """Reject a name, colour or type that differs from the structure's, or from the imported file's if unchanged."""
    kept = decode_dataset(structure.attributes) if structure.attributes else Dataset()
    shown, came = Shown.of(kept), sequence_items(kept, "StructureSetROISequence")
    name = raw_text(roi.roi, "ROIName")
    same_name = bool(came) and structure.name == shown.name and name == raw_text(came[0], "ROIName")
    color = read_color(roi.contour_items)
    same_color = color == structure.color_rgb or (color is None and structure.color_rgb == shown.color_rgb)
    kind = read_type(roi.observations)
    if not (same_name or shown_text(roi.roi, "ROIName", own_encodings(roi.roi)) == structure.name.strip()):
        raise _difference(structure.name)
    if not same_color or kind != structure.interpreted_type:
        raise _difference(structure.name)


def _compare_contours(contours: Sequence[FileContour], records: Sequence[ContourRecord], name: str) -> None:
    """Reject a file whose Contour Data differ from those to be written."""
    read = [(contour.geometric_type, contour.data) for contour in contours]
    if read != [(record.geometric_type, record.data) for record in records]:
        raise _difference(name)


def _compare_drawn(
    contours: Sequence[FileContour], records: Sequence[ContourRecord], structure: Structure, geometry: VolumeGeometry
) -> None:
    """Reject Contour Data that do not represent the polygons: their slices, extent and area."""
    pairs = [
        (c, r.slice_index) for c, r in zip(contours, records, strict=True) if r.drawn and r.slice_index is not None
    ]
    points, starts = concatenate_points(contour for contour, _ in pairs)
    plane = geometry.to_plane(points)
    slices, place = np.unique(np.array([index for _, index in pairs], dtype=np.int64), return_inverse=True)
    polygons = np.array([structure.contours[index] for index in slices.tolist()], dtype=object)
    of_point = place[np.repeat(np.arange(len(starts)), np.diff(starts, append=len(plane)))]
    areas = np.bincount(place, weights=signed_areas(plane[:, :2], np.append(starts, len(plane))), minlength=len(slices))
    slack = PRECISION_MM * shapely.length(polygons) + SMALLEST_AREA_MM2 * (1 + shapely.get_num_geometries(polygons))
    bounds = shapely.bounds(polygons)[of_point] + np.array([-1, -1, 1, 1]) * PRECISION_MM
    inside = (plane[:, :2] >= bounds[:, :2]) & (plane[:, :2] <= bounds[:, 2:])
    on_slice = np.abs(plane[:, 2] - geometry.slice_positions_mm[slices][of_point]) <= PRECISION_MM
    if not (inside.all() and on_slice.all() and np.all(np.abs(areas - shapely.area(polygons)) <= slack)):
        raise _difference(structure.name)


def _compare_imported(contours: Sequence[FileContour], structure: Structure, geometry: VolumeGeometry) -> None:
    """Reject imported points that differ from the polygons: an edit must remove them."""
    slices = sorted(set(structure.imported) & set(structure.contours))
    areas = place_contours(contours, geometry, Notes(structure.name)).areas
    written = np.array([areas.get(index, MultiPolygon()) for index in slices], dtype=object)
    drawn = np.array([structure.contours[index] for index in slices], dtype=object)
    same_area = np.abs(shapely.area(written) - shapely.area(drawn)) <= PRECISION_MM * shapely.length(drawn)
    same_extent = np.abs(shapely.bounds(written) - shapely.bounds(drawn)) <= PRECISION_MM
    if not (same_area.all() and same_extent.all()):
        raise _difference(structure.name)


def _difference(what: str) -> OutputError:
    return OutputError("AC-OUT-112", name=what)
