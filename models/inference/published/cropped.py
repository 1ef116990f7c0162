"""The part of a CT that a network is run on, where its authors run it only inside the box of other structures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autocontour.base.errors import ModelError
from autocontour.base.jobs import Job
from autocontour.models.inference.published.oriented import Oriented
from autocontour.models.package.library import available_packages
from autocontour.models.package.package import ModelPackage
from autocontour.models.package.procedure import Crop
from autocontour.patient.geometry import Box
from autocontour.patient.volume import CTVolume


def find_crop(
    ct: CTVolume, oriented: Oriented, package: ModelPackage, crop: Crop, job: Job, device: str, *, exact: bool
) -> Box | None:
    """Return the box of a crop's structures, with its margin, in the voxels of the CT along the patient's z, y, x.

    Parameters
    ----------
    ct
        The scan.
    oriented
        The same, for its grid.
    package, crop
        The network that is run in the box, and its crop.
    job, device
        As of `autocontour.models.inference.published.segment.draw_published`.
    exact
        Whether the box is found by the profile ``exact`` of the other network, or by ``fast``.

    Returns
    -------
    Box or None
        None if the other network found none of the structures.

    Raises
    ------
    ModelError
        ``AC-MD-091`` if that network is not installed with its sides checked, or its own errors.
    """
    finder = next((one for one in available_packages() if _is_finder(one, crop)), None)
    if finder is None:
        structures = ", ".join(crop.structures)
        raise ModelError("AC-MD-091", package=package.name, finder=crop.finder, structures=structures)
    find = _exact_box if exact else _fast_box
    box = find(ct, oriented, finder, crop.structures, job, device)
    if box is None:
        return None
    more = [int(crop.margin_mm / step) for step in oriented.grid.spacing_zyx_mm]
    return box.padded((more[0], more[1], more[2]), oriented.grid.shape_zyx)


def _is_finder(package: ModelPackage, crop: Crop) -> bool:
    procedure = package.procedure
    if procedure is None or package.sides is None or procedure.model != crop.finder:
        return False
    return set(crop.structures) <= set(package.structures)


def _exact_box(
    ct: CTVolume, _: Oriented, finder: ModelPackage, names: Sequence[str], job: Job, device: str
) -> Box | None:
    from autocontour.models.inference.published.segment import exact_labels, procedure_of

    labels = exact_labels(ct, finder, job, device)[0]
    return Box.around(np.isin(labels, [value for name in names for value in procedure_of(finder).values[name]]))


def _fast_box(
    ct: CTVolume, oriented: Oriented, finder: ModelPackage, names: Sequence[str], job: Job, device: str
) -> Box | None:
    from autocontour.models.inference.published.segment import probabilities_in_boxes

    edges = []
    for _, grid, probability, *_ in probabilities_in_boxes(ct, finder, names, job, device).parts:
        inside = Box.around(probability >= 0.5)
        if inside is not None:
            edges.append(grid.edges_of(inside))
    if not edges:
        return None
    low, high = np.min([one for one, _ in edges], axis=0), np.max([one for _, one in edges], axis=0)
    return oriented.grid.box_of(low, high)
