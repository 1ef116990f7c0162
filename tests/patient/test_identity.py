"""What tells one CT from another."""

from dataclasses import replace

import numpy as np
from pydicom import Dataset

from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.identity import CaseKey, PatientFacts, case_key, iso_date, series_key
from autocontour.patient.volume import CTVolume, SeriesReference

GEOMETRY = VolumeGeometry.regular((3, 4, 5), (3.0, 1.0, 1.0), (0.0, 0.0, 0.0))


def ct(header=None, uids=("1", "2", "3"), geometry=GEOMETRY):
    reference = SeriesReference("1.1", "1.2", "1.3", "1.4", uids, header or Dataset())
    return CTVolume(np.zeros((3, 4, 5), np.int16), geometry, reference)


def test_the_key_follows_slices_and_places_not_the_patient():
    key = case_key(ct())
    header = Dataset()
    header.PatientName = "DOE^JANE"
    assert case_key(ct(header)) == key == series_key(ct().reference, GEOMETRY)
    assert case_key(ct(uids=("1", "3", "2"))) != key
    moved = VolumeGeometry.regular((3, 4, 5), (3.0, 1.0, 1.0), (0.0, 0.0, 1.0))
    assert case_key(ct(geometry=moved)) != key
    assert len(key.folder_name) == 24
    assert key.folder_name != replace(key, slices_checksum="x").folder_name


def test_a_research_volume_is_known_by_its_voxels():
    one = CTVolume(np.zeros((3, 4, 5), np.int16), GEOMETRY)
    other = CTVolume(np.ones((3, 4, 5), np.int16), GEOMETRY)
    assert case_key(one) != case_key(other)
    assert case_key(one) == CaseKey("", "", case_key(one).slices_checksum)
    assert PatientFacts.of(one) == PatientFacts(is_patient=False)


def test_patient_facts_are_read_as_they_stand():
    header = Dataset()
    header.PatientName, header.PatientID, header.PatientBirthDate = "DOE^JANE", "P1", "19500203"
    header.StudyDate, header.SeriesNumber, header.SeriesDescription = "20260102", 3, "Thorax"
    assert PatientFacts.of(ct(header)) == PatientFacts("DOE JANE", "P1", "1950-02-03", "2026-01-02", "3 Thorax")
    assert PatientFacts.of(ct()) == PatientFacts()
    assert [iso_date(text) for text in ("20260102", "2026", "2026-1-2")] == ["2026-01-02", "2026", "2026-1-2"]
