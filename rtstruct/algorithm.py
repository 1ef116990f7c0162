"""The algorithm that drew a structure: Algorithm Identification Macro (PS3.3 section 10.16)."""

from __future__ import annotations

import re

from pydicom import Dataset
from pydicom.sr.codedict import codes

from autocontour.patient.provenance import Provenance
from autocontour.rtstruct.text import Encodings, shown_text
from autocontour.rtstruct.write.modules import PRODUCT, build_code


def build_algorithm(provenance: Provenance) -> Dataset:
    """Build the item; an algorithm defined by a package has its checksum, rules have none."""
    family = codes.DCM.ArtificialIntelligence if provenance.checksum else codes.DCM.MorphologicalOperations
    parameters = {"sha256": provenance.checksum, "device": provenance.device, "template": provenance.template}
    if provenance.confidence is not None:
        parameters["confidence"] = f"{provenance.confidence:.3f}"
    item = Dataset()
    item.AlgorithmFamilyCodeSequence = [build_code(family)]
    item.AlgorithmName = provenance.algorithm[:64]
    item.AlgorithmVersion = provenance.version[:64]
    item.AlgorithmParameters = "; ".join(f"{name}={value}" for name, value in parameters.items() if value)
    item.AlgorithmSource = PRODUCT
    return item


def read_algorithm(roi: Dataset, encodings: Encodings = ("utf_8",)) -> Provenance | None:
    """Read a Structure Set ROI Sequence item's algorithm, also of another program; None if there is none."""
    items = roi.get("ROIDerivationAlgorithmIdentificationSequence")
    if not items:
        return None
    texts = (shown_text(items[0], f"Algorithm{part}", encodings) for part in ("Name", "Version", "Parameters"))
    name, version, parameters = texts
    values = dict(pair.split("=", 1) for pair in parameters.split("; ") if "=" in pair)
    sha256, device, template = (values.get(key, "") for key in ("sha256", "device", "template"))
    return Provenance(name.strip(), version.strip(), sha256, device, template, _fraction(values.get("confidence", "")))


def _fraction(text: str) -> float | None:
    """Return a number from 0 to 1; None for anything else that a file may hold."""
    return float(text) if re.fullmatch(r"[01]\.\d+", text) else None
