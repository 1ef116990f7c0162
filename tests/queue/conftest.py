"""Small series for the queue."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autocontour.base.jobs import Job
from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.phantom import build_phantom
from autocontour.queue.intake import Entry, add_folder
from autocontour.queue.record import Options
from autocontour.queue.run import Run, RunOptions, Summary
from autocontour.queue.store import Store

NAME, PATIENT = "NEVERSHOWN^NAME", "NEVERSHOWN-ID"
OPTIONS = RunOptions(least_free_gb=0.0, retry_s=0.1, quiet_s=0.1)


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two series of 24 slices, of two patients."""
    folders = []
    for seed in (1, 2):
        phantom = build_phantom("thorax", seed, spacing_zyx_mm=(10.0, 4.0, 4.0), shape_zyx=(24, 120, 120))
        folder = tmp_path_factory.mktemp("phantom") / "CT"
        description = SeriesDescription(f"{NAME}{seed}", f"{PATIENT}{seed}", uid_seed=f"queue {seed}")
        write_ct_series(phantom.hu, phantom.geometry, folder, description)
        folders.append(folder)
    return folders


@pytest.fixture
def ct(phantoms: list[Path], tmp_path: Path) -> Path:
    """A copy of the first series that a test may change."""
    return Path(shutil.copytree(phantoms[0], tmp_path / "in" / "CT"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "queue") as opened:
        yield opened


@pytest.fixture
def add(store: Store, tmp_path: Path) -> Callable[..., list[Entry]]:
    """Add a folder; results go to ``out`` beside it."""

    def adding(folder: Path, *, again: bool = False, **options: Any) -> list[Entry]:
        chosen = Options(**{"output": str(tmp_path / "out"), "structures": ("External",), **options})
        return list(add_folder(store, folder, lambda _: chosen, Job(), again=again))

    return adding


class Runner:
    """Runs the queue of a folder in this process, and keeps the events."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, options: RunOptions = OPTIONS, job: Job | None = None) -> Summary:
        with Store(self.folder) as opened:
            return Run(opened, options, self.note, job or Job()).work()

    def note(self, event: str, values: dict[str, Any]) -> None:
        self.events.append((event, values))

    def names(self, name: str) -> list[dict[str, Any]]:
        return [values for event, values in self.events if event == name]


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    return Runner(tmp_path / "queue")
