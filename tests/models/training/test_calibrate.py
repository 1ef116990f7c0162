"""Thresholds and limits from patients kept out of the training, and findings without power."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autocontour.base.findings import Severity
from autocontour.models.inference.plausibility import Measure, check_measures, predictors_of
from autocontour.models.package.description import Uncertainty
from autocontour.models.training import calibrate as calibration
from autocontour.models.training.calibrate import Graded, calibrate_uncertainty, choose_thresholds, grade_findings
from autocontour.models.training.metadata import describe_package
from tests.models.toy_patients import STRUCTURES


@pytest.fixture
def package(toy):
    return describe_package(toy[0], Path())


def patient(quality, dsc, name="Brainstem", **changes):
    measure = Measure(10.0, (0, 0, 0), expected_dsc=quality, border_confidence=quality, localized_cc=10.0)
    return Graded({name: replace(measure, **changes)}, {name: dsc})


def test_the_threshold_is_the_one_with_the_best_mean_dsc(package, monkeypatch):
    rows = {0.3: 0.5, 0.35: 0.6, 0.4: 0.7, 0.45: 0.70, 0.5: 0.699, 0.55: 0.6, 0.6: 0.5, 0.65: 0.4, 0.7: 0.3}
    column = np.array(list(rows.values()))
    table = np.stack([column, np.full(9, np.nan), column[::-1]], axis=1)
    monkeypatch.setattr(calibration, "open_runner", lambda *_: None)
    monkeypatch.setattr(calibration, "dice_by_threshold", lambda *_: table)
    from autocontour.base.jobs import Job

    chosen = choose_thresholds(package, [None, None], Job())
    assert chosen["Brainstem"] == {"threshold": 0.5, "validation_mean": 0.699, "validation_median": 0.699}
    assert chosen["Parotid_R"] == {"threshold": 0.5}
    assert chosen["Parotid_L"]["threshold"] == 0.5


def test_a_clearly_better_threshold_is_taken(package, monkeypatch):
    from autocontour.base.jobs import Job

    table = np.repeat(np.linspace(0.8, 0.4, 9)[:, None], 3, axis=1)
    monkeypatch.setattr(calibration, "open_runner", lambda *_: None)
    monkeypatch.setattr(calibration, "dice_by_threshold", lambda *_: table)
    assert choose_thresholds(package, [None], Job())["Brainstem"]["threshold"] == 0.3


def test_about_the_stated_share_counts_as_uncertain():
    rng = np.random.default_rng(0)
    graded = [patient(quality, 0.8) for quality in rng.normal(0.9, 0.02, 200)]
    limits = calibrate_uncertainty(graded)
    scores = [limits.score(predictors_of(one.measures["Brainstem"])) for one in graded]
    assert np.mean(np.array(scores) > limits.limit) == pytest.approx(0.15, abs=0.01)


def test_a_few_patients_give_no_limits():
    assert calibrate_uncertainty([patient(0.9, 0.8)] * 9) is None


def test_without_a_localizer_the_others_decide():
    graded = [patient(quality, 0.8, localized_cc=None) for quality in np.linspace(0.8, 0.9, 20)]
    limits = calibrate_uncertainty(graded)
    assert set(limits.predictors) == {"expected_dsc", "border_confidence"}


def test_a_finding_without_power_is_not_shown_and_one_with_power_is(package):
    """Silent fault: no finding predicted a bad organ (AUROC 0.53), and all were shown as warnings."""
    rng = np.random.default_rng(1)
    good = [patient(rng.normal(0.9, 0.01), 0.85, at_end=bool(n % 2)) for n in range(60)]
    bad = [patient(rng.normal(0.8, 0.01), 0.3, at_end=bool(n % 2)) for n in range(8)]
    findings = grade_findings(package, [*good, *bad])
    assert findings["AC-MD-107"]["shown"]
    assert findings["AC-MD-107"]["sensitivity"] > 0.8
    assert not findings["AC-MD-102"]["shown"]
    assert findings["AC-MD-102"]["auroc"] == pytest.approx(0.5, abs=0.05)


def test_limits_do_not_know_the_patient_they_are_judged_on(package):
    """Of patients that all differ, each is judged by limits of the others."""
    graded = [patient(0.9 - 0.001 * n, 0.8) for n in range(50)]
    outlier = patient(0.2, 0.1)
    findings = grade_findings(package, [*graded, outlier])
    assert findings["AC-MD-107"]["sensitivity"] == 1.0


def test_power_that_cannot_be_measured_hides_nothing(package):
    findings = grade_findings(package, [patient(0.9, 0.8)] * 12)
    assert findings["AC-MD-107"]["auroc"] is None
    assert all(entry["shown"] for entry in findings.values())


def test_findings_without_power_stay_in_the_record(package):
    limits = Uncertainty({"expected_dsc": (0.9, 0.01)}, 1.0)
    measure = Measure(10.0, (0, 0, 0), at_end=True, expected_dsc=0.8)
    for quiet, severity in ((frozenset(), Severity.WARN), (frozenset({"AC-MD-102"}), Severity.INFO)):
        judged = replace(package, uncertainty=limits, quiet_findings=quiet)
        found = {f.code: f.severity for f in check_measures(judged, {"Brainstem": measure})["Brainstem"]}
        assert found == {"AC-MD-102": severity, "AC-MD-107": Severity.WARN}


def test_running_out_of_the_scan_is_usual_for_what_is_elongated(package):
    rules = replace(package.structures["Brainstem"].rules, elongated=True)
    structures = {**package.structures, "Brainstem": replace(package.structures["Brainstem"], rules=rules)}
    measure = Measure(10.0, (0, 0, 0), at_end=True)
    (finding,) = check_measures(replace(package, structures=structures), {"Brainstem": measure})["Brainstem"]
    assert (finding.code, finding.severity) == ("AC-MD-102", Severity.INFO)


def test_structures_of_the_toy_are_in_the_order_of_the_outputs(package):
    assert list(package.structures) == STRUCTURES
