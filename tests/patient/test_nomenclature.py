from __future__ import annotations

import unicodedata

import pytest
from pydicom.sr.codedict import codes

from autocontour.patient.nomenclature import find_term, known_names, match_name, side_of, spellings, split_words


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
        ("왼쪽 이하선", "Parotid_L"),
        ("우측이하선", "Parotid_R"),
        ("좌폐", "Lung_L"),
        ("폐(우)", "Lung_R"),
        ("좌심실", "Ventricle_L"),
        (unicodedata.normalize("NFD", "오른쪽 폐"), "Lung_R"),
        ("척수", "SpinalCord"),
        ("뇌간", "Brainstem"),
        ("Rückenmark", "SpinalCord"),
        ("Niere re", "Kidney_R"),
        ("Poumon gauche", "Lung_L"),
        ("Riñón derecho", "Kidney_R"),
    ],
)
def test_clinic_names_are_matched(clinic, tg263):
    assert match_name(clinic) == tg263


@pytest.mark.parametrize(
    "clinic",
    [
        "Lung",
        "Lung_L_PRV",
        "Heart2",
        "R L Lung",
        "left parotid left",
        "GTV-1",
        "",
        "L",
        "肺",
        "Cord+3",
        "notLung_L",
        "폐",
        "좌우 폐",
        "좌골",
        "Poumon D",
        "척수 PRV",
        "심장2",
    ],
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


def test_no_spelling_stands_for_two_structures():
    seen: dict[str, str] = {}
    for spelling, base in spellings():
        assert seen.setdefault(spelling, base) == base
        assert spelling == " ".join(split_words(spelling)), spelling


@pytest.mark.parametrize("name", ["우측", "왼쪽 폐", "Lung gauche", "폐우"])
def test_a_side_in_another_language_is_one(name):
    assert side_of(name) == ("R" if "우" in name else "L")


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
