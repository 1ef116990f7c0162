"""Structures as surfaces in 3D.

VTK renders off the screen and the picture is painted like any other widget: no native window inside the layout, so it
scales, overlaps and is grabbed like the rest. VTK runs on the GUI thread alone, one structure at a time; the masks it
meshes are computed beside the window.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QGuiApplication,
    QHideEvent,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from autocontour.base.errors import AutoContourError
from autocontour.gui.look.language import tr
from autocontour.gui.state.tasks import Task, TaskJob
from autocontour.gui.state.workspace import Workspace
from autocontour.gui.views.film import as_png
from autocontour.gui.views.planes import LETTERS
from autocontour.gui.views.surface_scene import SurfaceScene, coarse_mask
from autocontour.gui.views.volume import MOST_ON_GPU, MOST_VOXELS, Tissue, even_volume
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Structure

REST_MS, PROGRESS_MS, TURN_MS = 150, 300, 5
DEGREES_PER_PX = 0.5
CUT_ELEVATION_DEG = 35.0
FILM_FRAMES = 72


class SurfaceView(QWidget):
    """A turnable view of every visible structure."""

    enlarge_asked = Signal()

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.workspace = workspace
        self._scene: SurfaceScene | None = None
        self._image: QImage | None = None
        self._is_by_hand = False
        """Whether the camera stands where a person has put it."""
        self._drag_from: QPointF | None = None
        self._task: Task | None = None
        self._wanted: int | None = None
        """The structure to move the camera to once it is meshed."""
        self._masks: deque[tuple[Structure, NDArray[np.uint8], VolumeGeometry]] = deque()
        self._turn = QTimer(self, interval=TURN_MS)
        self._turn.timeout.connect(self._mesh_one)
        self._soon = QTimer(self, singleShot=True, interval=PROGRESS_MS)
        self._soon.timeout.connect(self._show_meshed)
        self.setAccessibleName(tr("3D view"))
        self.setMinimumSize(120, 100)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._rest = QTimer(self, singleShot=True, interval=REST_MS)
        self._rest.timeout.connect(self.rebuild)
        self.tissue, self.is_cut = Tissue.NONE, False
        self._volume_task: Task | None = None
        self._turntable = QTimer(self, interval=TURN_MS)
        self._turntable.timeout.connect(self._record_one)
        self._recorded: list[bytes] = []
        self._on_recorded: Callable[[list[bytes]], object] = len
        workspace.ct_changed.connect(self._start_anew)
        for signal in (workspace.position_changed, workspace.window_changed):
            signal.connect(lambda: self._rest.start() if self.is_cut else None)
        for signal in (workspace.structures_changed, workspace.display_changed, workspace.selection_changed):
            signal.connect(lambda *_: self._rest.start())

    def rebuild(self) -> None:
        """Show what is there, and mesh beside the window what has changed."""
        if not self.isVisible() or self.workspace.ct is None:
            return
        if QGuiApplication.mouseButtons() != Qt.MouseButton.NoButton:
            self._rest.start()  # a stroke under way comes first
            return
        if self._scene is None:
            self._scene = SurfaceScene()
        self._apply_cut()
        if self.tissue is not Tissue.NONE and not self._scene.has_volume:
            self._build_volume()
        shown = self._shown()
        waiting = self._scene.show(shown, self.workspace.selected)
        if self._task is not None:
            self._task.cancel()
        self._task = None
        if waiting:
            self._mesh(waiting, self.workspace.ct.geometry)
        self._refresh()

    @property
    def is_meshing(self) -> bool:
        """Whether surfaces are still being built."""
        return self._task is not None or self._volume_task is not None or self._rest.isActive()

    # Bone and skin, the cut, pictures ---------------------------------------------------------------------------------

    def show_tissue(self, tissue: Tissue) -> None:
        """Show bone, or bone and skin, beside the surfaces; the volume is sampled beside the window."""
        self.tissue = tissue
        if self._scene is not None:
            self._scene.show_tissue(tissue)
        self.rebuild()

    def cut_at_slice(self, *, on: bool) -> None:
        """Leave out what lies on the head's side of the axial slice and show the slice there."""
        self.is_cut = on
        if on and self._scene is not None and not self._is_by_hand:
            self._scene.turn(0, CUT_ELEVATION_DEG)
        self.rebuild()

    def picture(self) -> QImage:
        """Return the view as it is shown."""
        return self.grab().toImage()

    def record_turn(self, on_recorded: Callable[[list[bytes]], object]) -> None:
        """Turn once about the patient and return the PNG pictures; none if a person moves the view."""
        self._recorded, self._on_recorded = [], on_recorded
        self._turntable.start()

    def _record_one(self) -> None:
        """Record one picture in a turn of the event loop, and none during a stroke."""
        if self._drag_from is not None or self._scene is None or not self.isVisible():
            self._end_recording([])
        elif not self.workspace.is_held:
            self._recorded.append(as_png(self.picture()))
            self.turn(360 / FILM_FRAMES, 0)
            if len(self._recorded) == FILM_FRAMES:
                self._end_recording(self._recorded)

    def _end_recording(self, pictures: list[bytes]) -> None:
        if self._turntable.isActive():
            self._turntable.stop()
            sizes = {picture[:33] for picture in pictures}  # signature and header
            self._on_recorded(pictures if len(sizes) == 1 else [])

    def _build_volume(self) -> None:
        ct = self.workspace.ct
        if self._volume_task is not None or self._scene is None or ct is None:
            return
        most = MOST_ON_GPU if self._scene.is_on_gpu else MOST_VOXELS
        task = self._volume_task = Task(lambda _: even_volume(ct, most), self)
        task.done.connect(lambda made: self._take_volume(task, *made))
        task.failed.connect(lambda error: self._fail_volume(task, error))
        task.start()

    def _take_volume(self, task: Task, hu: NDArray[np.int16], grid: VolumeGeometry) -> None:
        if task is self._volume_task:
            self._volume_task = None
            if self._scene is not None:
                self._scene.show_volume(hu, grid)
                self._scene.show_tissue(self.tissue)
                self._refresh()

    def _fail_volume(self, task: Task, error: AutoContourError) -> None:
        if task is self._volume_task:
            self._volume_task, self.tissue = None, Tissue.NONE
            self.workspace.report_error(error)

    def _apply_cut(self) -> None:
        if self._scene is not None:
            ct = self.workspace.ct if self.is_cut else None
            self._scene.cut(ct, self.workspace.slice_index, self.workspace.window, self.workspace.body_voxels)

    def _shown(self) -> list[Structure]:
        return [s for s in self.workspace.state.structures if s.number not in self.workspace.hidden and s.contours]

    def _mesh(self, structures: list[Structure], geometry: VolumeGeometry) -> None:
        """Compute the masks of `structures` beside the window and mesh each as soon as its mask is there."""

        def masks(job: TaskJob) -> None:
            for structure in job.track(structures, ""):
                job.send((structure, *coarse_mask(structure.contours, geometry)))

        task = self._task = Task(masks, self)

        self._masks.clear()
        task.sent.connect(lambda content: self._masks.append(content) if task is self._task else None)
        self._turn.start()
        task.start()

    def _mesh_one(self) -> None:
        """Mesh one structure whose mask is there: one in a turn of the event loop, and none during a stroke."""
        if self._scene is None or self._task is None:
            self._turn.stop()
        elif self._masks and not self.workspace.is_held:
            self._scene.add(*self._masks.popleft())
            if not self._soon.isActive():
                self._soon.start()
        elif not self._masks and not self._task.is_running:
            self._task = None
            self._turn.stop()
            self._show_meshed()

    def _show_meshed(self) -> None:
        """Show what has been meshed so far."""
        self._soon.stop()
        if self._scene is not None:
            self._scene.show(self._shown(), self.workspace.selected)
            if self._wanted is not None and self._scene.focus(self._wanted):
                self._wanted = None
            self._refresh()

    def _refresh(self) -> None:
        if self._scene is not None and not self._is_by_hand:
            self._scene.fit()  # what came in since may be larger than what was there
        self._render()

    def turn(self, azimuth_deg: float, elevation_deg: float) -> None:
        """Turn the camera about the patient."""
        if self._scene:
            self._scene.turn(azimuth_deg, elevation_deg)
            self._render()

    def warm_up(self) -> None:
        """Open VTK's window and draw once in idle time: the first time costs a quarter of a second."""
        if self._scene is None:
            self._scene = SurfaceScene()
            self._scene.picture(64, 64)

    @property
    def opengl(self) -> str:
        """VTK's report of the OpenGL that it draws with; empty before `warm_up`."""
        return self._scene.report() if self._scene else ""

    def fit(self) -> None:
        """Show every surface, from where the camera looks."""
        self._wanted, self._is_by_hand = None, False
        if self._scene:
            self._scene.fit()
            self._render()

    def focus(self, number: int) -> None:
        """Show a structure with what is round it, as soon as it is meshed."""
        self._wanted, self._is_by_hand = number, True
        if self._scene and self.isVisible() and self._scene.focus(number):
            self._wanted = None
            self._render()

    def close_scene(self) -> None:
        """Give back VTK's window before the program ends."""
        self._rest.stop()
        self._end_recording([])
        if self._task is not None:
            self._task.cancel()
        self._task = self._volume_task = None
        if self._scene:
            self._scene.finalize()
            self._scene = None

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002  (always whole)
        """Paint the last picture."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(8, 10, 13))
        if self._image is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(QRectF(self.rect()), self._image)
        font = QFont(self.font())
        font.setPixelSize(12)
        painter.setFont(font)
        painter.setPen(QColor(203, 213, 225))
        parts = ["3D", "" if self.tissue is Tissue.NONE else tr(self.tissue.value), tr("cut") if self.is_cut else ""]
        painter.drawText(QRectF(10, 6, 300, 18), Qt.AlignmentFlag.AlignLeft, "   ".join(part for part in parts if part))
        if self._scene and self.workspace.ct:
            self._draw_axes(painter)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold."""
        self._drag_from = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Turn."""
        if self._drag_from is None or self._scene is None:
            return
        step = (event.position() - self._drag_from) * DEGREES_PER_PX
        self._drag_from = event.position()
        self.turn(-step.x(), step.y())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: ARG002  (Qt's signature)
        """Let go."""
        self._drag_from = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: ARG002  (Qt's signature)
        """Make this the large view."""
        self.enlarge_asked.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Come closer or go away."""
        if self._scene:
            self._is_by_hand = True
            self._scene.zoom(1.1 ** (event.angleDelta().y() / 120))
            self._render()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: ARG002  (Qt's signature)
        """Render at the new size."""
        self._rest.start()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: ARG002  (Qt's signature)
        """Render what changed meanwhile."""
        self._rest.start()

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: ARG002  (Qt's signature)
        """Stop meshing."""
        self._rest.stop()

    def _start_anew(self) -> None:
        self._end_recording([])
        self._image, self._is_by_hand, self._task, self._wanted = None, False, None, None
        self._volume_task = None
        if self._scene:
            self._scene.clear()
        self._rest.start()

    def _render(self) -> None:
        if self._scene:
            ratio = self.devicePixelRatioF()
            size = max(int(self.width() * ratio), 1), max(int(self.height() * ratio), 1)
            self._image = self._scene.picture(*size)
            self.update()

    def _draw_axes(self, painter: QPainter) -> None:
        """Show in a corner where the patient's left, back and head are."""
        assert self._scene is not None  # paintEvent has asked
        right, up = self._scene.screen_axes()
        centre = QPointF(self.width() - 34, self.height() - 34)
        for axis in range(3):
            tip = QPointF(right[axis], -up[axis]) * 22
            painter.setPen(QColor(255, 196, 84))
            painter.drawLine(centre, centre + tip)
            at = centre + tip * 1.35
            painter.drawText(QRectF(at.x() - 8, at.y() - 8, 16, 16), Qt.AlignmentFlag.AlignCenter, LETTERS[axis][1])
