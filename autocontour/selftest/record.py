"""The record of a self test: what was tested, of which program, on which computer, and when."""

from __future__ import annotations

import platform
import time
from datetime import UTC, datetime
from typing import Any

from autocontour import __version__
from autocontour.base.jobs import Job
from autocontour.models import available_packages
from autocontour.selftest.round_trip import run_round_trips
from autocontour.selftest.selftest import run_selftest
from autocontour.selftest.stress import Outcome, run_stress

FORMAT, VERSION = "autocontour self test", 1


def make_record(job: Job, *, full: bool = False) -> dict[str, Any]:
    """Run the self test and return its record as plain values.

    Parameters
    ----------
    job
        Reports progress; may cancel.
    full
        Whether structure sets are written and read with every export profile, and the stress suite is run.
    """
    begin = time.monotonic()
    checks = run_selftest(job)
    trips = run_round_trips(job) if full else []
    results = run_stress(job) if full else []
    passed = all(one.passed for one in checks) and all(one.passed for one in trips)
    record: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "passed": passed and all(one.outcome is not Outcome.SILENT for one in results),
        "program": __version__,
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "computer": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "packages": [f"{one.name} {one.version} {one.checksum}" for one in available_packages()],
        "seconds": round(time.monotonic() - begin),
        "checks": [one.to_json() for one in checks],
    }
    if full:
        record["round_trips"] = [one.to_json() for one in trips]
        record["stress"] = [one.to_json() for one in results]
    return record
