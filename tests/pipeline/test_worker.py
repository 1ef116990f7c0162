"""Contouring in a process of its own, watched by a script."""

import os
import signal
import sys

import pytest

from autocontour.base.errors import ModelError
from autocontour.patient.volume import CTVolume
from autocontour.phantom import build_phantom
from autocontour.pipeline.worker import Advanced, ContourProcess, Done, Drawn, Failed, Order


@pytest.fixture(scope="module")
def ct():
    phantom = build_phantom("thorax", 1, spacing_zyx_mm=(6.0, 4.0, 4.0), shape_zyx=(40, 120, 120))
    return CTVolume(phantom.hu, phantom.geometry)


def test_a_script_gets_every_structure_and_the_end(ct):
    process = ContourProcess(ct, Order(names=("Lung_L", "Larynx")))
    events = list(process.events())
    assert [event.structure.name for event in events if isinstance(event, Drawn)] == ["Lung_L"]
    assert all(0 <= event.fraction <= 1 for event in events if isinstance(event, Advanced))
    assert isinstance(events[-1], Done)
    assert {finding.where for finding in events[-1].findings} >= {"Larynx"}
    assert not process.is_running


def test_what_stands_in_the_way_comes_as_the_error_it_is(ct):
    *_, last = ContourProcess(ct, Order(package_name="none such")).events()
    assert isinstance(last, Failed)
    assert (type(last.error), last.error.code) == (ModelError, "AC-MD-017")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows kills differently")
def test_a_killed_process_is_a_failure_with_a_code(ct):
    process = ContourProcess(ct, Order())
    process.start()
    os.kill(process.process_id, signal.SIGKILL)
    events = []
    while process.is_running:
        events += process.poll(1.0)
    assert isinstance(events[-1], Failed)
    assert events[-1].error.code == "AC-PL-010"


def test_it_can_be_left_at_any_time(ct):
    for event in ContourProcess(ct, Order()).events():
        assert isinstance(event, Advanced | Drawn)
        break


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX processes")
def test_a_process_that_ends_before_it_reads_the_ct_is_a_failure_with_a_code(ct, monkeypatch):
    """Its import fails, such as that of a script without ``if __name__ == "__main__"``, or it has no memory."""
    process = ContourProcess(ct, Order())
    monkeypatch.setattr(process._process, "_target", _Unreadable())
    *_, last = process.events()
    assert isinstance(last, Failed)
    assert last.error.code == "AC-PL-010"


class _Unreadable:
    """An object that ends the process that unpickles it."""

    def __reduce__(self):
        return exec, ("import os; os._exit(3)",)  # `os._exit` itself is another function while coverage is measured
