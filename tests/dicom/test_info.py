"""What ``autocontour info`` prints."""

import json

import pytest

from autocontour.cli import main


def test_json(ct, write, slices, capsys):
    folder = write(slices)
    (folder / "readme.txt").write_text("text " * 50)
    assert main(["info", str(folder), "--json"]) == 0
    (series,) = json.loads(capsys.readouterr().out)
    assert series["series_instance_uid"] == slices[0].SeriesInstanceUID
    assert series["shape_zyx"] == [ct.SLICES, ct.ROWS, ct.COLUMNS]
    assert series["spacing_zyx_mm"] == list(ct.SPACING_ZYX_MM)
    assert series["sound"]
    assert series["planning_ct"]
    assert [finding["code"] for finding in series["findings"]] == ["AC-CT-003"]
    assert "patient_name" not in series


def test_text_names_no_patient_unless_asked(ct, write, slices, capsys):
    folder = write(slices)
    main(["info", str(folder)])
    shown = capsys.readouterr().out
    assert "series 1" in shown
    assert "sound" in shown
    assert slices[0].SeriesInstanceUID in shown
    assert "Test^Phantom" not in shown
    main(["info", str(folder), "--patients"])
    assert "Test^Phantom (PHANTOM-1)" in capsys.readouterr().out


def test_a_blocked_series_says_why(ct, write, slices, capsys):
    main(["info", str(write(slices[:3] + slices[4:]))])
    shown = capsys.readouterr().out
    assert "blocked" in shown
    assert "BLOCK AC-CT-032 1 slice is missing" in shown


def test_markup_in_a_description_is_shown_as_it_is(ct, write, slices, capsys):
    for dataset in slices:
        dataset.SeriesDescription = "[red]Thorax[/red]"
    main(["info", str(write(slices))])
    assert "[red]Thorax[/red]" in capsys.readouterr().out


def test_templates(capsys):
    assert main(["info", "--templates"]) == 0
    assert "thorax" in capsys.readouterr().out


def test_no_folder(tmp_path, capsys):
    assert main(["info", str(tmp_path / "none")]) == 3
    assert "AC-CT-063" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["info"]])
def test_nothing_asked(arguments):
    with pytest.raises(SystemExit):
        main(arguments)
