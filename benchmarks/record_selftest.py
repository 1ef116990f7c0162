"""Record the expected results of `autocontour selftest`, for a release: ``python benchmarks/record_selftest.py``.

Check the demo's pictures first: every installation is compared with the results recorded here.
"""

from __future__ import annotations

from autocontour.base.jobs import Job
from autocontour.selftest.selftest import EXPECTED, record_expectation

if __name__ == "__main__":
    record_expectation(Job())
    print(EXPECTED.read_text(encoding="utf-8"))
