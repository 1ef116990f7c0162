"""Validation of a network in training on whole patients, with the inference code of the finished package."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from autocontour.base.jobs import Job
from autocontour.contouring import mask_from_contours
from autocontour.models.data.dataset import Sample
from autocontour.models.inference.localizer import Patient, find_patient, localize_probabilities
from autocontour.models.inference.runtime import Channels, Runner
from autocontour.models.inference.segmenter import Segmented, segment_boxes
from autocontour.models.package.package import ModelPackage
from autocontour.models.training.precision import mixed_precision
from autocontour.patient.geometry import Box, Floats


class TrainingRunner:
    """A network in training, run as inference runs a package's: on the trainer's device, in mixed precision."""

    def __init__(self, network: nn.Module, device: torch.device, precision: torch.dtype = torch.bfloat16) -> None:
        self._network, self._device, self._precision = network, device, precision
        self.device = f"{device.type} torch"

    def __call__(self, windows: Iterable[Channels]) -> Iterator[Channels]:
        """Yield the (structures, z, y, x) probabilities of each (channels, z, y, x) input."""
        return map(self._run, windows)

    @torch.inference_mode()
    def _run(self, window: Channels) -> Channels:
        image = torch.from_numpy(window[None]).to(self._device)
        with mixed_precision(self._device, self._precision):
            logits = self._network(image)
        probabilities: Channels = torch.sigmoid(logits.float())[0].cpu().numpy()
        return probabilities


def validate(
    network: nn.Module,
    samples: Sequence[Sample],
    package: ModelPackage,
    role: str,
    device: torch.device,
    precision: torch.dtype = torch.bfloat16,
) -> NDArray[np.float64]:
    """Return the DSC of every patient (rows) and structure (columns); NaN where it is not contoured.

    Parameters
    ----------
    network
        On `device`.
    samples
        Patients that it was not trained on.
    package
        Describes the stages and structures; its weights are not read.
    role
        ``localizer`` or ``segmenter``. For the segmenter a box around each reference is used, as from a localizer
        without error.
    device
        Device of the network.
    precision
        Type that it computes in.
    """
    runner = TrainingRunner(network.eval(), device, precision)
    rows = [dice_of_sample(predict_sample(runner, sample, package, role), sample, package) for sample in samples]
    network.train()
    return np.array(rows)


def predict_sample(runner: Runner, sample: Sample, package: ModelPackage, role: str) -> dict[str, NDArray[np.bool_]]:
    """Return a stage's result for the structures contoured in a patient, as masks on the patient's CT."""
    ct = sample.to_ct()
    patient = find_patient(ct)
    if patient is None:
        return {}
    levels = {name: structure.threshold for name, structure in package.structures.items()}
    if role == "localizer":
        levels = dict.fromkeys(levels, package.stages[role].threshold)
    return {
        name: mask_from_contours(outcome.contours_at(levels[name], ct.geometry), ct.geometry)
        for name, outcome in _predict(runner, patient, sample, package, role).items()
    }


def _predict(
    runner: Runner, patient: Patient, sample: Sample, package: ModelPackage, role: str
) -> dict[str, Segmented]:
    boxes = reference_boxes(sample, package)
    if role != "localizer":
        return segment_boxes(patient, package, runner, boxes, Job()) if boxes else {}
    probabilities, grid = localize_probabilities(patient, package, runner, Job())
    return {name: Segmented(probabilities[name], grid, (), probabilities[name]) for name in boxes}


def reference_boxes(sample: Sample, package: ModelPackage) -> dict[str, tuple[Floats, Floats]]:
    """Return the lower and upper edges in mm of every reference, with the margin that the localizer's boxes have."""
    boxes: dict[str, tuple[Floats, Floats]] = {}
    for k, (name, structure) in enumerate(package.structures.items()):
        reference = sample.reference(k)
        box = None if reference is None else Box.around(reference)
        if box is not None:
            low, high = ((np.array(edge) - 0.5) * sample.spacing_zyx_mm for edge in (box.start_zyx, box.stop_zyx))
            boxes[name] = (low - structure.margin_mm, high + structure.margin_mm)
    return boxes


def dice_of_sample(drawn: dict[str, NDArray[np.bool_]], sample: Sample, package: ModelPackage) -> NDArray[np.float64]:
    """Return the DSC of every structure on the solid slices; NaN where it is not contoured, 0 where it is not drawn."""
    result = np.full(len(package.structures), np.nan)
    for k, name in enumerate(package.structures):
        reference = sample.reference(k)
        if reference is not None:
            result[k] = dice(reference, drawn[name], sample) if name in drawn else 0.0
    return result


def dice(reference: NDArray[np.bool_], drawn: NDArray[np.bool_], sample: Sample) -> float:
    """Return the DSC of two masks on the patient's CT, counted on the solid slices; `reference` is not empty."""
    drawn = drawn & sample.solid[:, None, None]
    return float(2 * (drawn & reference).sum() / (drawn.sum() + reference.sum()))
