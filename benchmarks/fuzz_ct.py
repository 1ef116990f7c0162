"""Byte-mutated CT files: only our errors, none slower than a second.

    python benchmarks/fuzz_ct.py CT_FOLDER [--count 10000] [--seed 0]

Each round takes one file of the folder, damages it, and puts it through everything that reads CT files: the scan, the
checks, the voxels and the full dataset. Prints what came of them and the slowest in seconds of processor time, which a
busy machine does not stretch; exit code 1 if anything but our own errors escaped or a file took longer than a second.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from autocontour.base.errors import AutoContourError
from autocontour.base.jobs import Job
from autocontour.dicom import guarded, read_ct, read_dataset, scan_folder

LIMIT_S = 1.0
HEADER_BYTES = 4096


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Damage a file, mostly in its header: bytes, lengths, pieces lost, doubled, moved or nested."""
    damaged = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16, 64))):
        end = min(len(damaged), HEADER_BYTES) if rng.random() < 0.85 else len(damaged)
        if end < 16:
            break
        rng.choice(_MUTATIONS)(damaged, rng.randrange(end), rng)
    return bytes(damaged)


def _change_byte(data: bytearray, at: int, rng: random.Random) -> None:
    data[at] = rng.randrange(256)


def _flip_bit(data: bytearray, at: int, rng: random.Random) -> None:
    data[at] ^= 1 << rng.randrange(8)


def _change_length(data: bytearray, at: int, rng: random.Random) -> None:
    length = rng.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF, rng.randrange(1 << 32)))
    data[at : at + 4] = length.to_bytes(4, "little")


def _truncate(data: bytearray, at: int, rng: random.Random) -> None:
    del data[rng.randrange(at, len(data)) :]


def _cut_out(data: bytearray, at: int, rng: random.Random) -> None:
    del data[at : at + rng.randrange(1, 64)]


def _double(data: bytearray, at: int, rng: random.Random) -> None:
    data[at:at] = data[at : at + rng.randrange(1, 512)] * rng.choice((1, 2, 50))


def _fill(data: bytearray, at: int, rng: random.Random) -> None:
    size = rng.randrange(1, 256)
    data[at : at + size] = rng.randbytes(size)


def _nest(data: bytearray, at: int, rng: random.Random) -> None:
    sequence = b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    implicit = b"\x08\x00\x40\x11\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    data[at:at] = rng.choice((sequence, implicit)) * rng.choice((1, 10, 2000))


def _change_value(data: bytearray, at: int, rng: random.Random) -> None:
    data[at : at + 4] = rng.choice((b"1e99", b"-nan", b"\\\\\\\\", b"1_00", b"\xff\xff\xff\xff", b"\x1b$B\x1b"))


def _change_element(data: bytearray, at: int, rng: random.Random) -> None:
    tags = (b"\x28\x00\x10\x00", b"\xe0\x7f\x10\x00", b"\x20\x00\x32\x00", b"\xfe\xff\xdd\xe0", b"\x08\x00\x05\x00")
    data[at : at + 4] = rng.choice(tags)


_MUTATIONS = (
    *(_change_byte, _flip_bit, _change_length, _truncate, _cut_out),
    *(_double, _fill, _nest, _change_value, _change_element),
)


def read_everything(folder: Path) -> str:
    """Put the file of a folder through all that reads it and say what came of it."""
    (file,) = folder.iterdir()
    try:
        dataset = read_dataset(file)
        with guarded():
            for element in dataset.iterall():
                str(element.value)
    except AutoContourError:
        pass
    try:
        (series,) = scan_folder(folder, Job())
        read_ct(series, Job())
    except AutoContourError as error:
        return error.code
    return "read"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    sources = [path.read_bytes() for path in sorted(args.folder.rglob("*.dcm"))]
    outcomes: Counter[str] = Counter()
    slowest, escaped = (0.0, -1), 0
    for number in range(args.count):
        rng = random.Random(args.seed * 1_000_003 + number)
        data = mutate(rng.choice(sources), rng)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "mutated.dcm").write_bytes(data)
            start = time.process_time()
            try:
                outcomes[read_everything(Path(folder))] += 1
            except Exception:  # noqa: BLE001  (finding these is the point)
                escaped += 1
                print(f"round {number}:", traceback.format_exc(), file=sys.stderr)
            slowest = max(slowest, (time.process_time() - start, number))
    print(f"{args.count} mutated files, {escaped} errors not ours, slowest {slowest[0]:.3f} s (round {slowest[1]})")
    print(", ".join(f"{code} {count}" for code, count in outcomes.most_common()))
    return int(escaped > 0 or slowest[0] > LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
