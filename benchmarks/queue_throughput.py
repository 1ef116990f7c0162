"""The queue against ``autocontour contour`` for each series, and a batch that is killed at random.

``python benchmarks/queue_throughput.py --series 6`` prints the ratio of the times; with ``--kills 3 --more FOLDER`` it
adds the CTs of a folder, kills the run and its worker so often, and checks that every series has one result or a code.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.phantom import build_phantom

PROGRAM = [sys.executable, "-m", "autocontour.cli"]


def make_series(folder: Path, count: int, scale: float) -> list[Path]:
    folders = []
    for seed in range(count):
        site = ("head-neck", "thorax")[seed % 2]
        shape = (int(60 / scale), int(256 / scale), int(256 / scale))
        phantom = build_phantom(site, seed, spacing_zyx_mm=(5 * scale, 2 * scale, 2 * scale), shape_zyx=shape)
        description = SeriesDescription(f"BENCH^{seed}", f"BENCH{seed}", uid_seed=f"bench {seed} {scale}")
        write_ct_series(phantom.hu, phantom.geometry, folder / f"{seed}", description)
        folders.append(folder / f"{seed}")
    return folders


def compare(folder: Path, series: list[Path], options: list[str]) -> None:
    start = time.perf_counter()
    for number, ct in enumerate(series):
        command = [*PROGRAM, "contour", str(ct), "-o", str(folder / f"RS{number}.dcm"), "--json", *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    each = time.perf_counter() - start
    queue = ["--queue", str(folder / "queue"), "--json"]
    start = time.perf_counter()
    command = [*PROGRAM, "queue", "add", *map(str, series), "-o", str(folder / "out"), *queue, *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*PROGRAM, "queue", "run", *queue], check=True, stdout=subprocess.DEVNULL)
    together = time.perf_counter() - start
    print(f"{len(series)} series: contour {each:.1f} s, queue {together:.1f} s, ratio {each / together:.2f}")


def kill_at_random(folder: Path, paths: list[Path], kills: int, options: list[str]) -> None:
    out = folder / "out"
    queue = ["--queue", str(folder / "queue"), "--json"]
    subprocess.run([*PROGRAM, "queue", "add", *map(str, paths), "-o", str(out), *queue, *options], check=False)
    seen: dict[str, str] = {}
    for number in range(kills + 1):
        run = [*PROGRAM, "queue", "run", *queue, "--attempts", "2", "--retry-seconds", "1"]
        process = subprocess.Popen(run, stdout=subprocess.PIPE, text=True)
        if number < kills:
            time.sleep(random.uniform(2, 25))
            process.send_signal(signal.SIGKILL)
        process.communicate()
        now = {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in out.glob("*")}
        print(f"after {'a kill' if number < kills else 'the end'}: {len(now)} results")
        assert seen.items() <= now.items(), "a result was written twice"
        seen = now
    listed = subprocess.run([*PROGRAM, "queue", "list", *queue], check=True, capture_output=True, text=True).stdout
    records = [json.loads(line) for line in listed.splitlines()]
    for record in records:
        code = (record["error"] or {}).get("code", "")
        print(f"{record['number']:4d}  {record['state']:10}  {record['slices']:4d} slices  {code}")
        assert record["state"] == "done" or code, "neither a result nor a code"
    assert len(seen) == sum(record["state"] == "done" for record in records)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=6)
    parser.add_argument("--scale", type=float, default=1.0, help="coarser voxels")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--more", type=Path, nargs="*", default=[])
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=[], help="of contour and add")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        series = make_series(Path(name) / "in", args.series, args.scale)
        if args.kills:
            kill_at_random(Path(name), [*series, *args.more], args.kills, args.options)
        else:
            compare(Path(name), series, args.options)


if __name__ == "__main__":
    main()
