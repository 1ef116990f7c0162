"""Thresholds and limits of a joined package, determined on patients that none of its networks was trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from autocontour.base.errors import TrainingError
from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.models.data.dataset import Sample, read_index, read_patient
from autocontour.models.data.fingerprint import sample_fingerprint
from autocontour.models.package.package import ModelPackage
from autocontour.models.training.calibrate import calibrate_limits
from autocontour.models.training.metadata import LEAST_MEDIAN


def calibrate_joined(
    package: ModelPackage, data: Path, job: Job, device: str = "auto"
) -> tuple[dict[str, Any], tuple[Finding, ...]]:
    """Return the metadata of a joined package with thresholds and limits from the patients held out from all trainings.

    The findings (``AC-TR-038``) are about structures that are no longer drawn by default.

    Parameters
    ----------
    package
        With its weights.
    data
        Data set with the patients that ``training.validation_patients`` names.
    job
        Reports progress; may cancel.
    device
        As of `autocontour.models.inference.infer.segment_structures`.

    Raises
    ------
    TrainingError
        ``AC-TR-030`` if no patient of `data` was held out from the training of every network.
    """
    samples = _read_held_out(package, data, job)
    research = {name for name, one in package.structures.items() if not one.drawn}
    organs = [name for name in package.structures if name not in research]
    found = calibrate_limits(package, samples, organs, job, device)
    metadata: dict[str, Any] = json.loads(json.dumps(package.metadata))
    dropped = []
    for entry in metadata["structures"]:
        chosen = found.structures.get(entry["name"], {})
        if "validation_median" in chosen:
            entry["threshold"] = chosen["threshold"]
            entry["drawn"] = entry["name"] not in research and chosen["validation_median"] >= LEAST_MEDIAN
            if not entry["drawn"] and entry["name"] not in research:
                median = chosen["validation_median"]
                dropped.append(Finding.of("AC-TR-038", structure=entry["name"], median=median, least=LEAST_MEDIAN))
    if found.uncertainty is not None:
        metadata["uncertainty"] = dict(found.uncertainty)
    return metadata | {"findings": dict(found.findings)}, tuple(dropped)


def _read_held_out(package: ModelPackage, data: Path, job: Job) -> list[Sample]:
    training = package.metadata.get("training", {})
    held_out, seen = set(training.get("validation_patients", ())), set(training.get("fingerprints", ()))
    index = read_index(data)
    entries = [entry for entry in index["patients"] if str(entry["patient"]) in held_out]
    names = list(package.structures)
    read = [read_patient(data, entry, index, names) for entry in job.track(entries, "reading the patients")]
    samples = [sample for sample in read if sample_fingerprint(sample) not in seen]
    if not samples:
        raise TrainingError("AC-TR-030")
    return samples
