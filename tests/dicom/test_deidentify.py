"""De-identification of a header: the profile at every level, one map of UIDs, what tells patients apart."""

import pytest
from pydicom import Dataset

from autocontour.dicom.deidentify import KEPT, apply_basic_profile, deidentify, deidentify_header, identity_words


def replace_uid(uid):
    return f"2.25.{uid.replace('.', '')}"


def header(**values):
    dataset = Dataset()
    dataset.Modality, dataset.PatientName, dataset.PatientID = "CT", "Müller-Lüdenscheidt^Anna=金^安娜", "X-12345"
    dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = "1.2.3", "1.2.4"
    dataset.KVP, dataset.ConvolutionKernel = "120", "B30f"
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def test_only_technical_attributes_remain():
    kept = deidentify(header(StudyDate="20240101", InstitutionName="Clinic", PatientSex="F"), replace_uid)
    assert set(kept) <= {*KEPT, "PatientIdentityRemoved", "DeidentificationMethod"}
    assert (kept["KVP"], kept["ConvolutionKernel"], kept["PatientIdentityRemoved"]) == (120.0, "B30f", "YES")


@pytest.mark.parametrize("text", ["Muller", "kernel of MÜLLER", "lüdenscheidt_B30", "x12345 12345"])
def test_a_technical_text_with_a_word_of_the_identity_is_left_out(text):
    assert "ConvolutionKernel" not in deidentify(header(ConvolutionKernel=text), replace_uid)


def test_every_level_is_treated_and_references_stay_valid():
    inner, outer, dataset = Dataset(), Dataset(), header(IrradiationEventUID=["1.7", "1.8"])
    inner.PatientName, inner.ReferencedSOPInstanceUID = "Müller", "1.2.3"
    inner.add_new(0x00091010, "LO", "Müller")
    outer.OperatorsName, outer.RTReferencedSeriesSequence, outer.SeriesInstanceUID = "Müller", [inner], "1.2.3"
    dataset.ReferencedFrameOfReferenceSequence = [outer]
    dataset.add_new(0x00110010, "LO", "Müller private")
    apply_basic_profile(dataset, replace_uid)
    assert "ller" not in str(dataset)
    nested = dataset.ReferencedFrameOfReferenceSequence[0]
    assert dataset.SeriesInstanceUID == nested.SeriesInstanceUID == "2.25.123"
    assert nested.RTReferencedSeriesSequence[0].ReferencedSOPInstanceUID == "2.25.123"
    assert list(dataset.IrradiationEventUID) == ["2.25.17", "2.25.18"]


def test_words_of_persons_and_identifiers_are_found_in_any_script():
    nested = Dataset()
    nested.PatientName = "Meyer"
    words = identity_words(header(ReferringPhysicianName="Dr^House", RequestAttributesSequence=[nested]))
    assert {"muller", "ludenscheidt", "anna", "house", "meyer", "12345", "金"} <= words


@pytest.mark.parametrize(
    ("values", "patient_id", "person"),
    [
        ({"PatientBirthDate": "19500101"}, "x 12345", "muller ludenscheidt anna 金 安娜 19500101"),
        ({}, "x 12345", ""),
        ({"PatientID": "ANONYMOUS", "PatientName": "Anonymous", "PatientBirthDate": "19500101"}, "", ""),
        ({"PatientID": "0000", "PatientBirthDate": ""}, "", ""),
        ({"PatientID": " x_12345 "}, "x 12345", ""),
    ],
)
def test_what_tells_patients_apart(tmp_path, values, patient_id, person):
    """An ID that many patients share must not make them one patient, nor an empty one hide that two are the same."""
    dataset = header(SOPClassUID="1.2.840.10008.5.1.4.1.1.2", SOPInstanceUID="1.9", SpecificCharacterSet="ISO_IR 192")
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    path = tmp_path / "x.dcm"
    dataset.save_as(path, implicit_vr=False, little_endian=True)
    found = deidentify_header(path, replace_uid)
    assert (found.patient_id, found.person) == (patient_id, person)
