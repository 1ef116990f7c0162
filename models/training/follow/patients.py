"""Patients on the network's grid: CT, references and automatic contours as signed distances within the slice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.models.follow.channels import REACH_MM, Array
from autocontour.patient.geometry import Box

FINER = 4
TENTHS = 10.0
"""Stored distances are whole tenths of a mm."""


@dataclass(frozen=True)
class Stored:
    """Signed distances in a box of the patient's grid; outside it they are −`REACH_MM`.

    Attributes
    ----------
    start_zyx
        First voxel of the box.
    tenths
        (z, y, x) int8, tenths of a mm.
    """

    start_zyx: tuple[int, int, int]
    tenths: NDArray[np.int8]

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """Place of the box in the patient's grid."""
        z, y, x = (slice(a, a + n) for a, n in zip(self.start_zyx, self.tenths.shape, strict=True))
        return z, y, x

    def whole(self, shape_zyx: tuple[int, ...]) -> Array:
        """Return the distances in mm over the patient's grid."""
        result = np.full(shape_zyx, -REACH_MM, np.float32)
        result[self.slices] = self.tenths / np.float32(TENTHS)
        return result


@dataclass(frozen=True)
class Prepared:
    """A patient on the network's grid.

    Attributes
    ----------
    name
        Of the patient.
    hu
        (z, y, x) int16, as `autocontour.models.inference.localizer.Patient.sample` returns them.
    solid
        (z,) bool; slices with enough CT to be used.
    references, automatic
        Structure → signed distances.
    is_seen
        Whether the package of the automatic contours was trained on the patient.
    """

    name: str
    hu: NDArray[np.int16]
    solid: NDArray[np.bool_]
    references: dict[str, Stored]
    automatic: dict[str, Stored]
    is_seen: bool = True


def plane_distances(field: NDArray[np.float32], level: float, spacing_yx_mm: Sequence[float]) -> Stored | None:
    """Return the signed distances from the line at `level` of a field (z, y, x) in each slice; None without a line."""
    rows, columns = (int(np.ceil(REACH_MM / step)) + 1 for step in spacing_yx_mm)
    reach = 0, rows, columns
    inside = Box.around(field >= level)
    if inside is None:
        return None
    box = inside.padded(reach, (len(field), *field.shape[1:]))
    tenths = np.empty(box.shape_zyx, np.int8)
    tenths[:] = -REACH_MM * TENTHS
    for plane, found in zip(tenths, field[box.slices], strict=True):
        drawn = Box.around(found[None] >= level)
        if drawn is not None:
            near = drawn.padded(reach, (1, *found.shape)).slices[1:]
            plane[near] = np.rint(_plane_distance(found[near], level, spacing_yx_mm) * TENTHS)
    return Stored(box.start_zyx, tenths)


def _plane_distance(plane: Array, level: float, spacing_yx_mm: Sequence[float]) -> Array:
    """Return the signed distance of the voxels of one slice, measured on a grid four times as fine."""
    height, width = plane.shape
    rows, columns = (np.clip((np.arange(n * FINER) + 0.5) / FINER - 0.5, 0, n - 1) for n in (height, width))
    fine = ndimage.map_coordinates(plane, np.meshgrid(rows, columns, indexing="ij"), order=1) >= level
    step = [one / FINER for one in spacing_yx_mm]
    away = ndimage.distance_transform_edt(~fine, step) - ndimage.distance_transform_edt(fine, step)
    signed = np.sign(away) * (np.abs(away) - np.mean(step) / 2)
    middle = signed.reshape(height, FINER, width, FINER)[:, 1:3, :, 1:3].mean(axis=(1, 3))
    distance: Array = np.clip(-middle, -REACH_MM, REACH_MM).astype(np.float32)
    return distance


def write_prepared(path: Path, patient: Prepared) -> None:
    """Write a patient to an ``.npz`` file, in one step."""
    content: dict[str, Any] = {"hu": patient.hu, "solid": patient.solid, "is_seen": np.array(patient.is_seen)}
    for kind, stored in (("reference", patient.references), ("automatic", patient.automatic)):
        for name, one in stored.items():
            content[f"{kind}/{name}"], content[f"{kind}/{name}/start"] = one.tenths, np.array(one.start_zyx)
    temporary = path.with_suffix(".part.npz")
    np.savez_compressed(temporary, **content)
    temporary.replace(path)


def read_prepared(path: Path) -> Prepared:
    """Read what `write_prepared` wrote."""
    with np.load(path) as content:
        return Prepared(
            path.stem,
            content["hu"],
            content["solid"],
            dict(_read_stored(content, "reference")),
            dict(_read_stored(content, "automatic")),
            bool(content["is_seen"]) if "is_seen" in content else True,
        )


def _read_stored(content: Any, kind: str) -> Iterator[tuple[str, Stored]]:  # noqa: ANN401  (numpy has no type)
    for key in content.files:
        if key.startswith(f"{kind}/") and not key.endswith("/start"):
            z, y, x = content[f"{key}/start"].tolist()
            yield key.split("/")[1], Stored((z, y, x), content[key])
