"""A published package tested on a CT, in this process and in a child process."""

from __future__ import annotations

import numpy as np
import pytest

from autocontour.base.errors import ModelError
from autocontour.contouring import contours_from_mask
from autocontour.models.inference.plausibility import Measure
from autocontour.models.inference.published import profiles, sides
from autocontour.models.inference.published.segment import Drawn
from autocontour.models.package.importers import checkpoint as reading
from autocontour.models.package.importers import nnunet
from autocontour.models.package.importers.nnunet import import_nnunet
from autocontour.models.package.importers.writing import write_imported
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Drawing
from autocontour.patient.volume import CTVolume
from autocontour.pipeline import trial
from autocontour.pipeline.trial import TrialOrder, TrialProcess, Tried, picture_of, run_trial
from autocontour.pipeline.worker import Failed
from tests.models import tiny_nnunet as tiny

pytest.importorskip("torch")


def paint():
    hu = np.full((16, 40, 48), -1000, np.int16)
    hu[:, 6:34, 6:42] = 20
    return CTVolume(hu, VolumeGeometry.regular(hu.shape, (5.0, 5.0, 5.0)))


@pytest.fixture
def package(tmp_path, monkeypatch):
    def read(path):
        folder = tmp_path / "read"
        folder.mkdir(exist_ok=True)
        facts = reading._convert(path, folder)
        return reading.Checkpoint(reading.parse_weights(path.name, (folder / reading.WEIGHTS_FILE).read_bytes()), facts)

    monkeypatch.setattr(nnunet, "read_checkpoint", read)
    imported = import_nnunet(tiny.write(tmp_path / "model"), orientation="LPS")
    return write_imported(imported, tmp_path / "package")[0]


@pytest.fixture
def drawer(monkeypatch):
    """Put a network in place that draws the liver on a side."""

    def install(x):
        ct = paint()
        mask = np.zeros(ct.hu.shape, bool)
        mask[4:10, 12:24, x : x + 8] = True
        drawing = Drawing(contours_from_mask(mask, ct.geometry))
        measure = Measure(400.0, (40.0, 90.0, 5.0 * (x + 4)))
        drawn = Drawn({"Liver": drawing}, {"Liver": measure}, "CPU oracle")
        monkeypatch.setattr(sides, "draw_published", lambda *_, **__: drawn)
        monkeypatch.setattr(profiles, "draw_published", lambda *_, **__: drawn)

    return install


class Sender:
    def __init__(self):
        self.sent = []

    def send(self, event):
        self.sent.append(event)

    def close(self):
        pass


def test_trial_measures_a_profile_after_a_passed_test(package, drawer):
    drawer(10)
    sender = Sender()
    trial._try(sender, paint(), TrialOrder(package.path, ("fast",)))
    tried = sender.sent[-1]
    assert isinstance(tried, Tried)
    assert tried.sides.is_proven
    assert [one.what for one in tried.sides.verdicts] == ["Liver on the right"]
    assert tried.measured["fast"].dsc == {"Liver": 1.0}


def test_trial_that_fails_measures_nothing(package, drawer):
    drawer(30)
    tried = run_trial(paint(), TrialOrder(package.path, ("fast",)), trial.SendingJob(Sender()))
    assert tried.sides.wrong == ["Liver on the right"]
    assert tried.measured == {}
    with pytest.raises(ModelError, match="AC-MD-081"):
        tried.sides.check("Dr. Kim")


def test_errors_are_sent(package, monkeypatch, tmp_path):
    sender = Sender()
    trial._try(sender, paint(), TrialOrder(tmp_path / "nothing"))
    assert isinstance(sender.sent[-1], Failed)
    monkeypatch.setattr(trial, "run_trial", lambda *_: 1 / 0)
    trial._try(sender, paint(), TrialOrder(package.path))
    assert sender.sent[-1].error.code == "AC-PL-011"


def test_picture_shows_what_was_drawn(package, drawer):
    drawer(10)
    tried = run_trial(paint(), TrialOrder(package.path), trial.SendingJob(Sender()))
    assert picture_of(tried.sides.drawings, paint(), "tiny").startswith(b"\x89PNG")


def test_trial_in_a_process_of_its_own(package):
    """Random weights prove nothing; what comes back is the test with its contours."""
    events = list(TrialProcess(paint(), TrialOrder(package.path, device="cpu")).events())
    tried = events[-1]
    assert isinstance(tried, Tried), tried
    assert tried.sides.package.name == package.name
    assert len(tried.sides.ct) == 64
