"""Tasks beside the window keep nothing of what they computed with: it may be whole scans."""

import gc
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject
from PySide6.QtTest import QTest

from autocontour.gui.state.tasks import Task
from autocontour.gui.views.volume import Tissue
from autocontour.patient.volume import CTVolume
from tests.gui.conftest import small_ct


class Large:
    """What must not be kept."""


def test_neither_the_function_nor_the_result_of_a_task_is_kept(window, qtbot):
    taken, given = Large(), []
    inside, outside = weakref.ref(taken), []

    def compute(_, taken=taken):
        result = Large()
        outside.append(weakref.ref(result))
        return result if taken else None

    task = Task(compute, window)
    task.done.connect(lambda _: given.append(True))
    task.start()
    del taken, compute
    qtbot.waitUntil(lambda: bool(given))
    assert not task.is_running
    assert task.wait(0)
    QTest.qWait(20)
    gc.collect()
    assert inside() is None
    assert outside[0]() is None


def test_a_task_that_failed_keeps_nothing_either(window, qtbot):
    taken, failed = Large(), []
    inside = weakref.ref(taken)

    def compute(_, taken=taken):
        raise ValueError(str(taken))

    task = Task(compute, window)
    task.failed.connect(failed.append)
    task.start()
    del taken, compute
    qtbot.waitUntil(lambda: bool(failed))
    failed.clear()
    QTest.qWait(20)
    gc.collect()
    assert inside() is None


class Watched:
    """Notes in which thread it was destroyed."""

    def __init__(self, threads):
        self.threads = threads

    def __del__(self):
        self.threads.append(threading.current_thread())


@pytest.mark.parametrize("is_closed", [False, True])
def test_what_a_task_holds_is_destroyed_in_the_windows_thread(qtbot, is_closed):
    """A Qt object that was destroyed in a reading thread left its timers, and the program crashed."""
    threads, begun, end = [], threading.Event(), threading.Event()
    parent = QObject()

    def computation():
        held = Watched(threads)
        return lambda _: begun.set() or (end.wait(10) and held and None)

    task = Task(computation(), parent)
    task.start()
    assert begun.wait(10)
    if is_closed:
        del task
        parent.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    end.set()
    qtbot.waitUntil(lambda: bool(threads), timeout=10_000)
    assert threads == [threading.main_thread()]


def test_a_scan_that_was_closed_is_let_go(window, qtbot):
    scans = []
    for _ in range(4):
        ct = small_ct()
        scans.append(weakref.ref(ct))
        window.show_ct(ct)
        del ct
        window.views.surfaces.show_tissue(Tissue.BONE)
        qtbot.waitUntil(lambda: not window.views.surfaces.is_meshing, timeout=20_000)
        window.workspace.close()
    QTest.qWait(500)
    gc.collect()
    assert sum(scan() is not None for scan in scans) <= 1


def test_garbage_is_collected_on_the_windows_thread_in_every_window_that_starts_a_task():
    """A blind review has no main window; a reading thread that collected its timers crashed the program."""
    script = """
import gc
from PySide6.QtCore import QCoreApplication
from autocontour.gui.state.tasks import Task
app = QCoreApplication([])
assert gc.isenabled()
Task(lambda job: None).start()
assert not gc.isenabled()
"""
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 0


def test_a_computation_that_ends_because_another_scan_is_opened_is_named(opened):
    """A margin that was asked for is not made: without a message it would only be missing."""
    may_end, applied = threading.Event(), []
    opened.workspace.background.run("Margin", (1,), lambda _: may_end.wait(20), applied.append)
    assert opened.workspace.background.is_running
    first = opened.workspace.ct
    other = CTVolume(first.hu + np.int16(1), first.geometry)
    opened.show_ct(other)
    may_end.set()
    assert opened.workspace.ct is other
    assert "Margin was stopped" in opened.toast.text()
    QTest.qWait(50)
    assert applied == []
