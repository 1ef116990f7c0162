"""Inputs of contouring: planning CTs of a folder, or a research image, with methods for reading and writing."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from autocontour.base.errors import CTError, OutputError, UsageError
from autocontour.base.files import refuse_inputs, shown_path
from autocontour.base.jobs import Job
from autocontour.contouring import mask_from_contours
from autocontour.dicom.ct import read_ct
from autocontour.dicom.image import SUFFIXES, read_image, write_masks
from autocontour.dicom.scan import Series, planning_cts, scan_folder
from autocontour.patient.structures import Structure, StructureSet
from autocontour.patient.volume import CTVolume

Existing = Literal["refuse", "append", "replace", "force"]
"""What to do if the output exists: refuse, append structures, replace those of the same name, or overwrite."""


class Source(ABC):
    """One CT to contour.

    Attributes
    ----------
    name
        Series Instance UID; the file's name for a research image.
    output
        Path of the result.
    existing
        What to do if it exists.
    """

    name: str
    output: Path
    existing: Existing

    @abstractmethod
    def check_output(self, inputs: Iterable[Path]) -> None:
        """Refuse an output that cannot be written, or that is one of the input files or `inputs`."""

    @abstractmethod
    def read(self, job: Job) -> CTVolume:
        """Return the CT."""

    def existing_structures(self, ct: CTVolume) -> Sequence[Structure]:  # noqa: ARG002
        """Return the structures of the output that the result is added to."""
        return ()

    @abstractmethod
    def write(self, structure_set: StructureSet, ct: CTVolume, job: Job) -> None:
        """Write the result atomically."""


@dataclass(frozen=True)
class DicomSource(Source):
    """A CT series; the result is an RTSTRUCT.

    Attributes
    ----------
    accepted
        Codes of blocking findings the user accepts.
    read_files
        Every file of the folder that must not be overwritten.
    is_unique
        Whether its Series Instance UID is unique in the folder.
    """

    series: Series
    output: Path
    existing: Existing
    accepted: frozenset[str] = frozenset()
    read_files: Sequence[Path] = field(default=(), repr=False)
    is_unique: bool = True

    @property
    def name(self) -> str:  # type: ignore[override]
        """Series Instance UID."""
        return self.series.series_instance_uid

    def check_output(self, inputs: Iterable[Path]) -> None:
        """Refuse an output that cannot be written (``AC-US-033``, ``AC-US-036``, ``AC-OUT-002`` to ``-004``)."""
        if not self.is_unique:
            raise UsageError("AC-US-036", uid=self.name)
        if self.output.is_dir():
            raise UsageError("AC-US-033", file=shown_path(self.output))
        refuse_inputs(self.output, (*self.read_files, *inputs))
        if self.output.exists() and self.existing == "refuse":
            raise OutputError("AC-OUT-002", file=shown_path(self.output))
        if not self.output.exists() and self.existing in {"append", "replace"}:
            raise OutputError("AC-OUT-003", file=shown_path(self.output))

    def read(self, job: Job) -> CTVolume:
        """Return the CT; refuse a structure set that cannot be extended before anything is drawn."""
        from autocontour.rtstruct import check_appendable

        ct = read_ct(self.series, job, self.accepted)
        if self.existing in {"append", "replace"}:
            check_appendable(self.output, ct, self.accepted)
        return ct

    def existing_structures(self, ct: CTVolume) -> Sequence[Structure]:
        """Return the structures of the structure set that is extended; none if a new one is written."""
        from autocontour.rtstruct import read_structure_set

        is_extended = self.existing in {"append", "replace"}
        return read_structure_set(self.output, ct).structures if is_extended else ()

    def write(self, structure_set: StructureSet, ct: CTVolume, job: Job) -> None:
        """Write the RTSTRUCT, or add the structures to the existing one."""
        from autocontour.rtstruct import append_structures, write_structure_set

        if self.existing in {"append", "replace"}:
            may_replace = self.existing == "replace"
            append_structures(self.output, structure_set, ct, replace=may_replace, accepted=self.accepted, job=job)
        else:
            write_structure_set(structure_set, ct, self.output, overwrite=self.existing == "force", job=job)


@dataclass(frozen=True)
class ImageSource(Source):
    """A NIfTI or NRRD file; without DICOM there is no structure set, the result is one mask per structure."""

    path: Path
    output: Path
    existing: Existing
    accepted: frozenset[str] = frozenset()

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name of the file."""
        return self.path.name

    def check_output(self, inputs: Iterable[Path]) -> None:
        """Refuse an output that cannot be a folder of masks (``AC-US-034``, ``AC-US-035``, ``AC-OUT-002``)."""
        if not self.path.name.endswith(SUFFIXES):
            raise UsageError("AC-US-034")
        if self.output.suffix or self.output.is_file():
            raise UsageError("AC-US-035")
        refuse_inputs(self.output, (self.path, *inputs))
        if self.output.is_dir() and any(self.output.iterdir()) and self.existing != "force":
            raise OutputError("AC-OUT-002", file=shown_path(self.output))

    def read(self, job: Job) -> CTVolume:
        """Return the volume."""
        job.advance("reading the CT", 0.0)
        return read_image(self.path, self.accepted)

    def write(self, structure_set: StructureSet, ct: CTVolume, job: Job) -> None:
        """Write a mask of every structure: all of them or none."""
        paths = [self.output / name for name in mask_names(structure_set.structures)]
        for path in paths:
            refuse_inputs(path, (self.path,))
        pairs = zip(paths, structure_set.structures, strict=True)
        tracked = job.track(pairs, "writing the masks", len(paths))
        masks = ((path, mask_from_contours(structure.contours, ct.geometry)) for path, structure in tracked)
        write_masks(masks, self.path)


def mask_names(structures: Sequence[Structure]) -> list[str]:
    """Return a file name for the mask of each structure; all names differ, ignoring case."""
    taken: Counter[str] = Counter()
    names = []
    for structure in structures:
        plain = re.sub(r"[^\w.+-]", "_", structure.name)
        taken[plain.casefold()] += 1
        count = taken[plain.casefold()]
        names.append(f"{plain}.nii.gz" if count == 1 else f"{plain}_{count}.nii.gz")
    return names


def find_series(
    folder: Path,
    output: Path,
    job: Job,
    *,
    existing: Existing = "refuse",
    accepted: frozenset[str] = frozenset(),
    uid: str | None = None,
    every: bool = False,
) -> list[DicomSource]:
    """Find the one planning CT of a folder, or that of `uid`; all of them with `every`.

    Parameters
    ----------
    folder
        Searched with all its subfolders.
    output
        The RTSTRUCT; with `every` the folder of them.
    job
        For progress and cancel.
    existing, accepted
        As in `DicomSource`.
    uid
        Series Instance UID; None for the only one.
    every
        Whether all planning CTs are requested.

    Raises
    ------
    CTError
        ``AC-CT-100`` if there is none.
    UsageError
        ``AC-US-030`` if there are several, ``AC-US-031`` or ``AC-US-037`` if `uid` does not name one, ``AC-US-032`` if
        the output of `every` is a file.
    """
    scanned = scan_folder(folder, job)
    found, read_files = planning_cts(scanned), _images(scanned)
    if not every:
        return [DicomSource(choose_series(found, uid), output, existing, accepted, read_files)]
    if not found:
        raise no_planning_ct()
    if output.exists() and not output.is_dir():
        raise UsageError("AC-US-032", file=shown_path(output))
    uids = [series.series_instance_uid for series in found]
    outputs = [output / f"RS.{uid}.dcm" for uid in uids]
    return [
        DicomSource(series, path, existing, accepted, read_files, uids.count(series.series_instance_uid) == 1)
        for series, path in zip(found, outputs, strict=True)
    ]


def no_planning_ct() -> CTError:
    """Return the error for a folder in which nothing is a planning CT."""
    return CTError("AC-CT-100")


def choose_series(found: list[Series], uid: str | None) -> Series:
    """Return the only planning CT of a folder, or the requested one."""
    listed = "; ".join(f"{s.series_instance_uid} ({s.description or 'no description'}, {len(s)} slices)" for s in found)
    if not found:
        raise no_planning_ct()
    if uid is None and len(found) > 1:
        raise UsageError("AC-US-030", count=len(found), listed=listed)
    chosen = [series for series in found if uid is None or series.series_instance_uid == uid]
    if not chosen:
        raise UsageError("AC-US-031", uid=uid or "", listed=listed)
    if len(chosen) > 1:
        raise UsageError("AC-US-037", uid=uid or "")
    return chosen[0]


def _images(found: Sequence[Series]) -> tuple[Path, ...]:
    """Return every DICOM file that must not be overwritten: all but structure sets."""
    structure_sets = {path for series in found if series.modality == "RTSTRUCT" for path in series.files}
    return tuple(path for path in found[0].known if path not in structure_sets) if found else ()
