"""Data sets with one plane per structure: any number of structures, memory-mapped.

``DATASET/index.json`` lists the structures and the patients. Each patient has a folder ``DATASET/patients/FOLDER`` with
``ct.npy``, int16 HU (z to the head, y to the back, x to the left; −1024 outside the body), and ``planes.npy``, the
bool voxels of every structure inside its own box, one after the other.
"""

# `annotations` is not imported from __future__: cattrs needs the limits.

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from autocontour.base.files import cannot_write
from autocontour.base.limits import FileName, Keys, Length, OneOf, Pattern, Range, Rising, Text, Unique
from autocontour.base.typed import SettingsError, build
from autocontour.models.data.sample import Plane, Sample

FORMAT = "autocontour data set"
VERSION = 1
PATIENTS = "patients"
CT, PLANES, RECORD = "ct.npy", "planes.npy", "patient.json"
PART = ".part"
MOST_STRUCTURES = 2000
UNEDITED = "approved unedited"
"""Origin of a structure that was approved as the program drew it."""
UNEDITED_TRUST = 0.3
"""Fraction of the patches in which its labels are used: from its own contours a network does not learn what is wrong
with them."""
FOLLOWED = "approved followed"
"""Origin of an approved structure of which most slices followed corrected ones, or were taken from another method."""
FOLLOWED_TRUST = 0.65
"""Its labels are less certain than drawn ones, and nearer to them than those that nobody changed."""
TRUST = {UNEDITED: UNEDITED_TRUST, FOLLOWED: FOLLOWED_TRUST}
OPEN_FILES = 3
"""Files that stay open for each patient in memory."""

Name = Annotated[str, FileName()]
Count = Annotated[int, Range(0, 1 << 40)]
Slice = Annotated[int, Range(0, 100_000)]
Size = Annotated[int, Range(1, 100_000)]
Spacing = Annotated[float, Range(0.05, 50)]
Hash = Annotated[str, Pattern("[0-9a-f]{16,64}|", "AC-CFG-035")]
Span = Annotated[tuple[Slice, Slice], Rising()]


@dataclass(frozen=True)
class PlanesIndex:
    """The common part of ``index.json``; the entries of patients are checked one by one."""

    open_keys: ClassVar[bool] = True
    format: Annotated[str, OneOf((FORMAT,))]
    version: Annotated[int, Range(VERSION, VERSION)]
    structures: Annotated[tuple[Name, ...], Length(0, MOST_STRUCTURES), Unique()]
    key_check: Hash


@dataclass(frozen=True)
class StoredPlane:
    """One structure of a patient.

    Attributes
    ----------
    start_zyx, shape_zyx
        Its box in the patient's arrays.
    offset
        Its first voxel in ``planes.npy``.
    voxels, volume_cc
        Of the mask, and of the contours.
    origin
        ``clinical``: a structure set of the archive; ``approved``: a case of the program, edited by hand;
        ``approved followed``: approved, and most slices followed the corrected ones; ``approved unedited``: approved as
        it was contoured automatically.
    """

    start_zyx: tuple[Slice, Slice, Slice]
    shape_zyx: tuple[Size, Size, Size]
    offset: Count
    voxels: Annotated[int, Range(1, 1 << 40)]
    volume_cc: Annotated[float, Range(0, 1e6)]
    origin: Annotated[str, OneOf(("clinical", "approved", FOLLOWED, UNEDITED))] = "clinical"

    @property
    def size(self) -> int:
        """Voxels of the box."""
        return int(np.prod(self.shape_zyx))


@dataclass(frozen=True)
class StoredPatient:
    """Entry of one patient in the index.

    Attributes
    ----------
    patient, split, folder
        Its name in the data set, the part of the data set it belongs to, and its folder.
    shape_zyx, spacing_zyx_mm
        Of its arrays.
    margins_yx
        ((before, after), (before, after)); rows and columns of the CT that are not stored.
    body_yx
        Rows and columns, [start, end), of the body in its arrays.
    solid_slices
        Runs [start, end) of slices with enough CT.
    structures
        Contoured structures; one that is missing is unknown in this patient.
    files
        File → SHA-256.
    ct_hash
        Of the CT's Hounsfield units, spacing and shape as acquired; the same in every data set.
    patient_hash, person_hash
        Keyed hashes of the Patient ID, and of name and date of birth; empty where they are not stated.
    """

    open_keys: ClassVar[bool] = True
    patient: Name
    split: Name
    folder: Name
    shape_zyx: tuple[Size, Size, Size]
    spacing_zyx_mm: tuple[Spacing, Spacing, Spacing]
    margins_yx: tuple[tuple[Slice, Slice], tuple[Slice, Slice]]
    body_yx: tuple[Span, Span]
    solid_slices: Annotated[tuple[Span, ...], Length(1, 10_000)]
    structures: Annotated[dict[str, StoredPlane], Keys(Text(64))]
    files: dict[str, Hash]
    ct_hash: Hash
    patient_hash: Hash = ""
    person_hash: Hash = ""
    set_aside: dict[str, list[str]] = field(default_factory=dict)


def read_stored(entry: Any) -> StoredPatient:  # noqa: ANN401  (external JSON)
    """Return a checked entry of the index.

    Raises
    ------
    ValueError
        With all its problems.
    """
    try:
        return build(StoredPatient, entry)
    except SettingsError as error:
        raise ValueError(f"its entry in index.json: {error}") from error


def read_stored_sample(folder: Path, entry: Any, structures: Sequence[str], *, cut: bool = True) -> Sample:  # noqa: ANN401
    """Return one patient of the data set in `folder`, memory-mapped; see `autocontour.models.data.dataset.read_sample`.

    Raises
    ------
    ValueError, OSError
        If its entry or files are damaged.
    """
    listed = read_stored(entry)
    hu, flat = open_arrays(folder, listed)
    solid = np.zeros(len(hu), dtype=bool)
    for first, end in listed.solid_slices:
        if end > len(hu):
            raise ValueError(f"solid_slices go to {end}, but there are {len(hu)} slices")
        solid[first:end] = True
    scanned = np.flatnonzero(solid)
    (y0, y1), (x0, x1) = listed.body_yx if cut else ((0, hu.shape[1]), (0, hu.shape[2]))
    start, stop = (int(scanned[0]), y0, x0), (int(scanned[-1]) + 1, y1, x1)
    planes = tuple(
        _cut_plane(plane_of(flat, listed.structures[name]), start, stop, solid) if name in listed.structures else None
        for name in structures
    )
    if not any(planes):
        raise ValueError("no structure is contoured on a solid slice")
    (top, bottom), (left, right) = listed.margins_yx
    return Sample(
        listed.patient,
        hu[start[0] : stop[0], y0:y1, x0:x1],
        planes,
        np.array([name in listed.structures for name in structures]),
        solid[start[0] : stop[0]],
        np.array(listed.spacing_zyx_mm),
        ((top + y0, bottom + hu.shape[1] - y1), (left + x0, right + hu.shape[2] - x1)),
        _trust(listed, structures),
    )


def _trust(listed: StoredPatient, structures: Sequence[str]) -> NDArray[np.float32] | None:
    stored = [listed.structures.get(name) for name in structures]
    trust = np.array([TRUST.get(one.origin, 1.0) if one else 1.0 for one in stored], np.float32)
    return trust if (trust < 1).any() else None


def open_arrays(folder: Path, listed: StoredPatient) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Return the CT and the planes' voxels of a patient, memory-mapped; ValueError if they do not fit its entry."""
    place = folder / PATIENTS / listed.folder
    hu: NDArray[Any] = np.load(place / CT, mmap_mode="r", allow_pickle=False)
    flat: NDArray[Any] = np.load(place / PLANES, mmap_mode="r", allow_pickle=False)
    if hu.dtype != np.int16 or hu.shape != listed.shape_zyx:
        raise ValueError(f"the CT is {hu.dtype} {hu.shape}, not int16 {listed.shape_zyx}")
    if flat.dtype != np.bool_ or flat.ndim != 1:
        raise ValueError(f"the planes are {flat.dtype} with {flat.ndim} dimensions")
    for name, plane in listed.structures.items():
        ends = np.add(plane.start_zyx, plane.shape_zyx)
        if plane.offset + plane.size > len(flat) or (ends > listed.shape_zyx).any():
            raise ValueError(f"the plane of {name} is larger than the array")
    return hu, flat


def plane_of(flat: NDArray[np.bool_], stored: StoredPlane) -> Plane:
    """Return the plane of a structure, a view of the planes' voxels."""
    inside = flat[stored.offset : stored.offset + stored.size].reshape(stored.shape_zyx)
    return Plane(stored.start_zyx, inside)


def _cut_plane(
    plane: Plane, start: tuple[int, int, int], stop: tuple[int, int, int], solid: NDArray[np.bool_]
) -> Plane | None:
    """Return the part of a plane in a box of the CT, without slices that are not solid; None if nothing is left."""
    low = np.maximum(plane.start_zyx, start)
    high = np.minimum(np.add(plane.start_zyx, plane.inside.shape), stop)
    if (low >= high).any():
        return None
    first = low - plane.start_zyx
    z, y, x = (slice(int(a), int(b)) for a, b in zip(first, high - plane.start_zyx, strict=True))
    inside = plane.inside[z, y, x]
    usable = solid[low[0] : high[0]]
    if not usable.all():
        inside = inside & usable[:, None, None]
    begin = low - start
    return Plane((int(begin[0]), int(begin[1]), int(begin[2])), inside) if inside.any() else None


def pack_planes(
    masks: Mapping[str, NDArray[np.bool_]], volumes_cc: Mapping[str, float], origins: Mapping[str, str]
) -> tuple[dict[str, dict[str, Any]], NDArray[np.bool_]]:
    """Return the entries of the structures with a voxel, and their voxels for ``planes.npy``."""
    entries: dict[str, dict[str, Any]] = {}
    parts: list[NDArray[np.bool_]] = []
    offset = 0
    for name, mask in masks.items():
        if plane := Plane.of(mask):
            entries[name] = {
                "start_zyx": list(plane.start_zyx),
                "shape_zyx": list(plane.inside.shape),
                "offset": offset,
                "voxels": int(np.count_nonzero(plane.inside)),
                "volume_cc": round(volumes_cc[name], 3),
                "origin": origins[name],
            }
            parts.append(plane.inside.ravel())
            offset += plane.inside.size
    return entries, np.concatenate(parts) if parts else np.zeros(0, dtype=bool)


def write_stored(
    folder: Path, record: dict[str, Any], hu: NDArray[np.int16], flat: NDArray[np.bool_], others: Mapping[str, bytes]
) -> dict[str, Any]:
    """Write a patient's folder, which appears only when it is complete, and return its entry with the files' hashes.

    Parameters
    ----------
    folder
        The data set.
    record
        The entry without ``files``; ``folder`` names the patient's folder.
    hu, flat
        The CT and the planes' voxels.
    others
        Name → content of further files, such as a picture.

    Raises
    ------
    OutputError
        ``AC-OUT-001`` if the disk is full or cannot be written.
    """
    target = folder / PATIENTS / record["folder"]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".", suffix=PART, dir=target.parent))
        try:
            np.save(partial / CT, np.ascontiguousarray(hu))
            np.save(partial / PLANES, flat)
            for name, content in others.items():
                (partial / name).write_bytes(content)
            entry = {**record, "files": {path.name: hash_file(path) for path in sorted(partial.iterdir())}}
            (partial / RECORD).write_text(json.dumps(entry), encoding="utf-8")
            for path in partial.iterdir():
                _flush(path)
            partial.chmod(0o755)
            shutil.rmtree(target, ignore_errors=True)
            partial.replace(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise cannot_write(target, error) from error
    return entry


def remove_others(folder: Path, kept: set[str]) -> None:
    """Remove the folders of patients that the index no longer lists, and unfinished ones."""
    place = folder / PATIENTS
    for path in place.iterdir() if place.is_dir() else ():
        if path.is_dir() and path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def allow_open_files(patients: int) -> None:
    """Raise the limit of open files for that many memory-mapped patients, where the system has one."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 512 + OPEN_FILES * patients
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if soft not in (resource.RLIM_INFINITY,) and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def group_patients(entries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return patient of the data set → group; those that share a patient, a person or a CT have the same group.

    Examples
    --------
    >>> shared = {"patient_hash": "5f", "ct_hash": "1"}
    >>> group_patients([{"patient": "a", **shared}, {"patient": "b", **shared, "ct_hash": "2"}, {"patient": "c"}])
    {'a': 'a', 'b': 'a', 'c': 'c'}
    """
    group = {str(entry["patient"]): str(entry["patient"]) for entry in entries}
    first: dict[tuple[str, str], str] = {}
    for entry in entries:
        for kind in ("patient_hash", "person_hash", "ct_hash"):
            value = str(entry.get(kind, "") or "")
            if not value:
                continue
            mine, other = group[str(entry["patient"])], group[first.setdefault((kind, value), str(entry["patient"]))]
            if mine != other:
                low, high = sorted((mine, other))
                group = {name: low if one == high else one for name, one in group.items()}
    return group


def find_leaks(entries: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return pairs of patients of different splits that are the same patient, person or CT."""
    groups = group_patients(entries)
    seen: dict[str, Mapping[str, Any]] = {}
    leaks = []
    for entry in entries:
        other = seen.setdefault(groups[str(entry["patient"])], entry)
        if other["split"] != entry["split"]:
            leaks.append((str(other["patient"]), str(entry["patient"])))
    return leaks


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
