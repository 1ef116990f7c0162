"""What kind of published model a path holds, found by looking; nothing of it is executed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autocontour.base.errors import ModelError
from autocontour.base.limits import shown
from autocontour.models.package.importers.files import read_table
from autocontour.models.package.importers.monai_bundle import CONFIG, METADATA, import_monai
from autocontour.models.package.importers.names import is_known
from autocontour.models.package.importers.nnunet import DATASET, MOST_JSON_BYTES, find_models, import_nnunet
from autocontour.models.package.importers.totalsegmentator import Found, check_other, find_tasks, import_task
from autocontour.models.package.importers.writing import Imported

MONAI, NNUNET, TOTALSEGMENTATOR = "monai", "nnunet", "totalsegmentator"


@dataclass(frozen=True)
class Candidate:
    """A published model that was found.

    Attributes
    ----------
    path
        Its folder or zip.
    kind
        ``monai``, ``nnunet`` or ``totalsegmentator``.
    title
        What it is called.
    non_commercial
        Whether it is free for non-commercial use only.
    task
        The task of TotalSegmentator.
    """

    path: Path
    kind: str
    title: str
    non_commercial: bool = False
    task: Found | None = None


@dataclass(frozen=True)
class NamedLabel:
    """A label of a model.

    Attributes
    ----------
    label
        The model's own name.
    name
        The structure's name in the package.
    is_known
        Whether that is in the nomenclature.
    """

    label: str
    name: str
    is_known: bool


def look_at(path: Path) -> list[Candidate]:
    """Return the published models at a path: a bundle's folder, a folder with models of nnU-Net, or a zip of one.

    Raises
    ------
    ModelError
        ``AC-MD-040`` if there is none.
    """
    if path.is_file():
        return [Candidate(path, NNUNET, path.stem)]
    if (path / CONFIG).is_file() and (path / METADATA).is_file():
        return [Candidate(path, MONAI, path.name)]
    folders = find_models(path)
    if not folders:
        raise ModelError("AC-MD-040", name=shown(path.name))
    return [_candidate(folder) for folder in folders]


def _candidate(folder: Path) -> Candidate:
    task = _task_of(folder)
    if task is not None and task.task is not None:
        title = f"TotalSegmentator {task.task.name} ({task.task.id})"
        return Candidate(folder, TOTALSEGMENTATOR, title, non_commercial=task.task.non_commercial, task=task)
    return Candidate(folder, NNUNET, f"{folder.parent.name} {folder.name}")


def _task_of(folder: Path) -> Found | None:
    """Return the task of TotalSegmentator, if the number and the classes of a model are those of one in the table."""
    try:
        found = find_tasks(folder)[0]
    except ModelError:
        return None
    if found.task is None or not found.task.classes:
        return found if found.task is not None and "TotalSegmentator" in folder.parent.name else None
    labels = read_table(folder / DATASET, MOST_JSON_BYTES).get("labels")
    named = set(labels) - {"background"} if isinstance(labels, dict) else set()
    return found if named & set(found.task.classes) else None


def read_candidate(candidate: Candidate, orientation: str = "", folds: Sequence[str] = ()) -> Imported:
    """Read a model.

    Parameters
    ----------
    candidate
        What `look_at` found.
    orientation
        ``LPS`` or ``RAS``, for a model whose reader does not set it.
    folds
        As of `autocontour.models.package.importers.nnunet.import_nnunet`.

    Raises
    ------
    ModelError
        As the import of its kind.
    """
    if candidate.task is not None:
        return import_task(candidate.task)
    if candidate.kind == MONAI:
        return import_monai(candidate.path)
    imported = import_nnunet(candidate.path, orientation=orientation, folds=folds)
    check_other(imported)
    return imported


def named_labels(imported: Imported) -> list[NamedLabel]:
    """Return every label with the structure's name that it gets; those in no table keep their own."""
    names = ((label, imported.names.of(label)) for label in imported.labels)
    return [NamedLabel(label, name, is_known(name)) for label, name in names]
