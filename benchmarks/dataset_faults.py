"""Build a data set of phantom patients with planted faults, and count what is found.

    python benchmarks/dataset_faults.py [PATIENTS] [ANATOMIES] [SEED]

PATIENTS (200) are variations in size and noise of ANATOMIES (20) thorax phantoms. Each fault of
`autocontour.selftest.planted.PLANTED` is planted in one of them, chosen by SEED (0). Printed are the faults and what
was reported for their patients, warnings about sound patients, and the time.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from autocontour.archive.build import BuildRequest, build_dataset
from autocontour.archive.check import check_dataset
from autocontour.base.errors import DatasetError
from autocontour.base.findings import Severity
from autocontour.base.jobs import Job
from autocontour.base.register import read_register
from autocontour.selftest.planted import PLANTED, base_phantom, reported, write_archive


def main() -> int:
    count, anatomies, seed = (int(text) for text in [*sys.argv[1:], *("200", "20", "0")[len(sys.argv) - 1 :]])
    numbers = np.random.default_rng(seed).choice(count, len(PLANTED), replace=False).tolist()
    faults = dict(zip(numbers, PLANTED.values(), strict=True))
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        started = time.monotonic()
        patients = write_archive(root / "archive", count, faults, lambda number: base_phantom(number, anatomies))
        print(f"{count} patients of {anatomies} anatomies written in {time.monotonic() - started:.0f} s")
        request = BuildRequest(root / "archive", root / "data", test_share=0.2)
        started = time.monotonic()
        try:
            build_dataset(request, Job())
        except DatasetError as error:
            print(f"names: {error.code} after {time.monotonic() - started:.0f} s")
        path = request.names_file
        text = path.read_text(encoding="utf-8").replace("confirmed = false", "confirmed = true", 1)
        row = '"heart_old"\nstructure = '
        path.write_text(text.replace(f'{row}""', f'{row}"Heart"'), encoding="utf-8")
        started = time.monotonic()
        report = build_dataset(request, Job())
        print(f"built in {time.monotonic() - started:.0f} s: {len(report.index['patients'])} patients used")
        started = time.monotonic()
        again = build_dataset(request, Job())
        print(f"built again in {time.monotonic() - started:.0f} s: {again.reused} unchanged")
        print(f"check: {len(check_dataset(request.output, Job()))} findings\n")
        missed = 0
        for (fault, expected), number in zip(PLANTED.items(), numbers, strict=True):
            found = reported(report, request.private, patients[number])
            missed += not expected.is_in(found)
            hits = sorted(f"{code} {name}".strip() for code, name in found if code in expected.codes)
            print(f"{'found ' if expected.is_in(found) else 'MISSED'} {fault}: {', '.join(hits)}")
        sound = [patient for patient in patients if patient.number not in faults]
        warned: Counter[str] = Counter()
        for patient in sound:
            codes = {code for code, _ in reported(report, request.private, patient)}
            warned.update(code for code in codes if read_register()[code].severity != Severity.INFO.name)
        print(f"\n{len(PLANTED) - missed} of {len(PLANTED)} faults found")
        print(f"{len(sound)} sound patients; with a warning: {dict(warned)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
