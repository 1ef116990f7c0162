"""The gate: equal candidates pass, planted faults do not, and a record cannot be changed afterwards."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocontour.base.errors import UsageError
from autocontour.cli import main
from autocontour.qa.commissioning import MeasuredStructure
from autocontour.qa.commissioning.gate import GateRecord, judge_site, read_limits, read_record, write_record
from autocontour.qa.commissioning.gate import run as gate_run
from autocontour.qa.commissioning.gate.judge import judge_drawn
from autocontour.qa.commissioning.gate.record import FORMAT
from autocontour.qa.intervals import bootstrap_lower_bound
from autocontour.qa.metrics import PairMetrics

LIMITS = replace(read_limits(), resamples=2000)
ORGANS = ("Parotid_L", "Parotid_R", "Brainstem")


def measured(patient, structure, dsc, surface_dsc=None):
    volume = 0.0 if dsc == 0 else 25.0
    surface = dsc if surface_dsc is None else surface_dsc
    return MeasuredStructure(str(patient), structure, PairMetrics(dsc, surface, 3, 4, 8, 1, 100, 25, volume, 0, 1))


def package(shift=lambda _structure, _patient: 0.0, n=20, spread=0.04, seed=0):
    """Return measurements of a package whose DSC varies by patient, and a little by package."""
    patients = np.random.default_rng(7).uniform(0.65, 0.9, n)
    rng = np.random.default_rng(seed)
    rows = []
    for structure in ORGANS:
        for patient, level in enumerate(patients):
            value = level + rng.normal(0, spread / 2) + shift(structure, patient)
            rows.append(measured(patient, structure, float(np.clip(value, 0, 1))))
    return rows


def codes(judged):
    return {(one.structure, problem.code) for one in judged for problem in one.problems}


@pytest.mark.parametrize("seed", range(10))
def test_a_candidate_that_differs_by_chance_alone_passes(seed):
    assert codes(judge_site("s", package(), package(seed=seed + 1), LIMITS)) == set()


def test_the_same_measurements_have_no_loss():
    for one in judge_site("s", package(), package(), LIMITS):
        assert one.dsc.lower_bound == 0
        assert one.worst_before == one.worst_after


def test_one_worse_structure_is_named_and_the_others_are_not():
    worse = package(lambda structure, _: -0.1 if structure == "Brainstem" else 0.0, seed=3)
    found = codes(judge_site("s", package(), worse, LIMITS))
    assert {structure for structure, _ in found} == {"Brainstem"}
    assert ("Brainstem", "AC-QA-034") in found


def test_a_few_bad_cases_do_not_hide_in_a_better_mean():
    mixed = package(lambda _, patient: -0.5 if patient < 3 else 0.12, seed=3)
    judged = judge_site("s", package(), mixed, LIMITS)
    assert all(one.dsc.after > one.dsc.before for one in judged)
    assert {code for _, code in codes(judged)} >= {"AC-QA-035"}


def test_lost_contours_are_a_problem_even_with_the_same_mean():
    def lose(structure, patient):
        return -1.0 if structure == "Parotid_L" and patient in (0, 1) else 0.08

    assert ("Parotid_L", "AC-QA-036") in codes(judge_site("s", package(), package(lose), LIMITS))


def test_a_structure_the_candidate_does_not_have_is_a_problem():
    without = [row for row in package() if row.structure != "Parotid_R"]
    assert codes(judge_site("s", package(), without, LIMITS)) == {("Parotid_R", "AC-QA-037")}


def test_too_few_patients_do_not_pass():
    assert {code for _, code in codes(judge_site("s", package(n=5), package(n=5), LIMITS))} == {"AC-QA-033"}


def test_other_patients_are_refused():
    with pytest.raises(UsageError, match="AC-QA-031"):
        judge_site("s", package(n=20), package(n=19), LIMITS)


def test_distances_without_a_value_count_as_the_worst():
    nothing = [measured(row.patient, row.structure, row.metrics.dsc, float("nan")) for row in package()]
    assert codes(judge_site("s", package(), nothing, LIMITS)) == {(organ, "AC-QA-034") for organ in ORGANS}


@given(st.floats(-0.2, 0.2), st.integers(8, 60), st.integers(0, 100))
def test_the_lower_bound_moves_with_the_differences_and_lies_below_their_mean(shift, n, seed):
    differences = np.random.default_rng(seed).normal(0, 0.05, n)
    bound = bootstrap_lower_bound(differences, 0.95, 500, 1)
    assert bound <= differences.mean() + 1e-12
    assert bootstrap_lower_bound(differences + shift, 0.95, 500, 1) == pytest.approx(bound + shift)


def test_the_bound_agrees_with_the_normal_approximation():
    differences = np.random.default_rng(5).normal(0.01, 0.04, 400)
    expected = differences.mean() - 1.645 * differences.std(ddof=1) / 20
    assert bootstrap_lower_bound(differences, 0.95, 10_000, 1) == pytest.approx(expected, abs=3e-4)


@pytest.mark.parametrize("n", [12, 40])
def test_the_power_is_the_share_of_equal_candidates_that_pass(n):
    rng, margin, sd = np.random.default_rng(3), 0.03, 0.07
    limits = replace(LIMITS, resamples=300, default=replace(LIMITS.default, dsc_margin=margin))
    judged = []
    for _ in range(200):
        before = [measured(k, "Brainstem", 0.6) for k in range(n)]
        after = [measured(k, "Brainstem", 0.6 + value, 0.6) for k, value in enumerate(rng.normal(0, sd, n))]
        judged.append(judge_site("s", before, after, limits)[0])
    passed = np.mean([one.dsc.lower_bound > -margin for one in judged])
    assert passed == pytest.approx(np.mean([one.dsc.power for one in judged]), abs=0.1)
    assert np.median([one.dsc.needed for one in judged]) == pytest.approx((2.926 * sd / margin) ** 2, rel=0.1)
    assert judged[0].surface_dsc.power == 1


def test_the_power_of_few_patients_is_unknown():
    """Row: one patient has no deviation, and the power came out as 1."""
    few = [row for row in package(n=20) if int(row.patient) < 7]
    assert all(one.dsc.power is one.surface_dsc.needed is None for one in judge_site("s", few, few, LIMITS))
    assert all(one.dsc.power == 1 for one in judge_site("s", package(), package(), LIMITS))
    exact = replace(LIMITS.default, dsc_margin=0.0)
    limits = replace(LIMITS, default=exact, structures={})
    assert [one.dsc.needed for one in judge_site("s", package(), package(seed=3), limits)] == [None] * 3


def test_a_refusal_states_how_many_patients_would_be_enough(frozen, toy_package, tmp_path, capsys):
    """Row: a refusal for want of patients that reads as if the candidate were worse."""
    candidate = packaged(toy_package, tmp_path, "worse", ["f" * 64])
    command = ["models", "gate", str(candidate), "--against", str(toy_package.path), "--data", str(tmp_path)]
    limits = tmp_path / "limits.toml"
    limits.write_text(
        "[default]\ndsc_margin = 0.001\nsurface_dsc_margin = 0.001\nworst_margin = 0.2\nsource = 'trial'\n"
    )
    assert main([*command, "--limits", str(limits)]) == 1
    assert "AC-QA-049: Parotid_L: with 10 patients" in capsys.readouterr().out


@pytest.fixture
def record():
    package = {"name": "toy", "version": "2", "checksum": "a" * 64}
    return GateRecord({"format": FORMAT, "candidate": package, "against": package, "passed": False, "judgements": []})


def test_a_record_is_read_as_it_was_written(record, tmp_path):
    write_record(tmp_path / "r.json", record)
    assert read_record(tmp_path / "r.json") == record


@pytest.mark.parametrize("change", [{"passed": True}, {"seal": "0" * 64}, {"format": "other"}, {"candidate": {}}])
def test_a_changed_record_is_refused(record, tmp_path, change):
    path = tmp_path / "r.json"
    write_record(path, record)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UsageError, match="AC-QA-038"):
        read_record(path)


def test_every_margin_states_its_source():
    limits = read_limits()
    for one in (limits.default, *limits.structures.values()):
        assert len(one.source) > 40


def test_limits_with_a_typing_error_are_refused(tmp_path):
    path = tmp_path / "limits.toml"
    path.write_text('confidence = 1.5\n[default]\ndsc_margin = "x"\nsurface_dsc_margin = 0\nworst_margin = 0\n')
    with pytest.raises(UsageError, match="AC-QA-030") as refusal:
        read_limits(path)
    assert "dsc_margin" in str(refusal.value)
    assert "confidence" in str(refusal.value)


@pytest.fixture
def frozen(toy_package, monkeypatch):
    """Ten frozen patients, the package in use and a candidate that states whom it was trained on."""
    from autocontour.patient.geometry import VolumeGeometry
    from autocontour.patient.volume import CTVolume
    from autocontour.qa.commissioning.cohort import CohortCase
    from autocontour.qa.commissioning.measure import CaseResult

    names = list(toy_package.structures)
    cases = []
    for number in range(10):
        hu = np.full((12, 20, 20), number, np.int16)
        mask = np.zeros(hu.shape, bool)
        mask[3:9, 5:15, 5 : 12 + number % 3] = True
        ct = CTVolume(hu, VolumeGeometry.regular(hu.shape, (3.0, 2.0, 2.0)))
        references = dict.fromkeys(names, mask)
        cases.append(CohortCase(f"p{number}", ct, references, np.ones(12, bool), dict.fromkeys(names, 1.0)))
    monkeypatch.setattr(gate_run, "list_patients", lambda *_: ({}, [{}] * len(cases)))
    monkeypatch.setattr(gate_run, "read_cases", lambda *_: iter(cases))

    def draw(case, package, _device):
        masks = {name: mask.copy() for name, mask in case.references.items()}
        if package.version == "worse":
            masks[names[1]][:6] = False
        return CaseResult(masks, {}, 0.1)

    monkeypatch.setattr(gate_run, "run_case", draw)
    return cases


def packaged(package, folder, version, fingerprints):
    from autocontour.models import write_package

    metadata = {**package.metadata, "version": version, "training": {"fingerprints": fingerprints}}
    weights = {role: package.read_weights(role) for role in package.stages}
    return write_package(folder / version, metadata, weights).path


def test_the_command_refuses_a_worse_candidate_and_passes_an_equal_one(frozen, toy_package, tmp_path, capsys):
    record = tmp_path / "record.json"
    for version, code, words in (("equal", 0, "Passed"), ("worse", 1, "Not passed")):
        candidate = packaged(toy_package, tmp_path, version, ["f" * 64])
        command = ["models", "gate", str(candidate), "--against", str(toy_package.path)]
        assert main([*command, "--data", f"clinic={tmp_path}:test", "-o", str(record)]) == code
        shown = capsys.readouterr().out
        assert words in shown
        assert "clinic" in shown
        assert read_record(record).passed is (code == 0)
    assert "Parotid_L" in shown
    assert main([*command, "--data", str(tmp_path), "--json"]) == 1
    content = json.loads(capsys.readouterr().out)
    assert content["sites"][0]["split"] == "validation"
    assert {row["structure"] for row in content["judgements"] if row["problems"]} == {"Parotid_L"}


def test_an_organ_without_a_reference_in_any_patient_does_not_pass(frozen, toy_package, tmp_path, capsys):
    """It was not judged at all: a candidate that had lost it passed."""
    names = list(toy_package.structures)
    for k, case in enumerate(frozen):
        kept = {name: mask for name, mask in case.references.items() if name != names[1]}
        frozen[k] = replace(case, references=kept)
    candidate = packaged(toy_package, tmp_path, "equal", ["f" * 64])
    command = ["models", "gate", str(candidate), "--against", str(toy_package.path), "--data", str(tmp_path), "--json"]
    assert main(command) == 1
    content = json.loads(capsys.readouterr().out)
    found = {(row["structure"], one["code"]) for row in content["judgements"] for one in row["problems"]}
    assert found == {(names[1], "AC-QA-033")}
    assert main(command[:-1]) == 1
    assert f"{names[1]} has a reference in only 0 patients" in capsys.readouterr().out


def test_an_organ_that_the_candidate_no_longer_draws_by_default_does_not_pass(frozen, toy_package, tmp_path, capsys):
    from autocontour.models import write_package

    metadata = json.loads(json.dumps({**toy_package.metadata, "version": "quiet"}))
    name = metadata["structures"][0]["name"]
    metadata["structures"][0]["drawn"] = False
    metadata["training"] = {"fingerprints": ["f" * 64]}
    weights = {role: toy_package.read_weights(role) for role in toy_package.stages}
    candidate = write_package(tmp_path / "quiet", metadata, weights)
    command = ["models", "gate", str(candidate.path), "--against", str(toy_package.path), "--data", str(tmp_path)]
    assert main(command) == 1
    assert f"AC-QA-050: The candidate does not draw {name} by default" in capsys.readouterr().out


def test_what_no_measurement_shows_is_judged_for_structures_drawn_by_default():
    judged = judge_drawn(("A", "B", "C", "D"), ("A", "B"), ("A",), {"A", "B", "D"}, LIMITS)
    assert codes(judged) == {("B", "AC-QA-050"), ("C", "AC-QA-033"), ("C", "AC-QA-037")}
    assert judge_drawn(("A",), ("A",), ("A",), {"A"}, LIMITS) == []


def test_a_test_patient_of_the_training_and_a_silent_candidate_are_refused(
    frozen, toy_package, tmp_path, capsys, monkeypatch
):
    from autocontour.models.data.fingerprint import ct_fingerprint

    seen = ct_fingerprint(frozen[4].ct.hu, frozen[4].ct.geometry.spacing_zyx_mm)
    leaking = packaged(toy_package, tmp_path, "leaking", [seen])
    monkeypatch.setattr(gate_run, "run_case", None)  # nothing is contoured
    for candidate, code in ((leaking, "AC-QA-040"), (toy_package.path, "AC-QA-039")):
        command = ["models", "gate", str(candidate), "--against", str(toy_package.path), "--data", str(tmp_path)]
        assert main(command) != 0
        assert code in capsys.readouterr().err


def test_a_patient_who_is_twice_in_the_test_is_refused(frozen, toy_package, tmp_path, capsys):
    """Row: a copied patient narrows the interval of the differences."""
    frozen.append(replace(frozen[2], patient="copy"))
    candidate = packaged(toy_package, tmp_path, "equal", ["f" * 64])
    assert main(["models", "gate", str(candidate), "--against", str(toy_package.path), "--data", str(tmp_path)]) != 0
    shown = capsys.readouterr().err
    assert "AC-QA-047" in shown
    assert "p2" in shown


@pytest.mark.parametrize("later", [slice(None, None, -1), slice(9), slice(None)], ids=["other", "fewer", "more"])
def test_test_data_that_change_during_the_gate_are_refused(later, frozen, toy_package, tmp_path, capsys, monkeypatch):
    """Row: a patient exchanged for one of the training after the check."""
    batches = iter([frozen[1:] if later == slice(None) else frozen, frozen[later]])
    monkeypatch.setattr(gate_run, "read_cases", lambda *_: iter(next(batches)))
    candidate = packaged(toy_package, tmp_path, "equal", ["f" * 64])
    assert main(["models", "gate", str(candidate), "--against", str(toy_package.path), "--data", str(tmp_path)]) != 0
    assert "AC-QA-048" in capsys.readouterr().err
