"""``autocontour models`` from the command line."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date

import pytest

from autocontour.cli import main
from autocontour.models import find_package
from autocontour.models.package.package import rewrite_metadata
from autocontour.models.package.patient import PatientBinding
from autocontour.patient.identity import PatientFacts


@pytest.fixture
def installed(toy_package):
    assert main(["models", "install", str(toy_package.path)]) == 0
    yield toy_package
    main(["models", "remove", "toy-neck"])


def test_list_show_verify(installed, capsys):
    capsys.readouterr()
    assert main(["models", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["toy-neck"]["checksum"] == installed.checksum
    assert main(["models", "list"]) == 0
    assert "toy-neck" in capsys.readouterr().out
    assert main(["models", "show", "toy-neck"]) == 0
    assert "Bone_Mandible" in capsys.readouterr().out
    assert main(["models", "verify", "toy-neck", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"toy-neck": "sound"}


def test_a_patients_package_says_so_and_is_not_retrained(installed, tmp_path, capsys):
    capsys.readouterr()
    package = find_package("toy-neck")
    binding = PatientBinding.of(PatientFacts(patient_id="P1"), 60, date(2026, 1, 1))
    rewrite_metadata(package, {**package.metadata, "patient": asdict(binding)})
    assert main(["models", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert (rows["toy-neck"]["expires"], rows["head-and-neck"]["expires"]) == ("2026-03-02", None)
    assert main(["models", "list"]) == 0
    assert "2026-03-02" in capsys.readouterr().out
    assert main(["models", "show", "toy-neck"]) == 0
    assert "made for one patient on 2026-01-01, used until 2026-03-02" in capsys.readouterr().out
    assert main(["learn", "on", "--package", "toy-neck", "--folder", str(tmp_path), "--json"]) == 8
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "AC-TR-039"
    assert not list(tmp_path.iterdir())


def test_damage_is_reported(installed, capsys):
    path = find_package("toy-neck").path / "segmenter.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    capsys.readouterr()
    assert main(["models", "list"]) == 0
    assert "AC-MD-007" in capsys.readouterr().out.replace("\n", "")
    assert main(["models", "verify"]) == 6
    assert "AC-MD-007" in capsys.readouterr().out


def test_unknown_and_twice(installed, capsys):
    assert main(["models", "show", "nothing"]) == 6
    assert "AC-MD-017" in capsys.readouterr().err
    assert main(["models", "install", str(installed.path)]) == 6
    assert "AC-MD-018" in capsys.readouterr().err
    assert main(["models", "install", str(installed.path), "--replace"]) == 0


def test_package_that_draws_only_when_asked_is_not_shown_empty():
    """A published package draws nothing by default; its row in the list says what it could draw."""
    from autocontour.cli.models import _not_drawn

    assert _not_drawn({"structures": ["Liver", "Spleen"]}) == "if asked: Liver, Spleen"
    assert _not_drawn({"structures": [f"Rib{k:02}_L" for k in range(1, 13)]}).endswith("Rib08_L and 4 more")
