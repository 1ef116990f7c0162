"""The worst cases of a study, as pictures."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shapely

from autocontour.base.errors import AutoContourError
from autocontour.base.files import write_atomically
from autocontour.base.jobs import InnerJob, Job
from autocontour.contouring import box_of
from autocontour.dicom.ct import read_ct
from autocontour.dicom.scan import Series
from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.patient.structures import Contours, Structure
from autocontour.patient.volume import CTVolume
from autocontour.qa.commissioning.study.patient import PATIENTS, read_contours
from autocontour.qa.commissioning.study.request import REFERENCE, StudyRequest
from autocontour.qa.commissioning.study.text import number_text
from autocontour.report.page import Figure
from autocontour.report.pictures import BONE_HU, LUNG_HU, SOFT_TISSUE_HU, Part, render_slices, voxel_at

if TYPE_CHECKING:
    from autocontour.qa.commissioning.study.run import StudyReport

Json = Mapping[str, Any]
REFERENCE_RGB, METHOD_RGB = (0, 220, 90), (255, 80, 60)
PICTURE_PX = 320
PICTURE_MARGIN_MM = 30.0
IN_LUNG_WINDOW = ("Lung", "Trachea", "Bronch", "External")
LAYOUT = 2
"""Changed whenever the same contours give another picture."""


def picture_path(output: Path, record: Json, structure: str, method: str) -> Path:
    """Return the file of a picture; another result of the patient has other files."""
    name = hashlib.sha256(f"{structure}\0{method}\0{LAYOUT}".encode()).hexdigest()[:16]
    return output / PATIENTS / f"{record['patient']}.{record['fingerprint'][:12]}.{name}.png"


def worst_of(records: Sequence[Json], method: str, count: int, structure: str | None = None) -> list[tuple[Json, Json]]:
    """Return record and row of the lowest DSC of a method, of one structure or of all, the worst first."""
    mine = [
        (record, row)
        for record in records
        for row in record["rows"]
        if row["a"] == REFERENCE and row["b"] == method and structure in (None, row["structure"])
    ]
    return sorted(mine, key=lambda one: (_dsc_of(one[1]), one[0]["patient"], one[1]["structure"]))[:count]


def _dsc_of(row: Json) -> float:
    return -1.0 if row["dsc"] is None else float(row["dsc"])


def caption_of(record: Json, row: Json, method: str) -> str:
    """Return the caption of a picture."""
    found = f"DSC {number_text(row['dsc'], 3)}, HD95 {number_text(row['hd95_mm'], 1)} mm"
    return f"{row['structure']}, {method}, {record['patient']}: {'not drawn' if row['missing'] else found}"


def draw_worst_cases(
    report: StudyReport, series: Mapping[str, Series], request: StudyRequest, job: Job
) -> Iterator[Figure]:
    """Draw the lowest DSC of each method and structure, and yield the worst of each method for the page."""
    offered = [(one["structure"], one["method"]) for one in report.content["results"]]
    _draw_pictures(report, offered, series, request, job)
    for method in dict.fromkeys(method for _, method in offered):
        records = [_only_offered(record, method, offered) for record in report.records]
        for record, row in worst_of(records, method, request.pictures):
            path = picture_path(request.output, record, row["structure"], method)
            if path.exists():
                yield Figure(path.read_bytes(), caption_of(record, row, method))


def _only_offered(record: Json, method: str, offered: Sequence[tuple[str, str]]) -> Json:
    rows = [row for row in record["rows"] if (row["structure"], method) in offered]
    return {**record, "rows": rows}


def _draw_pictures(
    report: StudyReport,
    offered: Sequence[tuple[str, str]],
    series: Mapping[str, Series],
    request: StudyRequest,
    job: Job,
) -> None:
    """Write the pictures that are missing, on the slice with the longest added path."""
    output = request.output
    wanted: dict[str, list[tuple[Path, str, Json]]] = {}
    kept: set[Path] = set()
    for structure, method in offered:
        for record, row in worst_of(report.records, method, request.pictures, structure):
            path = picture_path(output, record, structure, method)
            kept.add(path)
            if not path.exists():
                wanted.setdefault(record["patient"], []).append((path, method, row))
    for path in (output / PATIENTS).glob("*.png"):
        if path not in kept:
            path.unlink()
    for patient in job.track(sorted(wanted), "drawing the worst cases"):
        try:
            ct = read_ct(series[patient], InnerJob(job))
        except AutoContourError:
            continue  # it could be read a moment ago; the figures are in the tables
        drawn = read_contours(output, patient)
        for path, method, row in wanted[patient]:
            write_atomically(path, _picture(ct, drawn, patient, method, row))


def _box_around(geometry: VolumeGeometry, drawn: Sequence[Contours]) -> Box:
    """Return the box around some contours with a margin of `PICTURE_MARGIN_MM`."""
    boxes = [box for box in (box_of(contours, geometry) for contours in drawn if contours) if box is not None]
    start = [min(box.start_zyx[axis] for box in boxes) for axis in range(3)]
    stop = [max(box.stop_zyx[axis] for box in boxes) for axis in range(3)]
    margin = [math.ceil(PICTURE_MARGIN_MM / step) for step in geometry.spacing_zyx_mm]
    whole = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
    return whole.padded((margin[0], margin[1], margin[2]), geometry.shape_zyx)


def window_of(structure: str) -> tuple[float, float]:
    """Return the HU shown black and white in the pictures of a structure: its outline must be visible.

    Examples
    --------
    >>> window_of("Lung_L"), window_of("Bone_Mandible"), window_of("Brainstem")
    ((-1350.0, 150.0), (-500.0, 1300.0), (-160.0, 240.0))
    """
    if structure.startswith(IN_LUNG_WINDOW):
        return LUNG_HU
    return BONE_HU if structure.startswith("Bone") else SOFT_TISSUE_HU


def _picture(ct: CTVolume, drawn: Mapping[str, Mapping[str, Contours]], patient: str, method: str, row: Json) -> bytes:
    name = row["structure"]
    reference, own = drawn[REFERENCE][name], drawn.get(method, {}).get(name, {})
    worst = max(row["slices"], key=lambda one: one["added_path_length_mm"], default=None)
    index = worst["slice"] if worst else min(reference)
    box = _box_around(ct.geometry, (reference, own))
    part, first = Part(box.start_zyx, ct.geometry.shape_zyx), box.start_zyx[0]
    ct = CTVolume(ct.hu[box.slices], ct.geometry.cropped(box))
    at = voxel_at(ct.geometry, index - first, *_middle(reference.get(index), own.get(index)))
    structures = [
        Structure(REFERENCE, 1, {k - first: one for k, one in reference.items()}, color_rgb=REFERENCE_RGB),
        Structure(method, 2, {k - first: one for k, one in own.items()}, color_rgb=METHOD_RGB),
    ]
    return render_slices(ct, structures, at, window_hu=window_of(name), title=f"{patient} {name}",
                         height_px=PICTURE_PX, part=part)  # fmt: skip


def _middle(one: shapely.MultiPolygon | None, other: shapely.MultiPolygon | None) -> tuple[float, float]:
    """Return the middle of the largest part of two outlines together, u and v in mm; a point inside it."""
    shapes = [shape for shape in (one, other) if shape is not None and not shape.is_empty]
    part = max(shapely.get_parts(shapely.union_all(shapes)).tolist(), key=lambda part: part.area)
    point = part.centroid if part.contains(part.centroid) else part.representative_point()
    return float(point.x), float(point.y)
