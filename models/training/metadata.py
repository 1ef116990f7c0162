"""The content of a package's ``metadata.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from autocontour.models.package.description import StructureRules
from autocontour.models.package.package import ModelPackage, parse_metadata
from autocontour.models.training.config import StageConfig, TrainingConfig

LEAST_MEDIAN = 0.5  # of the DSC on the validation patients, for a structure to be drawn by default


@dataclass(frozen=True)
class Calibration:
    """Values determined on patients that the networks are not trained on.

    Attributes
    ----------
    structures
        Structure → ``threshold``, and mean and median DSC at it (``validation_mean``, ``validation_median``).
    statistics
        Structure → volumes and relative positions; see
        `autocontour.models.inference.plausibility.compute_statistics`.
    uncertainty, findings
        Entries of the metadata; see `autocontour.models.training.calibrate`.
    """

    structures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    statistics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    uncertainty: Mapping[str, Any] | None = None
    findings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def build_metadata(config: TrainingConfig, calibration: Calibration) -> dict[str, Any]:
    """Return the content of ``metadata.json``, all but the summary of the training."""
    package = config.package
    structures = [
        {
            "name": name,
            "drawn": name not in package.research
            and calibration.structures.get(name, {}).get("validation_median", 0.0) >= LEAST_MEDIAN,
            "threshold": calibration.structures.get(name, {}).get("threshold", 0.5),
            "margin_mm": package.margin_mm,
            "rules": asdict(package.rules.get(name, StructureRules())),
            "statistics": dict(calibration.statistics.get(name, {})),
        }
        for name in config.data.structures
    ]
    metadata = {
        "format": 1,
        "name": config.name,
        "version": package.version,
        "changelog": dict(package.changelog),
        "monai_version": version("monai"),
        "pytorch_version": version("torch"),
        "numpy_version": version("numpy"),
        "task": "Segmentation of organs at risk on planning CT",
        "description": package.description,
        "authors": package.authors,
        "license": package.license,
        "data_source": package.data_source,
        "data_type": "DICOM CT",
        "intended_use": package.intended_use,
        "body_site": package.body_site,
        "site": {"anchors": list(package.anchors), "minimum": package.least_anchors},
        "structures": structures,
        "stages": {name: _stage(stage, package.localizer_threshold) for name, stage in config.stages.items()},
        "network_data_format": {
            "inputs": {"image": {"type": "image", "format": "hounsfield", "modality": "CT"}},
            "outputs": {"pred": {"type": "probabilities", "channel_def": dict(enumerate(config.data.structures))}},
        },
    }
    if calibration.uncertainty is not None:
        metadata["uncertainty"] = dict(calibration.uncertainty)
    if calibration.findings:
        metadata["findings"] = dict(calibration.findings)
    return metadata


def describe_package(config: TrainingConfig, folder: Path) -> ModelPackage:
    """Return the package of a configuration before training; it has no weights."""
    return parse_metadata(build_metadata(config, Calibration()), path=folder, checksum="")


def _stage(stage: StageConfig, threshold: float) -> dict[str, Any]:
    fields = {
        "network": stage.network,
        "spacing_zyx_mm": stage.spacing_zyx_mm,
        "window_zyx": stage.window_zyx,
        "intensity_windows_hu": stage.intensity_windows_hu,
        "threshold": threshold if stage.focus == "body" else 0.5,
    }
    plain: dict[str, Any] = json.loads(json.dumps(fields))
    return plain
