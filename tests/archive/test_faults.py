"""Planted faults are found, and sound patients are not reported."""

import pytest

from autocontour.selftest.planted import PLANTED, reported
from tests.archive.conftest import SOUND

NOTES = {"AC-DS-055", "AC-DS-056", "AC-QA-109"}
"""What a sound phantom is also reported for: the scan's ends, a piece of lung."""


@pytest.mark.slow
@pytest.mark.parametrize("fault", PLANTED)
def test_every_planted_fault_is_reported(planted, fault):
    number = SOUND + list(PLANTED).index(fault)
    found = reported(planted.report, planted.request.private, planted.patients[number])
    assert PLANTED[fault].is_in(found), found


@pytest.mark.slow
def test_sound_patients_are_used_without_a_warning(planted):
    for patient in planted.patients[:SOUND]:
        found = reported(planted.report, planted.request.private, patient)
        assert {code for code, _ in found} <= NOTES
    structures = {"External", "Lung_L", "Lung_R", "Heart", "Liver", "Esophagus", "SpinalCord", "Trachea"}
    assert set(planted.report.index["structures"]) == structures


@pytest.mark.slow
def test_structures_with_wrong_contours_are_not_labels(planted):
    """Silent faults: exchanged sides, half of the slices, two structures of one name."""
    wrong = {
        "lungs exchanged": {"Lung_L", "Lung_R"},
        "half of the slices": {"Esophagus"},
        "two hearts": {"Heart"},
        "inflated": {"Heart"},
        "cord and esophagus exchanged": {"Esophagus", "SpinalCord"},
    }
    entries = {entry["patient"]: entry for entry in planted.report.index["patients"]}
    sources = (planted.request.private / "sources.json").read_text(encoding="utf-8")
    for fault, structures in wrong.items():
        patient = planted.patients[SOUND + list(PLANTED).index(fault)]
        (entry,) = (e for name, e in entries.items() if f'"{name}": {{\n  "ct": "{patient.folder}' in sources)
        assert structures <= set(entry["set_aside"])
        assert not structures & set(entry["structures"])
