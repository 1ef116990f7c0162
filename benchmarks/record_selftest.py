"""Record what `autocontour selftest` expects, for a release: ``python benchmarks/record_selftest.py``.

Look at the demo's pictures first: what is recorded here is what every site's installation is held to.
"""

from __future__ import annotations

from autocontour.base.jobs import Job
from autocontour.selftest.selftest import EXPECTED, record_expectation

if __name__ == "__main__":
    record_expectation(Job())
    print(EXPECTED.read_text(encoding="utf-8"))
