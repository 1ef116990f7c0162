"""Small pictures of series and the facts that stand only in their files, read beside the window."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPixmap

from autocontour.base.errors import AutoContourError
from autocontour.dicom import Series, guarded, read_dataset
from autocontour.dicom.header import SliceHeader
from autocontour.dicom.pixels import read_slice
from autocontour.gui.look import theme
from autocontour.gui.look.language import tr
from autocontour.gui.state.tasks import Task

LOWEST_HU, HIGHEST_HU = -160, 240
"""The body window: level 40, width 400."""
PIXELS = 256
LARGEST = 1 << 24
FACTS = {"PatientBirthDate": 0x00100030, "SliceThickness": 0x00180050, "ConvolutionKernel": 0x00181210}
"""Keyword and tag of what stands only in the files."""


@dataclass(frozen=True, eq=False)
class Preview:
    """A series at a glance.

    Attributes
    ----------
    grey
        (rows, columns) uint8, the middle slice in the body window, at most `PIXELS` a side; None if it cannot be shown.
    width_mm, height_mm
        What it covers.
    birth_date, thickness_mm, kernel
        As they stand in the file; empty if absent.
    """

    grey: NDArray[np.uint8] | None = None
    width_mm: float = 1.0
    height_mm: float = 1.0
    birth_date: str = ""
    thickness_mm: str = ""
    kernel: str = ""


def read_preview(series: Series) -> Preview:
    """Read the middle file of a series; what cannot be read is left empty."""
    header = series.slices[len(series) // 2]
    v, u = header.pixel_spacing_vu_mm or (1.0, 1.0)
    birth_date, thickness, kernel = _facts(header)
    return Preview(_picture(header), header.columns * u, header.rows * v, birth_date, thickness, kernel)


def _facts(header: SliceHeader) -> tuple[str, str, str]:
    try:
        dataset = read_dataset(header.path, specific_tags=list(FACTS.values()), stop_before_pixels=True)
        with guarded():
            birth_date, thickness, kernel = (str(dataset.get(keyword) or "").strip() for keyword in FACTS)
            return birth_date, thickness, kernel
    except AutoContourError:
        return "", "", ""


def _picture(header: SliceHeader) -> NDArray[np.uint8] | None:
    is_plane = header.number_of_frames == 1 and header.samples_per_pixel == 1
    if not is_plane or not 0 < header.rows * header.columns <= LARGEST:
        return None
    try:
        hu = np.empty((header.rows, header.columns), np.int16)
        read_slice(header, hu)
    except (AutoContourError, MemoryError):
        return None
    step = -(-max(hu.shape) // PIXELS)
    rows, columns = (max(n // step, 1) for n in hu.shape)
    blocks = hu[: rows * step, : columns * step].reshape(rows, min(step, hu.shape[0]), columns, min(step, hu.shape[1]))
    share = (blocks.mean(axis=(1, 3)) - LOWEST_HU) / (HIGHEST_HU - LOWEST_HU)
    grey: NDArray[np.uint8] = (255 * np.clip(share, 0, 1)).astype(np.uint8)
    return grey


class PreviewReader(QObject):
    """Reads the previews that are asked for, one at a time."""

    ready = Signal(object, object)
    """Series and its preview."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._asked: set[Series] = set()
        self._waiting: deque[Series] = deque()
        self._task: Task | None = None

    def want(self, series: Series) -> None:
        """Have the preview of `series` read, unless that was asked for before."""
        if series not in self._asked:
            self._asked.add(series)
            self._waiting.append(series)
            self._go_on()

    def stop(self) -> None:
        """Read no further."""
        self._waiting.clear()

    def _go_on(self) -> None:
        if self._task is not None or not self._waiting:
            return
        series = self._waiting.popleft()
        self._task = Task(lambda _: read_preview(series), self)
        self._task.done.connect(lambda preview: self._finish(series, preview))
        self._task.failed.connect(lambda _: self._finish(series, Preview()))
        self._task.start()

    def _finish(self, series: Series, preview: Preview) -> None:
        self._task = None
        self.ready.emit(series, preview)
        self._go_on()


def preview_pixmap(preview: Preview | None, side: int, ratio: float) -> QPixmap:
    """Return the picture on a square of `side` logical pixels; a plain square with a word where there is none."""
    pixmap = QPixmap(QSize(side, side) * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(QColor("black") if preview and preview.grey is not None else QColor(theme.current.raised))
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    if preview is not None and preview.grey is not None:
        grey = np.ascontiguousarray(preview.grey)
        rows, columns = grey.shape
        image = QImage(grey.tobytes(), columns, rows, columns, QImage.Format.Format_Grayscale8)
        scale = side / max(preview.width_mm, preview.height_mm)
        width, height = scale * preview.width_mm, scale * preview.height_mm
        painter.drawImage(QRectF((side - width) / 2, (side - height) / 2, width, height), image)
    elif preview is not None:
        painter.setPen(QColor(theme.current.muted))
        words = tr("no picture") if side > 100 else "—"
        painter.drawText(pixmap.rect() if ratio == 1 else QRectF(0, 0, side, side), Qt.AlignmentFlag.AlignCenter, words)
    painter.end()
    return pixmap
