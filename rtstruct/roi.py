"""What a file says of one structure: its items in the Structure Set, ROI Contour and RT ROI Observations modules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.sr.codedict import codes

from autocontour.errors import OutputError
from autocontour.nomenclature import find_term
from autocontour.provenance import Provenance
from autocontour.rtstruct.contours import ContourRecord, encode_contours
from autocontour.rtstruct.encoding import decode_dataset, preserve_raw, set_raw_sequence
from autocontour.rtstruct.modules import build_code, describe_findings
from autocontour.structures import Structure
from autocontour.volume import SeriesReference

MAX_NAME = 64
"""Characters of VR LO."""


@dataclass(frozen=True)
class RoiItems:
    """The items of one structure: one of the Structure Set ROI and ROI Contour Sequences, at least one observation."""

    roi: Dataset
    contour: Dataset
    observations: tuple[Dataset, ...]


def build_roi_items(
    structure: Structure, records: Sequence[ContourRecord], ct: SeriesReference, *, implicit: bool
) -> RoiItems:
    """Build the items of `structure`; what an imported one had beside what the program knows is kept.

    Raises
    ------
    OutputError
        ``AC-OUT-103`` if the name does not fit VR LO.
    """
    if not 0 < len(structure.name) <= MAX_NAME or "\\" in structure.name:
        message = f"The name {structure.name!r} cannot be written: it must have 1 to {MAX_NAME} characters, no \\."
        raise OutputError("AC-OUT-103", message, "Rename the structure.")
    kept = decode_dataset(structure.attributes) if structure.attributes else Dataset()
    redrawn = set(structure.contours) != set(structure.imported)
    roi = _build_roi(_first(kept, "StructureSetROISequence"), structure, ct, redrawn=redrawn)
    contour = _build_contour(_first(kept, "ROIContourSequence"), structure, records, ct, implicit=implicit)
    observations = kept.get("RTROIObservationsSequence") or [Dataset()]
    for observation in observations:
        observation.ReferencedROINumber = structure.number
    _build_observation(observations[0], structure)
    return RoiItems(roi, contour, tuple(observations))


def _first(kept: Dataset, keyword: str) -> Dataset:
    items = kept.get(keyword)
    return items[0] if items else Dataset()


def _build_roi(item: Dataset, structure: Structure, ct: SeriesReference, *, redrawn: bool) -> Dataset:
    """Structure Set ROI Sequence item (C.8.8.5)."""
    item.ROINumber = structure.number
    item.ReferencedFrameOfReferenceUID = ct.frame_of_reference_uid
    item.ROIName = structure.name
    item.ROIGenerationAlgorithm = structure.generation.value
    if structure.description or "ROIDescription" in item:
        item.ROIDescription = structure.description
    if redrawn and "ROIVolume" in item:
        del item.ROIVolume
    if structure.provenance:
        item.ROIGenerationDescription = f"{structure.provenance.algorithm} {structure.provenance.version}"[:64]
        item.ROIDerivationAlgorithmIdentificationSequence = [_build_algorithm(structure.provenance)]
    return item


def _build_algorithm(provenance: Provenance) -> Dataset:
    """Algorithm Identification (section 10.16); what defines the algorithm has a checksum, plain rules have none."""
    family = codes.DCM.ArtificialIntelligence if provenance.checksum else codes.DCM.MorphologicalOperations
    parameters = {"sha256": provenance.checksum, "device": provenance.device, "template": provenance.template}
    item = Dataset()
    item.AlgorithmFamilyCodeSequence = [build_code(family)]
    item.AlgorithmName = provenance.algorithm[:64]
    item.AlgorithmVersion = provenance.version[:64]
    item.AlgorithmParameters = "; ".join(f"{name}={value}" for name, value in parameters.items() if value)
    item.AlgorithmSource = "autocontour"
    return item


def _build_contour(
    item: Dataset, structure: Structure, records: Sequence[ContourRecord], ct: SeriesReference, *, implicit: bool
) -> Dataset:
    """ROI Contour Sequence item (C.8.8.6)."""
    item.ReferencedROINumber = structure.number
    item.ROIDisplayColor = list(structure.color_rgb)
    if records:
        contours = encode_contours(records, ct, implicit=implicit)
        set_raw_sequence(item, "ContourSequence", contours, implicit=implicit)
    return preserve_raw(item, implicit=implicit)


def _build_observation(item: Dataset, structure: Structure) -> None:
    """RT ROI Observations Sequence item (C.8.8.8), without its number."""
    term = find_term(structure.tg263_name)
    item.RTROIInterpretedType = structure.interpreted_type
    item.setdefault("ROIInterpreter", "")
    if structure.tg263_name:
        item.ROIObservationLabel = structure.tg263_name[:16]
    if structure.findings and not structure.attributes:
        item.ROIObservationDescription = describe_findings(structure.findings)
    if not term.code or "RTROIIdentificationCodeSequence" in item:
        return
    identification = build_code(getattr(codes.SCT, term.code))
    if term.laterality:
        modifier = build_code(getattr(codes.SCT, term.laterality))
        identification.SegmentedPropertyTypeModifierCodeSequence = [modifier]
    item.SegmentedPropertyCategoryCodeSequence = [build_code(codes.SCT.AnatomicalStructure)]
    item.RTROIIdentificationCodeSequence = [identification]
