"""Scanner and protocol of a CT, as its first file states them."""

from __future__ import annotations

from pathlib import Path

from pydicom.tag import Tag

from autocontour.dicom.read import guarded, read_dataset

KEYWORDS = (
    *("Manufacturer", "ManufacturerModelName", "KVP", "ConvolutionKernel", "SliceThickness", "ReconstructionDiameter"),
    *("ContrastBolusAgent", "PatientPosition", "BodyPartExamined"),
)
LONGEST = 64


def read_protocol(path: Path) -> dict[str, str]:
    """Return scanner and protocol by DICOM keyword; what the file does not state is missing. No patient identity.

    Contrast/Bolus Agent is ``stated`` or missing: its text is free and may name the patient.

    Raises
    ------
    CTError
        If the file cannot be read.
    """
    tags = [int(Tag(keyword)) for keyword in KEYWORDS]
    dataset = read_dataset(path, specific_tags=tags, stop_before_pixels=True)
    with guarded(where=path.name):
        texts = {keyword: _text(dataset.get(keyword)) for keyword in KEYWORDS}
    if texts["ContrastBolusAgent"]:
        texts["ContrastBolusAgent"] = "stated"
    return {keyword: text for keyword, text in texts.items() if text}


def _text(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:g}" if isinstance(value, float) else " ".join(str(value).split())
    return "".join(character for character in text if character.isprintable())[:LONGEST]
