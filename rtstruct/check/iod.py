"""The attributes that the RT Structure Set IOD requires (PS3.3 A.19.3 and the modules it names), as a table.

Types 1 (must have a value) and 2 (must be present, may be empty). A path contains the sequences around an attribute.
Attributes that are required only under a condition (1C, 2C) are checked in `autocontour.rtstruct.check.validate`.
"""

from __future__ import annotations

REQUIRED: dict[str, dict[str, int]] = {
    "": {
        # Patient C.7.1.1
        "PatientName": 2,
        "PatientID": 2,
        "PatientBirthDate": 2,
        "PatientSex": 2,
        # General Study C.7.2.1
        "StudyInstanceUID": 1,
        "StudyDate": 2,
        "StudyTime": 2,
        "ReferringPhysicianName": 2,
        "StudyID": 2,
        "AccessionNumber": 2,
        # RT Series C.8.8.1
        "Modality": 1,
        "SeriesInstanceUID": 1,
        "SeriesNumber": 2,
        "OperatorsName": 2,
        # Frame of Reference C.7.4.1
        "FrameOfReferenceUID": 1,
        "PositionReferenceIndicator": 2,
        # General Equipment C.7.5.1
        "Manufacturer": 2,
        # Structure Set C.8.8.5
        "StructureSetLabel": 1,
        "StructureSetDate": 2,
        "StructureSetTime": 2,
        "ReferencedFrameOfReferenceSequence": 1,
        "StructureSetROISequence": 1,
        # ROI Contour C.8.8.6
        "ROIContourSequence": 1,
        # RT ROI Observations C.8.8.8
        "RTROIObservationsSequence": 1,
        # Approval C.8.8.16
        "ApprovalStatus": 1,
        # SOP Common C.12.1
        "SOPClassUID": 1,
        "SOPInstanceUID": 1,
    },
    "ReferencedFrameOfReferenceSequence": {"FrameOfReferenceUID": 1},
    "ReferencedFrameOfReferenceSequence.RTReferencedStudySequence": {
        "ReferencedSOPClassUID": 1,
        "ReferencedSOPInstanceUID": 1,
        "RTReferencedSeriesSequence": 1,
    },
    "ReferencedFrameOfReferenceSequence.RTReferencedStudySequence.RTReferencedSeriesSequence": {
        "SeriesInstanceUID": 1,
        "ContourImageSequence": 1,
    },
    "StructureSetROISequence": {
        "ROINumber": 1,
        "ReferencedFrameOfReferenceUID": 1,
        "ROIName": 2,
        "ROIGenerationAlgorithm": 2,
    },
    "ROIContourSequence": {"ReferencedROINumber": 1},
    "RTROIObservationsSequence": {
        "ObservationNumber": 1,
        "ReferencedROINumber": 1,
        "RTROIInterpretedType": 2,
        "ROIInterpreter": 2,
    },
    "ContributingEquipmentSequence": {"PurposeOfReferenceCodeSequence": 1, "Manufacturer": 1},
}

MAX_CHARACTERS = {
    **{"AE": 16, "AS": 4, "CS": 16, "DA": 8, "DS": 16, "DT": 26, "IS": 12, "LO": 64, "LT": 10240},
    **{"PN": 64, "SH": 16, "ST": 1024, "TM": 14, "UI": 64},
}
"""Characters that one value of a VR may have (PS3.5 table 6.2-1); of PN, one component group."""
