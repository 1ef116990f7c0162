"""Performance of the viewer: start, scrolling, brush, 3D, memory.

Run on a screen: ``xvfb-run -a -s "-screen 0 3840x2160x24" python benchmarks/viewer.py [--ct CT_FOLDER] [--opening]``.
The case has 512 × 512 × 150 voxels and 30 structures. With the folder of a real CT it also measures opening that,
compared with reading it headless; with ``--opening`` nothing else. As wall time depends on other load, the processor
time is given as well.

``--frames`` measures only a scrolled frame, at 1600 × 1000 and at 3840 × 2160, with every renderer;
``--frames --before CHECKOUT`` does so in turns with the code of another checkout, and prints the ratio.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEvent, QEventLoop, QObject, QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from shapely import MultiPolygon, Polygon

from autocontour.base.jobs import Job
from autocontour.case import Edit
from autocontour.case.actions import adopted
from autocontour.case.export import ExportOptions, check_case
from autocontour.contouring import margin_contours
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.dicom.series import write_ct_series
from autocontour.edits import brushed, pushed, swept_disc
from autocontour.gui.app.exporting import write_request
from autocontour.gui.app.structure_sets import open_structure_set
from autocontour.gui.app.window import MainWindow
from autocontour.gui.dialogs.export import ExportRequest
from autocontour.gui.look import theme
from autocontour.gui.state.pauses import PauseMeter
from autocontour.gui.state.settings import ViewerSettings
from autocontour.gui.tools.base import Tool
from autocontour.gui.views.planes import Plane
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Structure
from autocontour.patient.volume import CTVolume

SHAPE = (150, 512, 512)
STRUCTURES = 30
SETTLED_MS = 2000
SIZES = ((1600, 1000), (3840, 2160))
START = """
import time; start = time.perf_counter()
from PySide6.QtWidgets import QApplication
from autocontour.gui.app.window import MainWindow
from autocontour.gui.state.settings import ViewerSettings
from autocontour.gui.look import theme
from collections.abc import Callable, Iterable
from pathlib import Path
import tempfile
app = QApplication([]); theme.use_theme(app, theme.DARK)
folder = Path(tempfile.mkdtemp())
window = MainWindow(ViewerSettings(folder / "s.ini"), folder); window.show(); app.processEvents()
print(time.perf_counter() - start, time.process_time())
"""


def build_ct() -> CTVolume:
    rng = np.random.default_rng(1)
    base = rng.normal(0, 30, (8, 512, 512)).astype(np.int16)
    hu = np.concatenate([base] * 19)[:150].copy()
    return CTVolume(hu, VolumeGeometry.regular(SHAPE, (3.0, 0.98, 0.98), (-250, -250, -225)))


def build_structures() -> list[Structure]:
    """Thirty wavy organs of 300 points a slice, each on 60 slices, most of them on the middle ones."""
    made = []
    turn = np.linspace(0, 2 * math.pi, 300, endpoint=False)
    for k in range(STRUCTURES):
        radius = 12 + 4 * (k % 10)
        u, v = 110 * math.cos(k), 90 * math.sin(k)
        first = 20 + (k * 7) % 60
        contours = {}
        for z in range(first, first + 60):
            r = radius * math.sqrt(max(1 - ((z - first - 30) / 31) ** 2, 0.02)) * (1 + 0.06 * np.sin(9 * turn + z / 5))
            contours[z] = MultiPolygon([Polygon(np.c_[u + r * np.cos(turn), v + r * np.sin(turn)])])
        color = tuple(int(x) for x in np.random.default_rng(k).integers(60, 255, 3))
        made.append(Structure(f"Organ_{k:02d}", k + 1, contours, color_rgb=color))
    return made


def print_times(name: str, wall: list[float], cpu: list[float]) -> None:
    w, c = 1000 * np.array(wall), 1000 * np.array(cpu)
    print(
        f"{name:42s} wall median {np.median(w):7.1f} p95 {np.percentile(w, 95):7.1f} ms"
        f"   computed median {np.median(c):7.1f} p95 {np.percentile(c, 95):7.1f} ms"
    )


def timed(function: Callable[[int], object], rounds: Iterable[int]) -> tuple[list[float], list[float]]:
    wall, cpu = [], []
    for argument in rounds:
        a, b = time.perf_counter(), time.process_time()
        function(argument)
        wall.append(time.perf_counter() - a)
        cpu.append(time.process_time() - b)
    return wall, cpu


def frames(size: tuple[int, int], renderer: str) -> dict[str, float]:
    """Return median and 95th percentile of a scrolled axial frame in ms: wall, and computed by this process."""
    app = QApplication.instance() or QApplication([])
    theme.use_theme(app, theme.DARK)
    folder = Path(tempfile.mkdtemp())
    window = MainWindow(ViewerSettings(folder / "s.ini"), folder)
    window.resize(*size)
    window.show()
    app.processEvents()
    if renderer == "vtk":
        window.choose_renderer("vtk")
    window.show_ct(build_ct())
    window.workspace.apply(Edit("Add", added=adopted(window.workspace.state, build_structures())))
    app.processEvents()
    window.views.surfaces.hide()

    def show(z: int) -> None:
        window.workspace.go_to_slice(z)
        window.views.axial.repaint()

    timed(show, range(20, 140))
    wall, cpu = timed(show, range(20, 140))
    window.close()
    w, c = 1000 * np.array(wall), 1000 * np.array(cpu)
    measured = {"wall": w, "computed": c}
    return {f"{name}{q}": float(np.percentile(values, q)) for name, values in measured.items() for q in (50, 95)}


def measure_frames(before: Path | None, rounds: int) -> None:
    """Print the frames of both renderers at both sizes, in turns with the code of another checkout."""
    here = Path(__file__).resolve().parents[1]
    codes = {"now": here} | ({"before": before.resolve()} if before else {})
    for size in SIZES:
        for renderer in ("qt", "vtk"):
            found: dict[str, list[dict[str, float]]] = {name: [] for name in codes}
            for _ in range(rounds):
                for name, root in codes.items():
                    if (result := _frames_of(root, size, renderer)) is not None:
                        found[name].append(result)
            for name, results in found.items():
                if results:
                    median = {key: float(np.median([result[key] for result in results])) for key in results[0]}
                    print(
                        f"{size[0]} x {size[1]} {renderer:3s} {name:6s} wall median {median['wall50']:6.1f} p95 "
                        f"{median['wall95']:6.1f} ms   computed median {median['computed50']:6.1f} p95 "
                        f"{median['computed95']:6.1f} ms"
                    )
            if found.get("before"):
                for key in ("wall50", "computed50"):
                    ratios = [a[key] / b[key] for a, b in zip(found["now"], found["before"], strict=False)]
                    name = f"{size[0]} x {size[1]} {renderer:3s} now / before, {key[:-2]} median"
                    print(f"{name}: {np.median(ratios):.2f}")


def _frames_of(root: Path, size: tuple[int, int], renderer: str) -> dict[str, float] | None:
    """Measure in a process with the code of a checkout; None if that has no such renderer."""
    if renderer == "vtk" and not (root / "gui" / "views" / "renderers.py").exists():
        return None
    command = [sys.executable, __file__, "--one", f"{size[0]}x{size[1]}", renderer]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    ended = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    result: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return result


def measure_scroll(window: MainWindow) -> None:
    def show(z: int) -> None:
        window.workspace.go_to_slice(z)
        window.views.axial.repaint()

    print_times("scroll, axial frame", *timed(show, range(20, 140)))

    def show_all(z: int) -> None:
        window.workspace.go_to_slice(z)
        QApplication.processEvents()

    print_times("scroll, every linked view", *timed(show_all, range(20, 140)))


def measure_strokes(window: MainWindow, name: str) -> None:
    view, space = window.views.axial, window.workspace
    space.select(1)
    space.go_to_structure(1)
    window.take_tool(name)
    QApplication.processEvents()
    outline = space.current.structure.contours[space.slice_index]
    edge = max(outline.geoms[0].exterior.coords)
    start = view.to_pixels(*edge).toPoint()
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=start)

    def move(step: int) -> None:
        angle = step / 10
        at = view.to_pixels(edge[0] + 8 * math.sin(angle), edge[1] + 20 * math.cos(angle)).toPoint()
        QTest.mouseMove(view, at)
        view.repaint()

    print_times(f"{name}: event to new frame", *timed(move, range(120)))
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=start)
    working = outline

    def polygon_work(step: int) -> None:
        nonlocal working
        a = (edge[0] + 8 * math.sin(step / 10), edge[1] + 20 * math.cos(step / 10))
        b = (edge[0] + 8 * math.sin((step + 1) / 10), edge[1] + 20 * math.cos((step + 1) / 10))
        tool: Tool = window.tools[name]
        if name == "brush":
            working = brushed(working, swept_disc([a, b], tool.radius_mm))
        else:
            working = pushed(working, a, b, tool.radius_mm)

    print_times(f"{name}: polygon work alone", *timed(polygon_work, range(120)))


def measure_flood(window: MainWindow) -> None:
    """Measure the preview of the flood under a moving pointer."""
    view = window.views.axial
    window.take_tool("flood")
    start = view.to_pixels(0.0, 0.0).toPoint()

    def hover(step: int) -> None:
        QTest.mouseMove(view, start + QPoint(step, step % 7))
        view.repaint()

    print_times("flood: event to new preview, 80 mm circle", *timed(hover, range(60)))
    window.take_tool("navigate")


def measure_ball(window: MainWindow) -> None:
    """Measure a brush stroke in the coronal view, from event to new frame."""
    view, space = window.views.slices[Plane.CORONAL], window.workspace
    space.select(10)
    space.go_to_structure(10)
    window.take_tool("brush")
    QApplication.processEvents()
    start = view.rect().center()
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=start)

    def move(step: int) -> None:
        QTest.mouseMove(view, start + QPoint(step // 2, step % 9))
        view.repaint()

    print_times("brush in the coronal view: event to new frame", *timed(move, range(60)))
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=start)
    window.take_tool("navigate")


def pause_of(name: str, begin: Callable[[], object], is_over: Callable[[], bool]) -> None:
    """Print the duration of a task and the longest pause of the window during it."""
    begun = time.perf_counter()
    with PauseMeter() as meter:
        begin()
        while not is_over():
            QTest.qWait(5)
        QTest.qWait(50)
    print(
        f"{name:42s} took {time.perf_counter() - begun:5.1f} s   longest pause {1000 * meter.longest_s:5.0f} ms"
        f"   of it computed {1000 * meter.longest_computed_s:5.0f} ms"
    )


def measure_pauses(window: MainWindow) -> None:
    """Measure, per task, the longest time without response of the window."""
    from autocontour.gui.views.volume import Tissue  # older checkouts, whose frames are compared, have none

    space, surfaces = window.workspace, window.views.surfaces
    contours, geometry = space.state[10].structure.contours, space.ct.geometry
    QTest.qWait(SETTLED_MS)  # the surfaces of what was painted before
    margins_mm = (5.0, 5.0, 5.0, 8.0, 10.0, 3.0)

    def is_free() -> bool:
        return not space.background.is_running

    def margin() -> None:
        space.background.run("Margin", (10,), lambda job: margin_contours(contours, geometry, margins_mm, job), len)

    def edit_ten() -> None:
        for number in range(1, 11):
            one = space.state[number].structure.contours
            space.redraw("Move", {z: one[z].buffer(0.5) for z in list(one)[:3]}, number)

    def surfaces_anew() -> None:
        surfaces.close_scene()
        surfaces.warm_up()
        surfaces.rebuild()

    thirty = adopted(space.state, tuple(replace(s, name=f"{s.name}_2") for s in build_structures()))

    def is_meshed() -> bool:
        return not surfaces.is_meshing

    def bone() -> None:
        surfaces.show_tissue(Tissue.BONE_AND_SKIN)

    pause_of("add 30 structures", lambda: space.apply(Edit("Add", added=thirty)), is_meshed)
    pause_of("undo them", lambda: window.action_set.trigger("undo"), is_meshed)
    pause_of("choose the renderer VTK", lambda: window.choose_renderer("vtk"), lambda: True)
    pause_of("and Qt again", lambda: window.choose_renderer("qt"), lambda: True)
    pause_of("bone and skin in 3D", bone, is_meshed)
    pause_of("turn them", lambda: surfaces.turn(10, 0), is_meshed)
    pause_of("cut 3D at the slice", lambda: surfaces.cut_at_slice(on=True), is_meshed)
    surfaces.show_tissue(Tissue.NONE)
    surfaces.cut_at_slice(on=False)
    film: list[list[bytes]] = []
    pause_of("film of one turn", lambda: surfaces.record_turn(film.append), lambda: bool(film))
    pause_of("a view to its own window", lambda: window.detach_view("coronal"), lambda: True)
    pause_of("and back", lambda: window.detach_view("coronal"), lambda: True)
    pause_of("margin", margin, is_free)
    pause_of("statistics", lambda: window.action_set.trigger("statistics"), is_free)
    pause_of("3D: first surfaces of all", surfaces_anew, lambda: not surfaces.is_meshing)
    pause_of("3D: ten surfaces anew", edit_ten, lambda: not surfaces.is_meshing)
    pause_of("next to review", lambda: window.action_set.trigger("next"), lambda: True)
    pause_of("undo", lambda: window.action_set.trigger("undo"), lambda: not surfaces.is_meshing)
    assert space.case is not None
    case = space.case
    pause_of("snapshot of the case", case._snapshot_beside, lambda: not case._writing.is_alive())
    bar = window.auto_bar
    pause_of("start of auto-contouring", lambda: bar.start("", ("External",)), lambda: bar.process_id > 0)
    bar.stop()
    folder = Path(tempfile.mkdtemp())
    hu = space.ct.hu
    write_ct_series(hu, geometry, folder / "CT")
    pause_of("open a case from files", lambda: window.open_path(folder / "CT"), lambda: space.folder == folder / "CT")
    structures = tuple(build_structures())
    space.apply(Edit("Add", added=adopted(space.state, structures)))
    QTest.qWait(SETTLED_MS)
    path = folder / "out.dcm"
    options = ExportOptions(numbers=frozenset(space.state.numbers))
    codes = frozenset(problem.finding.code for problem in check_case(space.case, options))
    request = ExportRequest(options, path, codes)
    pause_of("export", lambda: write_request(window, request, space.ct), lambda: is_free() and path.exists())
    count = len(space.state.items)
    pause_of(
        "open that structure set",
        lambda: open_structure_set(window, path),
        lambda: len(space.state.items) > count and is_meshed(),
    )


class FirstPaint(QObject):
    """Notices that a view has been painted with a CT in it."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__()
        self.window, self.is_done = window, False
        window.views.axial.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take note."""
        self.is_done |= event.type() is QEvent.Type.Paint and self.window.workspace.ct is not None
        return super().eventFilter(watched, event)


def load_headless(folder: Path) -> str:
    (series,) = planning_cts(scan_folder(folder, Job()))
    read_ct(series, Job())
    return series.series_instance_uid


def measure_opening(ct_folder: Path, rounds: int = 5) -> None:
    """From the request to the first painted slice of a new case, and headless loading, in turns."""
    figures: dict[str, tuple[list[float], list[float]]] = {"headless load": ([], []), "open to first slice": ([], [])}
    series_uid = load_headless(ct_folder)  # so that no dialog about its structure sets opens
    for _ in range(rounds):
        wall, cpu = timed(lambda _: load_headless(ct_folder), [0])
        figures["headless load"][0].extend(wall)
        figures["headless load"][1].extend(cpu)
        folder = Path(tempfile.mkdtemp())
        window = MainWindow(ViewerSettings(folder / "s.ini"), folder)
        window.resize(1600, 1000)
        window.show()
        QTest.qWait(300)
        painted = FirstPaint(window)

        def show_first(_: int, window: MainWindow = window, painted: FirstPaint = painted) -> None:
            window.open_path(ct_folder, series_uid)
            while not painted.is_done:
                QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)

        wall, cpu = timed(show_first, [0])
        figures["open to first slice"][0].extend(wall)
        figures["open to first slice"][1].extend(cpu)
        window.close()
        window.deleteLater()
        QTest.qWait(50)
    for name, (wall, cpu) in figures.items():
        print_times(name, wall, cpu)
    more = np.median(figures["open to first slice"][0]) - np.median(figures["headless load"][0])
    print(f"first slice shown {more:+.2f} s after the headless load time (promise: within +0.30 s)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ct", type=Path, help="folder of a real CT, to measure opening it")
    parser.add_argument("--opening", action="store_true", help="measure only that")
    parser.add_argument("--frames", action="store_true", help="measure only scrolled frames, with every renderer")
    parser.add_argument("--pauses", action="store_true", help="measure only the longest pause of the window per task")
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="compare the frames with another checkout")
    parser.add_argument("--rounds", type=int, default=3, help="of frames; the median is printed")
    parser.add_argument("--one", nargs=2, metavar=("SIZE", "RENDERER"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        width, height = (int(n) for n in args.one[0].split("x"))
        print(json.dumps(frames((width, height), args.one[1])))
        return
    if args.frames:
        measure_frames(args.before, args.rounds)
        return
    if args.opening:
        app = QApplication([])
        theme.use_theme(app, theme.DARK)
        measure_opening(args.ct)
        return
    starts = (
        []
        if args.pauses
        else [
            subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, check=True) for _ in range(3)
        ]
    )
    if starts:
        figures = np.array([[float(x) for x in start.stdout.split()[-2:]] for start in starts])
        print(f"window up: wall {figures[:, 0].min():.2f} s, computed {figures[:, 1].min():.2f} s")
    app = QApplication([])
    theme.use_theme(app, theme.DARK)
    folder = Path(tempfile.mkdtemp())
    window = MainWindow(ViewerSettings(folder / "s.ini"), folder)
    window.resize(1600, 1000)
    window.show()
    window.intake.prepare_to_open()  # as the program does
    app.processEvents()
    ct = build_ct()
    print_times("open a CT in memory, first slice", *timed(lambda _: (window.show_ct(ct), app.processEvents()), [0]))
    structures = build_structures()
    added = adopted(window.workspace.state, structures)
    print_times("add 30 structures", *timed(lambda _: window.workspace.apply(Edit("Add", added=added)), [0]))
    app.processEvents()
    if args.pauses:
        measure_pauses(window)
        window.close()
        return
    window.views.surfaces.close_scene()

    def all_surfaces(_: int) -> None:
        window.views.surfaces.rebuild()
        while window.views.surfaces.is_meshing:
            app.processEvents()

    print_times("3D surfaces of 30 organs", *timed(all_surfaces, [0]))
    measure_scroll(window)
    measure_strokes(window, "brush")
    measure_strokes(window, "push")
    measure_flood(window)
    measure_ball(window)
    measure_pauses(window)
    if args.ct:
        measure_opening(args.ct)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
    window.close()


if __name__ == "__main__":
    main()
