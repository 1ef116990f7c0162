"""Unusual structures of a data set: robust z-scores of volume, position and shape over its patients."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.base.findings import Finding

LEAST_PATIENTS = 8
"""Fewer values have no useful median absolute deviation."""
UNUSUAL = 5.0
"""Robust standard deviations."""
COMMON = 0.8
"""Fraction of the patients with a structure from which on a patient without it is listed."""
MAD_TO_SD = 1.4826
FLOORS = {"volume": 0.08, "height": 0.06, "depth": 0.06, "width": 0.06, "fill": 0.03, "end": 0.10}
"""Least robust standard deviation, so that very regular structures are not reported for nothing: of natural logarithms
of volume and extent, and of fractions."""
FLOOR_MM = 4.0
ENDS = ("lower", "upper")
ABRUPT = 0.3
"""Least difference of the area at an end from the usual one, as a fraction of the structure's median area."""

Features = Mapping[str, Any]
Values = NDArray[np.float64]


def find_unusual(
    features: Mapping[str, Mapping[str, Features]], set_aside: Mapping[str, Collection[str]] | None = None
) -> dict[str, list[Finding]]:
    """Return patient → findings about structures that differ from those of the other patients.

    Parameters
    ----------
    features
        Patient → structure → `autocontour.archive.convert.measure_shape`.
    set_aside
        Patient → structures that are contoured but not used.
    """
    found: dict[str, list[Finding]] = {patient: [] for patient in features}
    names = sorted({name for mine in features.values() for name in mine})
    for name in names:
        patients = [patient for patient in features if name in features[patient]]
        mine = [features[patient][name] for patient in patients]
        for patient, finding in (*_unusual_sizes(name, patients, mine), *_unusual_ends(name, patients, mine)):
            found[patient].append(finding)
        if len(patients) >= max(LEAST_PATIENTS, COMMON * len(features)):
            share = round(100 * len(patients) / len(features))
            aside = {patient for patient, structures in (set_aside or {}).items() if name in structures}
            for patient in sorted(features.keys() - set(patients) - aside):
                found[patient].append(Finding.of("AC-DS-056", name, structure=name, share=share))
    for patient, name, distance_mm in _unusual_places(features, names):
        found[patient].append(Finding.of("AC-DS-053", name, structure=name, mm=round(distance_mm)))
    return found


def robust_z(values: Values, floor: float, reference: NDArray[np.bool_] | None = None) -> Values:
    """Return (value − median) / (1.4826 × median absolute deviation), with a least denominator.

    Parameters
    ----------
    values
        One per patient.
    floor
        Least denominator.
    reference
        Which values the median and deviation are taken from; all by default.

    Examples
    --------
    >>> robust_z(np.array([1.0, 2.0, 3.0, 4.0, 30.0]), 0.1).round(1).tolist()
    [-1.3, -0.7, 0.0, 0.7, 18.2]
    """
    known = values if reference is None else values[reference]
    median = np.median(known)
    spread = max(floor, MAD_TO_SD * float(np.median(np.abs(known - median))))
    scores: Values = (values - median) / spread
    return scores


def _unusual_sizes(name: str, patients: Sequence[str], mine: Sequence[Features]) -> Iterator[tuple[str, Finding]]:
    whole = np.array([not any(one["cut"]) for one in mine])
    if whole.sum() < LEAST_PATIENTS:
        whole = np.ones(len(mine), dtype=bool)
    if len(mine) < LEAST_PATIENTS:
        return
    volumes = np.array([one["volume_cc"] for one in mine])
    scores = robust_z(np.log(np.maximum(volumes, 1e-3)), FLOORS["volume"], whole)
    median = float(np.median(volumes[whole]))
    for patient, one, z in zip(patients, mine, scores, strict=True):
        if z > UNUSUAL or (z < -UNUSUAL and not any(one["cut"])):
            cc = round(one["volume_cc"], 1)
            score = round(float(z), 1)
            yield patient, Finding.of("AC-DS-052", name, structure=name, cc=cc, median=round(median, 1), z=score)
    extents = np.array([one["extent_zyx_mm"] for one in mine])
    # An extent is known to a voxel only, which is much of a small structure.
    voxels = np.median([one["voxel_zyx_mm"] for one in mine] / extents, axis=0)
    shapes = {name: (np.log(extents[:, k]), voxels[k]) for k, name in enumerate(("height", "depth", "width"))}
    shapes["fill"] = np.array([one["fill"] for one in mine]), 0.0
    for feature, (values, least) in shapes.items():
        floor = max(FLOORS[feature], float(least))
        for patient, one, z in zip(patients, mine, robust_z(values, floor, whole), strict=True):
            if z > UNUSUAL or (z < -UNUSUAL and not any(one["cut"])):
                score = round(float(z), 1)
                yield patient, Finding.of("AC-DS-054", name, structure=name, feature=feature, z=score)


def _unusual_ends(name: str, patients: Sequence[str], mine: Sequence[Features]) -> Iterator[tuple[str, Finding]]:
    for patient, one in zip(patients, mine, strict=True):
        if any(one["cut"]):
            yield patient, Finding.of("AC-DS-055", name, structure=name)
    for end, label in enumerate(ENDS):
        free = np.array([not one["cut"][end] for one in mine])
        if free.sum() < LEAST_PATIENTS:
            continue
        areas = np.array([one["ends"][end] for one in mine])
        typical = float(np.median(areas[free]))
        for patient, area, z, is_free in zip(patients, areas, robust_z(areas, FLOORS["end"], free), free, strict=True):
            if is_free and z > UNUSUAL and area - typical > ABRUPT:
                here, usual = round(100 * float(area)), round(100 * typical)
                yield patient, Finding.of("AC-DS-059", name, structure=name, end=label, percent=here, typical=usual)


def _unusual_places(
    features: Mapping[str, Mapping[str, Features]], names: Sequence[str]
) -> Iterator[tuple[str, str, float]]:
    """Yield patient, structure and distance where a structure lies unusually to most of the others.

    Offsets between two structures do not depend on where the scan begins.
    """
    seen: dict[tuple[str, str], list[float]] = {}
    for name in names:
        for other in names:
            if other == name:
                continue
            patients = [patient for patient in features if name in features[patient] and other in features[patient]]
            if len(patients) < LEAST_PATIENTS:
                continue
            pairs = [(features[patient][name], features[patient][other]) for patient in patients]
            offsets = np.array([np.subtract(a["centre_zyx_mm"], b["centre_zyx_mm"]) for a, b in pairs])
            whole = np.array([not any(a["cut"]) and not any(b["cut"]) for a, b in pairs])
            scores = np.stack([robust_z(offsets[:, axis], FLOOR_MM) for axis in range(3)], axis=1)
            scores[~whole, 0] = 0  # the centre of a truncated structure depends on the scan
            distances = np.linalg.norm((offsets - np.median(offsets, axis=0)) * (np.abs(scores) > UNUSUAL), axis=1)
            for patient, distance in zip(patients, distances, strict=True):
                seen.setdefault((patient, name), []).append(float(distance))
    for (patient, name), distances_mm in seen.items():
        off = [distance for distance in distances_mm if distance > 0]
        if len(off) * 2 > len(distances_mm):
            yield patient, name, float(np.median(off))
