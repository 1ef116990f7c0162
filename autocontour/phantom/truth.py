"""A phantom's true contours as a structure set."""

from __future__ import annotations

from autocontour import __version__
from autocontour.patient.nomenclature import find_term
from autocontour.patient.provenance import Provenance
from autocontour.patient.structures import Structure, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.phantom.build import Phantom
from autocontour.phantom.followup import FollowUp


def truth_structures(phantom: Phantom | FollowUp, ct: CTVolume, label: str = "TRUTH") -> StructureSet:
    """Return the true contours as the structure set of the series `ct`."""
    provenance = Provenance("autocontour phantom", __version__)
    structures = tuple(
        Structure(
            name,
            number,
            contours,
            tg263_name=name,
            interpreted_type=find_term(name).interpreted_type,
            color_rgb=find_term(name).color_rgb,
            provenance=provenance,
            description="Exact contours of a phantom",
        )
        for number, (name, contours) in enumerate(phantom.truth.items(), 1)
    )
    series = ct.reference
    if series is None:
        return StructureSet(label, structures)
    return StructureSet(label, structures, series.series_instance_uid, series.frame_of_reference_uid)
