"""A package for one patient's later CTs, trained on from the planning CT and its approved contours.

Patient-specific training gives the largest gain for adaptive CTs that is known (Chun et al. 2021, arXiv:2104.11401).
The package is bound to the patient and expires.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from autocontour.archive.convert import convert
from autocontour.archive.review import check_origin
from autocontour.base.errors import AdaptError
from autocontour.base.files import write_atomically
from autocontour.base.findings import Finding, Severity
from autocontour.base.jobs import Job
from autocontour.models import ModelPackage
from autocontour.models.data.planes import FORMAT, VERSION, write_stored
from autocontour.models.package.package import read_package, rewrite_metadata
from autocontour.models.package.patient import PatientBinding
from autocontour.models.training.retrain import PATIENT, Retraining, retrain_package
from autocontour.patient.identity import PatientFacts
from autocontour.patient.structures import ReviewStatus, Structure, StructureSet
from autocontour.patient.volume import CTVolume

DAYS = 60
"""A course of radiotherapy takes up to eight weeks."""
STEPS = 150
NAME = "planning"


@dataclass(frozen=True)
class Adaptation:
    """What a patient's package is made from.

    Attributes
    ----------
    ct, structure_set
        The planning CT and its contours.
    package
        The general package.
    added
        Names of structures that the general package does not have, such as a CTV.
    days
        How long the patient's package is used.
    unapproved
        Also learn from structures that are not approved.
    steps
        Of the training.
    """

    ct: CTVolume
    structure_set: StructureSet
    package: ModelPackage
    added: tuple[str, ...] = ()
    days: int = DAYS
    unapproved: bool = False
    steps: int = STEPS


def adapt_package(adaptation: Adaptation, output: Path, job: Job, today: date | None = None) -> ModelPackage:
    """Train the patient's package and return it.

    While it is trained, a folder beside `output` holds the run, with voxels of the CT: it is continued after a stop,
    and removed at the end.

    Parameters
    ----------
    adaptation
        CT, contours and general package.
    output
        Folder of the package; it must not exist.
    job
        Reports progress; may cancel.
    today
        First day of its use.

    Raises
    ------
    AdaptError
        ``AC-AD-001`` for a CT without Patient ID, ``AC-AD-002`` if the contours are of another patient or CT,
        ``AC-AD-003`` if a structure is not approved, ``AC-AD-004`` if there is none to learn from, ``AC-AD-005`` for
        the package of another patient, ``AC-AD-008`` if several structures have the TG-263 name of one of the package.
    """
    facts = PatientFacts.of(adaptation.ct)
    if not facts.patient_id.strip():
        raise AdaptError("AC-AD-001")
    general = adaptation.package
    if general.patient is not None:
        raise AdaptError("AC-AD-005", package=general.name)
    for finding in check_origin(adaptation.ct, adaptation.structure_set):
        raise AdaptError("AC-AD-002", reason=finding.message)
    structures = _choose(adaptation)
    run = output.with_name(f"{output.name}.run")
    data = run / "data"
    _write_dataset(data, adaptation, structures)
    known = tuple(name for name in adaptation.added if name not in general.structures)
    plan = Retraining(general, data, added=known, steps=adaptation.steps, manner=PATIENT)
    trained = retrain_package(plan, run, job)
    series_uid = adaptation.ct.reference.series_instance_uid if adaptation.ct.reference else ""
    binding = PatientBinding.of(facts, adaptation.days, today or date.today(), series_uid)
    rewrite_metadata(trained, _bind(trained, general, binding))
    trained.path.rename(output)
    shutil.rmtree(run)
    return read_package(output)


def _choose(adaptation: Adaptation) -> list[Structure]:
    """Return the structures to learn from, under the names of the package."""
    chosen = _by_name(adaptation)
    if not chosen or any(name not in chosen for name in adaptation.added):
        missing = [name for name in adaptation.added if name not in chosen]
        raise AdaptError("AC-AD-004", structures=", ".join(missing or adaptation.package.structures))
    waiting = [one.name for one in chosen.values() if one.status is not ReviewStatus.APPROVED]
    if waiting and not adaptation.unapproved:
        raise AdaptError("AC-AD-003", structures=", ".join(waiting))
    return [replace(one, name=name) for name, one in chosen.items()]


def _by_name(adaptation: Adaptation) -> dict[str, Structure]:
    """Return name in the package → the structure of the set with this name, or the only one with this TG-263 name."""
    usable = [one for one in adaptation.structure_set.structures if one.contours and not _is_damaged(one)]
    wanted = {*adaptation.package.structures, *adaptation.added}
    chosen = {one.name: one for one in usable if one.name in wanted}
    alike: dict[str, list[Structure]] = {}
    for structure in usable:
        name = structure.tg263_name
        if name in wanted and name not in chosen and structure.name not in chosen:
            alike.setdefault(name, []).append(structure)
    if several := [name for name, structures in alike.items() if len(structures) > 1]:
        names = ", ".join(one.name for one in alike[several[0]])
        raise AdaptError("AC-AD-008", structure=several[0], names=names)
    return chosen | {name: one for name, (one,) in alike.items()}


def _is_damaged(structure: Structure) -> bool:
    return any(finding.severity is Severity.BLOCK for finding in structure.findings)


def _write_dataset(folder: Path, adaptation: Adaptation, structures: list[Structure]) -> None:
    """Write the planning CT as a data set of one patient, on the package's grid."""
    spacing = adaptation.package.stages["segmenter"].spacing_zyx_mm
    origins = {one.name: "approved" if one.status is ReviewStatus.APPROVED else "clinical" for one in structures}
    z, y, x = (float(step) for step in spacing)
    converted = convert(adaptation.ct, StructureSet("", tuple(structures)), origins, (z, y, x))
    record = {"patient": NAME, "split": "train", "folder": NAME, **converted.record}
    entry = write_stored(folder, record, converted.hu, converted.flat, {})
    index = {
        "format": FORMAT,
        "version": VERSION,
        "structures": [one.name for one in structures],
        "key_check": "",
        "patients": [entry],
    }
    write_atomically(folder / "index.json", json.dumps(index).encode())


def _bind(trained: ModelPackage, general: ModelPackage, binding: PatientBinding) -> dict[str, Any]:
    """Return the metadata of the patient's package: its own name, so that it does not replace the general one."""
    metadata = dict(trained.metadata)
    return metadata | {
        "name": f"{general.name}-patient-{binding.key[:8]}",
        "version": general.version,
        "description": f"{general.name} {general.version}, trained on for one patient.",
        "intended_use": "Proposals for review on later CTs of the same patient; not used for anyone else.",
        "patient": asdict(binding),
    }


def unused_structures(adaptation: Adaptation) -> Iterator[Finding]:
    """Yield a finding for each structure of the set that nothing is learnt from."""
    wanted, used = {*adaptation.package.structures, *adaptation.added}, _by_name(adaptation).values()
    for structure in adaptation.structure_set.structures:
        if structure.name not in wanted and structure.tg263_name not in wanted:
            yield Finding.of("AC-AD-010", structure.name, structure=structure.name)
        elif all(structure is not one for one in used):
            yield Finding.of("AC-AD-011", structure.name, structure=structure.name)
