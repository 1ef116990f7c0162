from __future__ import annotations

import pytest
from pydicom.sr.codedict import codes

from autocontour.patient.nomenclature import find_term, known_names, match_name


@pytest.mark.parametrize(
    ("clinic", "tg263"),
    [
        ("Lt. Lung", "Lung_L"),
        ("lung-left", "Lung_L"),
        ("LUNG_L", "Lung_L"),
        ("LungR", "Lung_R"),
        ("Lung-Right", "Lung_R"),
        ("Spinal cord", "SpinalCord"),
        ("Spinal-Cord", "SpinalCord"),
        ("myelon", "SpinalCord"),
        ("Patient", "External"),
        ("BODY", "External"),
        ("parotid gland right", "Parotid_R"),
        ("Re Parotis", "Parotid_R"),
        ("BRAINSTEM", "Brainstem"),
        ("Oesophagus", "Esophagus"),
        ("OPTIC NERVE LT", "OpticNrv_L"),
        ("Kidneys", "Kidneys"),
        ("A_Carotid_L", "A_Carotid_L"),
        ("Bone_Mandible", "Bone_Mandible"),
    ],
)
def test_clinic_names_are_matched(clinic, tg263):
    assert match_name(clinic) == tg263


@pytest.mark.parametrize(
    "clinic",
    ["Lung", "Lung_L_PRV", "Heart2", "R L Lung", "left parotid left", "GTV-1", "", "L", "肺", "Cord+3", "notLung_L"],
)
def test_what_is_not_certain_matches_nothing(clinic):
    assert match_name(clinic) == ""


def test_every_name_is_sound():
    names = known_names()
    assert len(names) == len(set(names)) > 80
    assert {"Bone", "Trachea", "Bone_Mandible", "Brainstem", "SpinalCord", "Parotid_L", "External"} <= set(names)
    for name in names:
        term = find_term(name)
        assert term.known
        assert len(name) <= 16, "TG-263 allows 16 characters"
        assert all(0 <= value <= 255 for value in term.color_rgb)
        assert match_name(name) == name or term.interpreted_type in {"GTV", "CTV", "PTV"}


def test_every_code_exists_and_means_the_structure():
    meanings = {}
    for name in known_names():
        term = find_term(name)
        if term.code:
            meanings[name] = getattr(codes.SCT, term.code).meaning
        if term.laterality:
            assert getattr(codes.SCT, term.laterality).meaning == term.laterality
            assert name[-2:] in {"_L", "_R"} or term.laterality == "Bilateral"
    assert meanings["Brainstem"] == "Brain Stem"
    assert meanings["Parotid_L"] == "Parotid gland"
    assert meanings["SpinalCanal"] == "Vertebral canal"
    assert find_term("Parotid_L").laterality == "Left"
    assert "Cochlea_L" not in meanings, "no code rather than a wrong one"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("GTVp", "GTV"), ("PTV_High", "PTV"), ("ptv54", "PTV"), ("ITV", "CTV"), ("Heart", "ORGAN"), ("GTVolume", "ORGAN")],
)
def test_types_by_name(name, kind):
    assert find_term(name).interpreted_type == kind


def test_an_unknown_name_has_defaults_that_stay_the_same():
    assert not find_term("Thing").known
    assert find_term("Thing") == find_term("Thing")
    assert find_term("Thing").code == ""
