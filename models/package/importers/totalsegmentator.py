"""Import of the models that TotalSegmentator's own program left on the disk; nothing is downloaded.

Its tasks, grids, steps of windows, licences and classes are data: ``tables/totalsegmentator.toml``. Every model is fed
arrays in the order RAS (canonical NIfTI), as its program does.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from autocontour.base.errors import ModelError
from autocontour.base.limits import shown
from autocontour.models.package.importers.names import Names
from autocontour.models.package.importers.nnunet import find_models, import_nnunet
from autocontour.models.package.importers.nnunet_plans import unsupported
from autocontour.models.package.importers.writing import Imported

ORIENTATION = "RAS"
CROP_MARGIN_MM = 20.0
FREE = "Apache-2.0"
REFERENCE = "Wasserthal et al., Radiology: Artificial Intelligence 2023, doi:10.1148/ryai.230024"
NON_COMMERCIAL = "TotalSegmentator, non-commercial use only"


@dataclass(frozen=True)
class Task:
    """One model of TotalSegmentator.

    Attributes
    ----------
    id
        Number of its data set.
    name
        Its task.
    spacing_mm
        Along z, y, x; empty if the CT is not resampled first.
    step
        Of the windows.
    non_commercial
        Whether it is free for non-commercial use only.
    cropped
        Whether it is run on a part of the CT that is found in a way which is not supported.
    cleaned
        Whether pieces are removed from what the network draws.
    mr
        Whether it is for MR images.
    crop, finder
        Classes in whose box it is run, and the number of the model that finds them; empty and 0 for the whole CT.
    classes
        Names of the label's values, from 1.
    auxiliary
        Those of them that its program throws away.
    """

    id: int
    name: str
    spacing_mm: tuple[float, ...] = ()
    step: float = 0.5
    non_commercial: bool = False
    cropped: bool = False
    cleaned: bool = False
    mr: bool = False
    crop: tuple[str, ...] = ()
    finder: int = 0
    classes: tuple[str, ...] = ()
    auxiliary: tuple[str, ...] = ()

    @property
    def refusal(self) -> str:
        """What keeps it from being run exactly; empty if nothing does."""
        if self.mr:
            return "MR images"
        if self.cropped:
            return "a part of the CT that is found in a way of its own"
        return "cleaned by its program afterwards" if self.cleaned else ""

    @property
    def license(self) -> str:
        """Its licence."""
        return NON_COMMERCIAL if self.non_commercial else FREE


@dataclass(frozen=True)
class Found:
    """A model on the disk.

    Attributes
    ----------
    folder
        Of the model.
    task
        What is known about it; None if its number is not in the table.
    """

    folder: Path
    task: Task | None

    @property
    def can_be_run(self) -> bool:
        """Whether it is a model in the table that can be run exactly."""
        return self.task is not None and not self.task.refusal


@cache
def known_tasks() -> Mapping[int, Task]:
    """Return every model in the table by its number."""
    path = files("autocontour.models.package.importers").joinpath("tables", "totalsegmentator.toml")
    rows: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))["models"]
    return {row["id"]: _task(row) for row in rows}


def _task(row: Mapping[str, Any]) -> Task:
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    return Task(name=fields.pop("task"), **fields)


def default_folder() -> Path:
    """Return the folder in which TotalSegmentator's program keeps its models."""
    if chosen := os.environ.get("TOTALSEG_WEIGHTS_PATH"):
        return Path(chosen)
    home = os.environ.get("TOTALSEG_HOME_DIR")
    return (Path(home) if home else Path.home() / ".totalsegmentator") / "nnunet" / "results"


def find_tasks(folder: Path) -> list[Found]:
    """Return the models of TotalSegmentator below a folder, in the order of their numbers.

    Raises
    ------
    ModelError
        ``AC-MD-053`` if there is none.
    """
    found = []
    for model in find_models(folder):
        numbers = [re.match(r"Dataset(\d+)_", part) for part in (model.parent.name, model.name)]
        number = next((int(one[1]) for one in numbers if one), None)
        if number is not None:
            found.append((number, Found(model, known_tasks().get(number))))
    if not found:
        raise ModelError("AC-MD-053", folder=shown(str(folder)))
    return [one for _, one in sorted(found, key=lambda pair: pair[0])]


def import_task(found: Found, folds: Sequence[str] = ("0",)) -> Imported:
    """Read one model.

    Raises
    ------
    ModelError
        ``AC-MD-044`` for a model that cannot be run exactly, or is not in the table; ``AC-MD-047`` if its data set does
        not have the classes of the table; or the errors of `autocontour.models.package.importers.nnunet.import_nnunet`.
    """
    task = found.task
    if task is None:
        raise unsupported("model of TotalSegmentator", found.folder.parent.name)
    if task.refusal:
        raise unsupported(task.name, task.refusal)
    imported = import_nnunet(
        found.folder, orientation=ORIENTATION, folds=folds, first_spacing_mm=task.spacing_mm, step=task.step
    )
    return replace(
        imported,
        name=f"totalsegmentator-{re.sub(r'[^a-z0-9]+', '-', task.name.lower())}-{task.id}",
        license=task.license,
        procedure={**imported.procedure, **_procedure(task)},
        labels=_named_labels(imported.labels, task),
        names=Names(),
        about={**imported.about, "description": f"TotalSegmentator 2, task {task.name}", "references": REFERENCE},
    )


def check_other(imported: Imported) -> None:
    """Check that a model that was read as one of nnU-Net is not one of TotalSegmentator's, which it runs otherwise.

    Raises
    ------
    ModelError
        ``AC-MD-098`` if its number and its labels are those of one in the table.
    """
    number = re.match(r"Dataset(\d+)_", imported.name)
    task = known_tasks().get(int(number[1])) if number else None
    if task is not None and task.classes and set(imported.labels) == set(task.classes):
        raise ModelError("AC-MD-098", number=task.id)


def _procedure(task: Task) -> dict[str, Any]:
    """Return the fields of the procedure that are TotalSegmentator's own: it never mirrors, and may crop the CT."""
    own: dict[str, Any] = {"mirror_axes": [], "model": model_name(task.id)}
    if task.crop:
        structures = [Names().of(label) for label in task.crop]
        own["crop"] = {"structures": structures, "finder": model_name(task.finder), "margin_mm": CROP_MARGIN_MM}
    return own


def model_name(number: int) -> str:
    """Return how a package's procedure refers to a model of TotalSegmentator."""
    return f"TotalSegmentator {number}"


def _named_labels(labels: Mapping[str, tuple[int, ...]], task: Task) -> dict[str, tuple[int, ...]]:
    """Return the classes of the table by value; TotalSegmentator itself uses these, not the names of the data set."""
    values = {values[0]: label for label, values in labels.items() if len(values) == 1}
    if sorted(values) != list(range(1, len(task.classes) + 1)):
        raise ModelError("AC-MD-047", what="the number of labels in dataset.json")
    for value, name in enumerate(task.classes, 1):
        other = values[value]
        if other != name and other in task.classes:  # the same classes in another order
            raise ModelError("AC-MD-047", what="labels in dataset.json")
    return {name: (value,) for value, name in enumerate(task.classes, 1) if name not in task.auxiliary}
