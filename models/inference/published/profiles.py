"""The profiles of a published network compared with ``exact`` on the user's own CT."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

import numpy as np

from autocontour.base.jobs import Job
from autocontour.contouring import mask_from_contours
from autocontour.models.inference.published.segment import Drawn, draw_published, procedure_of
from autocontour.models.package.history import rewrite_and_record
from autocontour.models.package.package import ModelPackage
from autocontour.models.package.procedure import SidesCheck, content_of
from autocontour.patient.structures import Contours
from autocontour.patient.volume import CTVolume


@dataclass(frozen=True)
class Comparison:
    """A profile compared with ``exact``.

    Attributes
    ----------
    seconds
        Wall-clock time of the profile.
    dsc
        Structure → DSC with ``exact`` on the CT's voxels; 0 where only one of them drew it.
    device
        Where it ran.
    """

    seconds: float
    dsc: Mapping[str, float]
    device: str

    def to_json(self) -> dict[str, object]:
        """Return the fields for the package's ``measured``."""
        dsc = {name: round(value, 4) for name, value in self.dsc.items()}
        return {"seconds": round(self.seconds, 1), "device": self.device, "dsc": dsc}


def measure_profiles(
    ct: CTVolume, package: ModelPackage, profiles: Collection[str], job: Job, device: str = "auto"
) -> dict[str, Comparison]:
    """Run ``exact`` and other profiles on a CT and compare what they draw.

    Raises
    ------
    ModelError
        As `autocontour.models.inference.published.segment.draw_published`.
    """
    names = list(package.structures)
    exact, seconds = _timed(ct, package, names, job, device, "exact")
    masks = {name: one.contours for name, one in exact.drawings.items()}
    found = {"exact": Comparison(seconds, dict.fromkeys(masks, 1.0), exact.device)}
    for profile in profiles:
        if profile != "exact":
            drawn, seconds = _timed(ct, package, names, job, device, profile)
            both = sorted({*masks, *drawn.drawings})
            others = {name: one.contours for name, one in drawn.drawings.items()}
            dsc = {name: _dsc(masks.get(name, {}), others.get(name, {}), ct) for name in both}
            found[profile] = Comparison(seconds, dsc, drawn.device)
    return found


def record(
    package: ModelPackage,
    sides: SidesCheck | None = None,
    measured: Mapping[str, Comparison] | None = None,
    profile: str = "",
) -> ModelPackage:
    """Write the results of a test into a package's metadata, or the profile that it is run with from now on.

    Raises
    ------
    ModelError
        As `autocontour.models.package.history.rewrite_and_record`.
    """
    procedure_of(package)
    changed = dict(package.metadata["procedure"])
    if sides is not None:
        content = content_of(package.metadata)
        changed["sides"] = asdict(sides) | {"structures": list(sides.structures), "content": content}
    if measured:
        found = {name: one.to_json() for name, one in measured.items()}
        changed["measured"] = {**changed.get("measured", {}), **found}
    if profile:
        changed["profile"] = profile
    metadata = {**package.metadata, "procedure": changed}
    return rewrite_and_record(package, metadata, f"profile {profile}" if profile else "tested on a CT")


def _timed(
    ct: CTVolume, package: ModelPackage, names: list[str], job: Job, device: str, profile: str
) -> tuple[Drawn, float]:
    start = time.perf_counter()
    drawn = draw_published(ct, package, names, job, device, profile)
    return drawn, time.perf_counter() - start


def _dsc(first: Contours, second: Contours, ct: CTVolume) -> float:
    a, b = (mask_from_contours(contours, ct.geometry) for contours in (first, second))
    total = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    return 2 * int(np.count_nonzero(a & b)) / total if total else 1.0
