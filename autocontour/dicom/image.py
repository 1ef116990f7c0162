"""A CT from a NIfTI or NRRD file, for research: no structure set can be written for it."""

from __future__ import annotations

import gzip
import tempfile
import zlib
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.base.errors import CTError, OutputError
from autocontour.base.files import cannot_write, replacing, shown_path
from autocontour.base.findings import Finding
from autocontour.dicom.checks import refuse_blocked
from autocontour.dicom.field import find_outside_field
from autocontour.dicom.values import check_values, sample_slices
from autocontour.dicom.wording import shown
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume

BAD_IMAGE = "AC-CT-060"
NO_IMAGE = "AC-CT-064"
NOT_A_VOLUME = "AC-CT-065"
NOT_HU = "AC-CT-066"
NO_REFERENCE = "AC-CT-061"
SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
_INT16 = np.iinfo(np.int16)


def read_image(path: Path, accepted: frozenset[str] = frozenset()) -> CTVolume:
    """Read a CT in Hounsfield units from NIfTI or NRRD.

    SimpleITK converts NIfTI's RAS to LPS; array and geometry follow the file's own axes (the last one reversed
    if they are left-handed).

    Parameters
    ----------
    path
        The file.
    accepted
        Codes of blocking findings that the user accepts.

    Raises
    ------
    CTError
        If the file cannot be read, is not one volume, or its values cannot be Hounsfield units.
    """
    import SimpleITK

    if not path.is_file():
        raise CTError(NO_IMAGE, file=shown(path))
    try:
        image: Any = SimpleITK.ReadImage(str(path))
    except RuntimeError as fault:
        raise CTError(BAD_IMAGE, file=shown(path)) from fault
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise CTError(NOT_A_VOLUME, file=shown(path))
    x, y, z = image.GetSpacing()
    columns, rows, slices = image.GetSize()
    direction = np.array(image.GetDirection()).reshape(3, 3)
    values = SimpleITK.GetArrayViewFromImage(image)
    origin = np.array(image.GetOrigin())
    if np.linalg.det(direction) < 0:  # left-handed: reverse the order of slices
        origin, values = origin + (slices - 1) * z * direction[:, 2], values[::-1]
        direction = direction * [1, 1, -1]
    geometry = VolumeGeometry.regular((slices, rows, columns), (z, y, x), origin, direction)
    if not np.isfinite(values).all() or values.min() < _INT16.min or values.max() > _INT16.max:
        raise CTError(NOT_HU, file=shown(path))
    hu = np.rint(values).astype(np.int16)
    indices = sample_slices(len(hu))
    outside = find_outside_field([hu[index] for index in indices])
    doubts = tuple(check_values(indices, [hu[index] for index in indices], outside))
    refuse_blocked(doubts, accepted)
    findings = (Finding.of(NO_REFERENCE), *map(Finding.accept, doubts))
    return CTVolume(hu, geometry, None, findings, outside_field=outside)


def write_masks(masks: Iterable[tuple[Path, NDArray[np.bool_]]], source: Path) -> None:
    """Write masks as NIfTI on the grid of the file their CT came from, voxel for voxel: all of them or none.

    Parameters
    ----------
    masks
        Path, ending in ``.nii.gz``, and (slices, rows, columns) on the geometry of `read_image`. Processed one by one;
        the files are renamed after all are written and read back.
    source
        The file that was read.

    Raises
    ------
    OutputError
        ``AC-OUT-001`` if one cannot be written, ``AC-OUT-005`` if one fails verification.
    """
    import SimpleITK

    like: Any = SimpleITK.ReadImage(str(source))
    turned = np.linalg.det(np.array(like.GetDirection()).reshape(3, 3)) < 0
    with ExitStack() as unfinished:
        for path, mask in masks:
            image: Any = SimpleITK.GetImageFromArray((mask[::-1] if turned else mask).astype(np.uint8))
            image.CopyInformation(like)
            data = _encode(image, path)
            temporary = unfinished.enter_context(replacing(path))
            temporary.write_bytes(data)
            if temporary.read_bytes() != data:
                raise OutputError("AC-OUT-005", file=shown_path(path))


def _encode(image: Any, path: Path) -> bytes:  # noqa: ANN401  (SimpleITK has no types)
    """Return a compressed NIfTI file of an image; its output is read back, as full disks are not reported."""
    import SimpleITK

    try:
        with tempfile.TemporaryDirectory() as folder:
            draft = Path(folder, "mask.nii.gz")
            SimpleITK.WriteImage(image, str(draft))
            written: Any = SimpleITK.ReadImage(str(draft))
            data = draft.read_bytes()
        gzip.decompress(data)  # the library does not report missing bytes at the end
    except (RuntimeError, EOFError, gzip.BadGzipFile, zlib.error) as fault:
        raise OutputError("AC-OUT-005", file=shown_path(path)) from fault
    except OSError as fault:
        raise cannot_write(path, fault) from fault
    if not np.array_equal(SimpleITK.GetArrayViewFromImage(written), SimpleITK.GetArrayViewFromImage(image)):
        raise OutputError("AC-OUT-005", file=shown_path(path))
    return data
