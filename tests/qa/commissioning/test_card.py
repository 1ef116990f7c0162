"""A package measured on patients with references, and its card."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from autocontour.base.errors import UsageError
from autocontour.cli import main
from autocontour.models import read_package
from autocontour.models.package.description import Member
from autocontour.models.training.calibrate import compute_power
from autocontour.qa.commissioning import (
    MeasuredStructure,
    cohort,
    read_cases,
    read_measured,
    write_card,
    write_measured,
)
from autocontour.qa.commissioning.card import compare_with, summarize_structures
from autocontour.qa.metrics import compute_metrics
from tests.qa.commissioning.conftest import STRUCTURES


@pytest.fixture(scope="module")
def patients(tmp_path_factory):
    """Two made-up patients, the second without a left gland."""
    folder = tmp_path_factory.mktemp("cohort")
    (folder / "val").mkdir()
    entries = []
    for number in range(2):
        hu = np.full((20, 24, 28), -1024, np.int16)
        hu[2:18, 4:20, 4:24] = 40
        labels = np.zeros(hu.shape, np.uint16)
        labels[6:12, 8:14, 6:10] |= 2
        labels[6:12, 8:14, 18:22] |= 4
        labels[6:10, 6:8, 10:18] |= 8
        np.savez(folder / "val" / f"p{number}.npz", hu=hu, labels=labels, spacing_zyx_mm=np.float32([5, 4, 4]))
        names = [name for name in STRUCTURES if number == 0 or name != "Parotid_L"]
        entries.append(
            {
                "patient": f"p{number}",
                "split": "validation",
                "voxels": dict.fromkeys(names, 100),
                "solid_slices": [[2, 18]],
                "fraction_inside_ct": dict.fromkeys(names, 1.0),
            }
        )
    index = {"structures_by_bit": ["PTV", *STRUCTURES], "patients": entries}
    (folder / "index.json").write_text(json.dumps(index))
    return folder


@pytest.fixture
def painter(monkeypatch):
    """A package that draws the right gland exactly, and finds nothing else."""
    from autocontour.contouring import contours_from_mask
    from autocontour.models import Segmentation
    from autocontour.patient.structures import Drawing
    from autocontour.qa.commissioning import measure

    def segment(ct, package, names, **_):
        mask = np.zeros(ct.hu.shape, bool)
        mask[4:10, 8:14, 6:10] = True
        return Segmentation({"Parotid_R": Drawing(contours_from_mask(mask, ct.geometry), ())})

    monkeypatch.setattr(measure, "segment_structures", segment)


def row(patient, structure, dsc, findings=(), warnings=None):
    metrics = compute_metrics(np.ones((2, 2, 2), bool), np.ones((2, 2, 2), bool), (1.0, 1.0, 1.0))
    values = metrics.to_json() | {"dsc": dsc, "volume_b_cc": 1.0}
    shown = findings if warnings is None else warnings
    fields = {"patient": patient, "structure": structure, "findings": findings, "warnings": shown}
    return MeasuredStructure.from_json({**values, **fields})


def test_cases_are_the_patients_as_scanned(patients, toy_package):
    first, second = read_cases(patients, "validation", toy_package)
    assert first.ct.hu.shape == (16, 24, 28)
    assert list(second.references) == ["Parotid_R", "Bone_Mandible"]
    assert first.references["Parotid_L"].sum() == 6 * 6 * 4
    assert first.references["Parotid_L"][4:10, 8:14, 18:22].all()


def test_a_split_without_patients_is_refused(patients, toy_package):
    with pytest.raises(UsageError, match="AC-QA-010"):
        list(read_cases(patients, "test", toy_package))


def test_an_unreadable_patient_is_no_smaller_cohort(patients, toy_package, tmp_path):
    (tmp_path / "val").mkdir()
    (tmp_path / "index.json").write_bytes((patients / "index.json").read_bytes())
    (tmp_path / "val" / "p0.npz").write_bytes((patients / "val" / "p0.npz").read_bytes()[:500])
    with pytest.raises(UsageError, match="AC-QA-011"):
        list(read_cases(tmp_path, "validation", toy_package))


def test_a_structure_that_is_not_drawn_counts_as_zero(patients, toy_package, painter, tmp_path):
    rows = tmp_path / "rows.json"
    path = str(toy_package.path)
    assert main(["models", "validate", path, "--data", str(patients), "-o", str(rows), "--json"]) == 0
    measured = read_measured(rows)
    assert [(one.patient, one.structure) for one in measured] == [
        ("p0", "Parotid_R"), ("p0", "Parotid_L"), ("p0", "Bone_Mandible"), ("p1", "Parotid_R"), ("p1", "Bone_Mandible"),
    ]  # fmt: skip
    assert [one.metrics.dsc for one in measured] == [1.0, 0.0, 0.0, 1.0, 0.0]
    assert [one.is_drawn for one in measured] == [True, False, False, True, False]
    summary = summarize_structures(toy_package, measured)
    assert summary["Parotid_L"] == {
        "n": 1, "not_drawn": 1, "dsc_mean": 0.0, "dsc_sd": None, "dsc_median": 0.0, "hd95_mm_mean": None,
        "hd95_mm_sd": None, "hd95_mm_median": None, "surface_dsc_mean": 0.0, "surface_dsc_sd": None,
        "surface_dsc_median": 0.0, "added_path_length_mm_mean": summary["Parotid_L"]["added_path_length_mm_mean"],
        "added_path_length_mm_sd": None,
        "added_path_length_mm_median": summary["Parotid_L"]["added_path_length_mm_median"],
    }  # fmt: skip


def test_the_card_of_a_package(patients, toy_package, painter, tmp_path):
    path, card = str(toy_package.path), tmp_path / "card.md"
    notes = tmp_path / "notes.md"
    notes.write_text("## Limits\n\n- Made up.")
    command = ["models", "card", path, "--data", str(patients), "-o", str(card), "--notes", str(notes)]
    assert main([*command, "--failures", "2"]) == 0
    text = card.read_text()
    assert "| Parotid_R | 2 | 0 | 1.000 ± 0.000 | **1.000**" in text
    assert "| Bone_Mandible | 2 | 2 | 0.000 ± 0.000 | **0.000**" in text
    assert text.endswith("## Limits\n\n- Made up.\n")
    assert len(read_measured(tmp_path / "card.json")) == 5
    assert len(list((tmp_path / "failure-cases").glob("*.png"))) == 2
    again = tmp_path / "again.md"
    rows = ["--rows", str(tmp_path / "card.json"), "--baseline", str(tmp_path / "card.json")]
    assert main(["models", "card", path, "--data", str(patients), "-o", str(again), *rows]) == 0
    assert "| Parotid_R | 2 | 1.000 | 1.000 | +0.0000 | 1.000 |" in again.read_text()


def test_the_card_can_be_recorded_in_the_package(patients, toy_package, painter, tmp_path):
    folder = tmp_path / "package"
    shutil.copytree(toy_package.path, folder)
    before = read_package(folder)
    command = ["models", "card", str(folder), "--data", str(patients), "-o", str(tmp_path / "card.md"), "--record"]
    assert main(command) == 0
    after = read_package(folder)
    assert after.metadata["validation"]["structures"]["Parotid_R"]["dsc_median"] == 1.0
    assert after.checksum != before.checksum
    assert {**after.metadata, "validation": None} == {**before.metadata, "validation": None}
    for path in before.path.glob("*.safetensors"):
        assert path.read_bytes() == (toy_package.path / path.name).read_bytes()


def test_measurements_survive_the_file(tmp_path):
    rows = [row("p0", "Heart", 0.5, ("AC-MD-107",)), row("p1", "Heart", 0.0)]
    write_measured(tmp_path / "rows.json", rows)
    assert read_measured(tmp_path / "rows.json") == rows
    (tmp_path / "other.json").write_text("{}x")
    with pytest.raises(UsageError, match="AC-QA-012"):
        read_measured(tmp_path / "other.json")


def test_power_of_a_finding_is_that_of_its_decision():
    raised, nothing = frozenset({"A"}), frozenset()
    rows = [(0.2, raised), (0.5, nothing), (0.7, nothing), (0.8, raised), (0.9, nothing)]
    power = compute_power(rows, "A")
    assert (power["structures"], power["bad"], power["raised"]) == (5, 2, 2)
    assert power["sensitivity"] == 0.5
    assert power["specificity"] == pytest.approx(2 / 3, abs=1e-3)
    assert power["auroc"] == pytest.approx((0.5 + 2 / 3) / 2, abs=1e-3)
    nothing_bad = compute_power([(0.9, frozenset())], "A")
    assert nothing_bad["sensitivity"] is None
    assert nothing_bad["auroc"] is None


def test_the_card_states_what_findings_are_worth(toy_package):
    rows = [row(f"p{n}", "Parotid_R", 0.3 + 0.1 * n, ("AC-MD-107",) if n < 2 else ()) for n in range(6)]
    text = write_card(toy_package, rows, "validation")
    assert "| AC-MD-107 | split `validation` | 6 | 3 | 2 | 0.67 | 1.00 | 0.83 | yes |" in text


def test_the_card_states_the_networks_of_an_ensemble(toy_package):
    members = (Member("toy 1.0"), Member("toy 1.1", {"Parotid_L": 0.0}))
    stages = {role: replace(stage, members=members) for role, stage in toy_package.stages.items()}
    card = write_card(replace(toy_package, stages=stages), [], "validation")
    assert "averaged: toy 1.0\n" in card
    assert "averaged: toy 1.1; weight in the mean 1, but Parotid_L 0" in card


def test_the_card_states_what_a_smaller_package_learnt_from(toy_package):
    entry = {"from": "toy 3 (abc)", "cases": ["1", "2"], "teacher_share": 0.7, "width": 0.5}
    training = {"distilled": [entry], "begun_with": "network 2 of toy 3 (abc)"}
    card = write_card(replace(toy_package, metadata={**toy_package.metadata, "training": training}), [], "validation")
    assert "Started from: network 2 of toy 3 (abc). Learnt from the probabilities of toy 3 (abc) (weight 0.7)" in card
    assert "the labels of 2 patients, with 0.5 of the channels." in card


def test_comparison_is_paired_by_patient():
    before = [row(f"p{n}", "Parotid_R", 0.5 + 0.01 * n) for n in range(8)]
    now = [row(f"p{n}", "Parotid_R", 0.6 + 0.011 * n) for n in reversed(range(8))]
    assert "| Parotid_R | 8 | 0.535 | 0.639 | +0.1035 | 0.008 |" in compare_with(now, before, ["Parotid_R"])


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A package of a published model that nobody has tested or measured."""
    from autocontour.models.package.importers import checkpoint as reading
    from autocontour.models.package.importers import nnunet
    from autocontour.models.package.importers.writing import write_imported
    from tests.models import tiny_nnunet as tiny

    def read(path):
        folder = tmp_path / "read"
        folder.mkdir(exist_ok=True)
        facts = reading._convert(path, folder)
        return reading.Checkpoint(reading.parse_weights(path.name, (folder / reading.WEIGHTS_FILE).read_bytes()), facts)

    monkeypatch.setattr(nnunet, "read_checkpoint", read)
    labels = {"background": 0, **{name: value for value, name in enumerate(STRUCTURES, 1)}}
    stated = {"description": "Necks", "reference": "A. Author 2025", "numTraining": 12, "licence": "CC BY 4.0"}
    described = tiny.dataset(labels, **stated)
    imported = nnunet.import_nnunet(tiny.write(tmp_path / "model", described=described), orientation="LPS")
    package, _ = write_imported(imported, tmp_path / "package", name="necks")
    return package


def test_the_card_of_a_published_model_says_what_is_known(published, tmp_path):
    card = tmp_path / "card.md"
    assert main(["models", "card", str(published.path), "-o", str(card)]) == 0
    text = card.read_text()
    assert "**Nothing measured here yet.**" in text
    assert "Necks" in text
    assert "**Licence of the weights**: CC BY 4.0. **Data**: 12 training cases" in text
    assert "References: A. Author 2025" in text
    assert "**Figures that its source states** (not measured here): none." in text
    assert "**Orientation**: LPS, **not tested**: it cannot be installed." in text
    assert "nnUNetTrainer" in text
    assert f"`plans.json` {published.procedure.source['files']['plans.json']}" in text
    assert "No profile was compared" in text
    assert not card.with_suffix(".json").exists()


def test_the_card_of_a_published_model_that_was_tested_and_measured(published, patients, painter, tmp_path):
    from autocontour.models.inference.published.profiles import Comparison, record
    from autocontour.models.package.package import rewrite_metadata
    from autocontour.models.package.procedure import SidesCheck

    sides = SidesCheck("0" * 64, ("Parotid_L left of Parotid_R",), "2026-01-02T03:04:05+00:00", "person", by="Dr. Kim")
    package = record(published, sides, {"fast": Comparison(12.0, {"Parotid_R": 0.98}, "CPU")}, "fast")
    package = rewrite_metadata(package, {**package.metadata, "published_figures": {"mean_dice": 0.91}})
    assert package.measured_names == frozenset()
    command = ["models", "validate", str(package.path), "--data", str(patients), "--record"]
    assert main(command) == 0
    after = read_package(package.path)
    assert after.measured_names == set(STRUCTURES)
    assert after.metadata["validation"]["patients"] == 2
    text = write_card(after, [row("p0", "Parotid_R", 0.9)], "validation")
    assert "tested on 2026-01-02 confirmed by Dr. Kim (Parotid_L left of Parotid_R)" in text
    assert "mean_dice 0.91" in text
    assert "| fast | 12 | 0.9800 | 0.9800 |" in text
    assert "| Parotid_R | 1 |" in text


def test_warning_of_a_model_that_was_not_measured_is_no_finding_of_the_measurement(patients, toy_package, monkeypatch):
    from autocontour.base.findings import Finding
    from autocontour.contouring import contours_from_mask
    from autocontour.models import Segmentation
    from autocontour.patient.structures import Drawing
    from autocontour.qa.commissioning import measure

    def segment(ct, package, names, **_):
        mask = np.zeros(ct.hu.shape, bool)
        mask[4:10, 8:14, 6:10] = True
        unmeasured = Finding.of("AC-MD-134", "Parotid_R", package="toy", structure="Parotid_R")
        return Segmentation({"Parotid_R": Drawing(contours_from_mask(mask, ct.geometry), (unmeasured,))})

    monkeypatch.setattr(measure, "segment_structures", segment)
    rows = measure.measure_package(toy_package, patients, "validation")
    assert all("AC-MD-134" not in one.findings for one in rows)


def test_a_fault_of_the_program_is_no_unreadable_patient(patients, toy_package, monkeypatch):
    monkeypatch.setattr(cohort, "read_patient", lambda folder: folder)
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        list(read_cases(patients, "validation", toy_package))
