"""Names of structures: suggestions, confirmation, and the side that is never guessed."""

import pytest

from autocontour.archive.names import (
    NameRow,
    NamesFile,
    check_row,
    confirmed_names,
    extend_names,
    read_names,
    suggest,
    write_names,
)
from autocontour.base.errors import DatasetError
from autocontour.patient.nomenclature import known_names, side_of


@pytest.mark.parametrize(
    ("name", "structure"),
    [
        ("Lung_L", "Lung_L"),
        ("Lunge li", "Lung_L"),
        ("linke Lunge", "Lung_L"),
        ("oesophgus", "Esophagus"),
        ("Spinal-Cord", "SpinalCord"),
        ("gtv-2", "GTV-2"),
        ("PTV High 70", "PTV_High_70"),
        ("left anterior descending artery", "A_LAD"),
        ("axilla level 1 left", "LN_Ax_L1_L"),
        ("LN_Ax_L1_R", "LN_Ax_L1_R"),
        ("parotd gland rt", "Parotid_R"),
    ],
)
def test_a_name_gets_a_suggestion_that_is_not_confirmed(name, structure):
    row = suggest(name)
    assert (row.structure, row.confirmed) == (structure, None)


@pytest.mark.parametrize(
    "name",
    ["Parotid", "Parotis", "parotid gland", "Lung", "Lung_L+R", "Kidney both", "Lungs-GTV", "SpinalCord_PRV05",
     "Heart2", "z_opt_heart", "ROI", "Stomach_duo_planCT", "Bowel_sm_planCT", "", "좌측"],
)  # fmt: skip
def test_what_is_not_certain_gets_no_suggestion(name):
    """Silent fault: a name without a side became a structure with one, or a derived structure the organ itself."""
    assert suggest(name).structure == ""


def test_a_name_without_a_side_says_so():
    assert "no side" in suggest("Parotid").note


@pytest.mark.parametrize(
    ("name", "structure", "code"),
    [
        ("Lung_L", "Lung_R", "AC-DS-020"),
        ("linke Lunge", "Lung_R", "AC-DS-020"),
        ("axilla level 1 left", "LN_Ax_L1_R", "AC-DS-020"),
        ("RCA", "A_Coronary_L", "AC-DS-020"),
        ("Parotid", "Parotid_L", "AC-DS-021"),
        ("CTV", "CTVp_Breast_L", "AC-DS-021"),
        ("Lung_L", "Lungs", "AC-DS-023"),
        ("heart", "Hart", "AC-DS-022"),
        ("heart", "../Heart", "AC-CFG-013"),
        ("PTV", "PTV_Canary", "AC-DS-024"),
    ],
)
def test_a_row_that_would_be_a_wrong_label_is_refused_even_if_confirmed(tmp_path, name, structure, code):
    """Silent faults: a row that exchanges the sides, guesses one, or carries a patient's name into the data set."""
    content = NamesFile(True, (NameRow(name, structure),))
    with pytest.raises(DatasetError, match="AC-DS-003") as error:
        confirmed_names(content, tmp_path / "names.toml", (), {"canary"})
    assert code in {problem.code for problem in error.value.problems}


def test_an_unconfirmed_row_is_not_used_and_a_row_counts_before_the_file(tmp_path):
    rows = (NameRow("a", "Heart"), NameRow("b", "Liver", confirmed=False), NameRow("c", "", confirmed=True))
    found = confirmed_names(NamesFile(True, rows), tmp_path / "n.toml", (), ())
    assert (found.find(" A "), found.find("b"), found.find("c"), found.find("d")) == ("Heart", "", "", "")
    assert found.is_waiting("B")
    assert not found.is_waiting("c")
    rows = (NameRow("a", "Heart"), NameRow("b", "Liver", confirmed=True))
    found = confirmed_names(NamesFile(False, rows), tmp_path / "n.toml", (), ())
    assert (found.find("a"), found.find("b")) == ("", "Liver")


def test_a_name_found_later_is_not_confirmed_by_the_whole_file(tmp_path):
    """Silent fault: a new name was used unseen because the file had been confirmed."""
    path = tmp_path / "names.toml"
    first = extend_names(NamesFile(), ["Heart", "Lung li", "Heart"])
    assert [(row.name, row.structure, row.count, row.confirmed) for row in first.names] == [
        ("Heart", "Heart", 2, None),
        ("Lung li", "Lung_L", 1, None),
    ]
    write_names(path, first)
    path.write_text(path.read_text().replace("confirmed = false", "confirmed = true", 1))
    later = extend_names(read_names(path), ["Heart", "liver"])
    write_names(path, later)
    found = confirmed_names(read_names(path), path, (), ())
    assert (found.find("heart"), found.find("liver")) == ("Heart", "")
    assert found.is_waiting("liver")


def test_a_file_of_names_is_written_and_read_unchanged(tmp_path):
    path = tmp_path / "names.toml"
    rows = (NameRow('He"art\\ü', "Heart", 3, "synonym", 'a "note"', True), NameRow("b"))
    write_names(path, NamesFile(False, rows))
    assert read_names(path) == NamesFile(False, rows)
    odd = extend_names(NamesFile(), ["a\u202eb\n", "\ud800", "폐"])
    write_names(path, odd)
    assert read_names(path) == odd


@pytest.mark.parametrize(
    "text",
    ["confirmed = 1", "x = 2", "[[names]]\nname = 3", "[[names]]\nname = 'a'\n[[names]]\nname = 'A '"],
)
def test_a_file_of_names_that_is_unclear_is_refused(tmp_path, text):
    path = tmp_path / "names.toml"
    path.write_text(text)
    with pytest.raises(DatasetError, match="AC-DS-003"):
        read_names(path)


def test_two_spellings_of_one_structure_are_refused(tmp_path):
    rows = (NameRow("a", "GTV-1"), NameRow("b", "GTV_N"), NameRow("c", "gtv_n"))
    with pytest.raises(DatasetError) as error:
        confirmed_names(NamesFile(True, rows), tmp_path / "n.toml", (), ())
    assert [problem.code for problem in error.value.problems] == ["AC-DS-025"]


def test_every_name_of_the_table_may_be_mapped_to_itself_and_has_the_side_of_its_ending():
    for name in known_names():
        assert not list(check_row(name, name))
        assert side_of(name) == (name[-1] if name.endswith(("_L", "_R")) else "")


@pytest.mark.parametrize(("name", "structure"), [("GTVp", "GTVp"), ("GTVn", "GTVn"), ("ctvn ", "CTVn"), ("ptv", "PTV")])
def test_targets_of_one_family_stay_apart(name, structure):
    """Silent fault: GTVp and GTVn were both suggested as GTV."""
    assert suggest(name).structure == structure


def test_a_korean_name_with_a_side_may_become_a_structure_with_it():
    assert list(check_row("왼쪽 폐", "Lung_L")) == []
    assert [one.code for one in check_row("왼쪽 폐", "Lung_R")] == ["AC-DS-020"]
    assert [one.code for one in check_row("폐", "Lung_R")] == ["AC-DS-021"]
