"""Check of this installation: the main job on two small phantoms, compared with the results of the release."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autocontour.base.jobs import Job
from autocontour.models import available_packages
from autocontour.phantom import Site
from autocontour.pipeline.plan import RULES
from autocontour.selftest.rehearsal import Rehearsal, rehearse

EXPECTED = Path(__file__).parent / "expected.json"
SEED = 1
SPACING_ZYX_MM = (3.0, 2.0, 2.0)
SHAPE_ZYX = (90, 256, 256)
SITES: tuple[Site, ...] = ("head-neck", "thorax")
RULE_TOLERANCE, NETWORK_TOLERANCE = 0.01, 0.05
"""In DSC. Processors differ in rounding, and networks run in the precision that a processor or GPU offers; a shift by
one voxel changes the DSC of all but the largest organs by more than the rules' tolerance."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check: the expected value, the value found, and whether they agree."""

    site: str
    structure: str
    expected_dsc: float | None
    found_dsc: float | None
    tolerance: float = RULE_TOLERANCE

    @property
    def passed(self) -> bool:
        """Whether the structure is drawn if and only if it is expected, with the expected DSC."""
        if self.expected_dsc is None or self.found_dsc is None:
            return False
        return abs(self.expected_dsc - self.found_dsc) <= self.tolerance

    def to_json(self) -> dict[str, str | float | bool | None]:
        """Return plain JSON values."""
        return {
            "site": self.site,
            "structure": self.structure,
            "expected_dsc": self.expected_dsc,
            "found_dsc": self.found_dsc,
            "tolerance": self.tolerance,
            "passed": self.passed,
        }


def run_selftest(job: Job) -> list[Check]:
    """Contour the phantoms and compare each structure's DSC with the recorded one.

    A structure that is missing, or drawn though it is not expected, fails its check; errors of the main job are raised
    unchanged. What a package of the user's own draws is not judged: nothing is recorded of it.
    """
    expected = json.loads(EXPECTED.read_text(encoding="utf-8"))
    found: dict[str, dict[str, float]] = {}
    ruled = set()
    own = {package.name for package in available_packages() if not package.bundled}
    for rehearsal in rehearse_all(job):
        found[rehearsal.site] = _dsc_by_structure(rehearsal)
        ruled |= {structure.name for structure in rehearsal.report.structures if structure.drawn_by == RULES}
        for name in (structure.name for structure in rehearsal.report.structures if structure.drawn_by in own):
            expected[rehearsal.site].pop(name, None)
            found[rehearsal.site].pop(name, None)
    return [
        Check(
            site,
            name,
            expected[site].get(name),
            found[site].get(name),
            RULE_TOLERANCE if name in ruled else NETWORK_TOLERANCE,
        )
        for site in SITES
        for name in sorted(expected[site].keys() | found[site].keys())
    ]


def record_expectation(job: Job) -> None:
    """Write the current results as the expected ones; for a release, after a visual check of the pictures."""
    found = {rehearsal.site: _dsc_by_structure(rehearsal) for rehearsal in rehearse_all(job)}
    EXPECTED.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def rehearse_all(job: Job) -> Iterator[Rehearsal]:
    """Run the job on each of the selftest's phantoms, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="autocontour-selftest-") as folder:
        for site in SITES:
            yield rehearse(
                site, Path(folder) / site, job, seed=SEED, spacing_zyx_mm=SPACING_ZYX_MM, shape_zyx=SHAPE_ZYX
            )


def _dsc_by_structure(rehearsal: Rehearsal) -> dict[str, float]:
    return {row.name: round(row.metrics.dsc, 4) for row in rehearsal.compared}
