"""One compressed frame of the JPEG family: checks, and decoding with SimpleITK."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from autocontour.dicom.header import SliceHeader

_END = b"\xff\xd9"
_JPEG_2000 = b"\xff\x4f\xff\x51"
_NO_START_OF_FRAME = {0xC4, 0xC8, 0xCC}
_START_OF_FRAME_LS = 0xF7


def decode_frame(frame: bytes, header: SliceHeader) -> NDArray[Any]:
    """Return the stored values, (rows, columns), of a JPEG, JPEG-LS or JPEG 2000 stream.

    SimpleITK's GDCM reports damaged streams, which end the process in the GDCM used by pydicom; as GDCM may need many
    seconds for a damaged file, it reads the stream from a temporary file.

    Raises
    ------
    ValueError, RuntimeError
        If the stream is damaged or its size differs from the header.
    """
    import SimpleITK

    if read_size(frame) != (header.rows, header.columns):
        raise ValueError("the stream is of another size")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "frame.dcm"
        _build_file(frame, header).save_as(path, enforce_file_format=True)
        image: Any = SimpleITK.ReadImage(str(path), imageIO="GDCMImageIO")
    planes: NDArray[Any] = SimpleITK.GetArrayFromImage(image)
    return planes.reshape(planes.shape[-2:])


def is_whole(frame: bytes) -> bool:
    """Whether the stream has its end marker: decoders fill in missing pixels without an error."""
    return frame.rstrip(b"\0").endswith(_END)


def read_size(frame: bytes) -> tuple[int, int]:
    """Read rows and columns from the stream itself (ISO 15444-1 A.5.1, 10918-1 B.2.2, 14495-1 C.2.2); 0, 0 if none."""
    if frame[:4] == _JPEG_2000:
        right, bottom, left, top = (int.from_bytes(frame[at : at + 4], "big") for at in (8, 12, 16, 20))
        return bottom - top, right - left
    at = 2
    while at + 9 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker == _START_OF_FRAME_LS or (0xC0 <= marker <= 0xCF and marker not in _NO_START_OF_FRAME):
            return int.from_bytes(frame[at + 5 : at + 7], "big"), int.from_bytes(frame[at + 7 : at + 9], "big")
        at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return 0, 0


def _build_file(frame: bytes, header: SliceHeader) -> Dataset:
    """Build an image that contains only the frame."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = header.sop_class_uid, header.sop_instance_uid
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = header.rows, header.columns
    dataset.BitsAllocated, dataset.BitsStored = header.bits_allocated, header.bits_stored
    dataset.HighBit, dataset.PixelRepresentation = header.high_bit, header.pixel_representation
    dataset.PixelData = encapsulate([frame])
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(header.transfer_syntax)
    return dataset
