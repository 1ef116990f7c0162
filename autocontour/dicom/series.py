"""Writing a volume of Hounsfield units as a valid DICOM CT series (CT Image IOD, PS3.3 A.3)."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, generate_uid

from autocontour import __version__
from autocontour.base.errors import OutputError
from autocontour.base.files import cannot_write, shown_path
from autocontour.base.jobs import Job
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume, SeriesReference


@dataclass(frozen=True, slots=True)
class SeriesDescription:
    """Attributes of a synthetic patient.

    Attributes
    ----------
    patient_name, patient_id
        Synthetic.
    position
        Patient Position (0018,5100).
    body_part
        Body Part Examined, a Defined Term such as HEADNECK or CHEST.
    text
        Series Description.
    uid_seed
        The same seed gives the same UIDs; None gives new ones.
    date
        Of study, series, acquisition and content, YYYYMMDD.
    frame_of_reference_uid
        That of another CT in the same patient coordinates; empty for one of its own.
    """

    patient_name: str = "PHANTOM^SYNTHETIC"
    patient_id: str = "PHANTOM"
    position: str = "HFS"
    body_part: str = "HEADNECK"
    text: str = "Synthetic phantom"
    uid_seed: str | None = None
    date: str = "20250101"
    frame_of_reference_uid: str = ""

    def uid(self, what: str) -> str:
        """Return the UID of `what` within the study."""
        return str(generate_uid(entropy_srcs=None if self.uid_seed is None else ["autocontour", self.uid_seed, what]))


def write_ct_series(
    hu: NDArray[np.int16],
    geometry: VolumeGeometry,
    folder: Path,
    description: SeriesDescription | None = None,
    job: Job | None = None,
) -> CTVolume:
    """Write one DICOM file per slice into a new folder, which appears only when it is complete.

    Parameters
    ----------
    hu
        (slices, rows, columns), stored exactly.
    geometry
        Any position, oblique and unevenly spaced slices too.
    folder
        Must not exist, or be empty.
    description
        Series Description.
    job
        Reports progress; may cancel.

    Returns
    -------
    CTVolume
        The same volume with the reference that a structure set needs.

    Raises
    ------
    OutputError
        AC-OUT-002 if the folder is not empty, AC-OUT-001 if it cannot be written.
    """
    description, job = description or SeriesDescription(), job or Job()
    check_new_folder(folder)
    header = _header(description)
    uids = tuple(description.uid(f"slice {index}") for index in range(len(hu)))
    try:
        _write_whole(folder, hu, geometry, header, uids, job)
    except OSError as error:
        raise cannot_write(folder, error) from error
    reference = SeriesReference(
        str(header.StudyInstanceUID), str(header.SeriesInstanceUID), str(header.FrameOfReferenceUID),
        str(CTImageStorage), uids, header,
    )  # fmt: skip
    return CTVolume(hu, geometry, reference)


def check_new_folder(folder: Path) -> None:
    """Refuse a folder that is not empty.

    Raises
    ------
    OutputError
        AC-OUT-002.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError("AC-OUT-002", file=shown_path(folder))


def _write_whole(
    folder: Path, hu: NDArray[np.int16], geometry: VolumeGeometry, header: Dataset, uids: tuple[str, ...], job: Job
) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for index in job.track(range(len(hu)), "writing the CT", len(hu)):
            dataset = _slice(header, hu[index], geometry, index, uids[index])
            dataset.save_as(partial / f"CT{index + 1:04d}.dcm", enforce_file_format=True)
        partial.chmod(0o777 & ~_umask())
        if folder.exists():
            folder.rmdir()
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _header(description: SeriesDescription) -> Dataset:
    """Patient, Study, Series, Frame of Reference and Equipment modules."""
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 192"
    header.StudyDate = header.SeriesDate = header.AcquisitionDate = header.ContentDate = description.date
    header.StudyTime = header.SeriesTime = header.AcquisitionTime = header.ContentTime = "120000"
    header.AccessionNumber = ""
    header.Modality = "CT"
    header.Manufacturer = "autocontour"
    header.ReferringPhysicianName = ""
    header.StudyDescription = header.SeriesDescription = description.text[:64]
    header.ManufacturerModelName = "phantom"
    header.PatientName = description.patient_name
    header.PatientID = description.patient_id
    header.PatientBirthDate = ""
    header.PatientSex = "O"
    header.BodyPartExamined = description.body_part
    header.SoftwareVersions = __version__
    header.DeviceSerialNumber = "1"
    header.PatientPosition = description.position
    header.StudyInstanceUID = description.uid("study")
    header.SeriesInstanceUID = description.uid("series")
    header.StudyID = "1"
    header.SeriesNumber = 1
    header.FrameOfReferenceUID = description.frame_of_reference_uid or description.uid("frame of reference")
    header.PositionReferenceIndicator = ""
    return header


def _slice(header: Dataset, hu: NDArray[np.int16], geometry: VolumeGeometry, index: int, uid: str) -> Dataset:
    """Image Plane, Image Pixel and CT Image modules of one slice, added to the header."""
    dataset = Dataset()
    dataset.update(header)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, UID(uid)
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(uid)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.InstanceNumber = index + 1
    dataset.AcquisitionNumber = 1
    dataset.KVP = "120"
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "HU"
    dataset.SliceThickness = decimal(float(geometry.slice_thicknesses_mm[index]))
    dataset.ImagePositionPatient = decimals(geometry.slice_origins_lps_mm[index])
    dataset.ImageOrientationPatient = decimals(geometry.direction[:, :2].T.ravel())
    dataset.PixelSpacing = decimals(geometry.pixel_spacing_vu_mm)
    dataset.Rows, dataset.Columns = hu.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.WindowCenter, dataset.WindowWidth = "40", "400"
    dataset.PixelData = np.ascontiguousarray(hu, dtype="<i2").tobytes()
    return dataset


def decimal(value: float) -> str:
    """Return `value` as a decimal string of at most 16 characters (PS3.5 6.2, DS)."""
    for digits in range(12, 0, -1):
        text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
        if len(text) <= 16:
            return "0" if text == "-0" else text
    return f"{value:.8e}"


def decimals(values: ArrayLike) -> list[str]:
    """Return every value as a decimal string."""
    return [decimal(float(value)) for value in np.asarray(values).ravel()]
