"""Mutated CT files: error codes, silent differences from an independent reading, time and memory.

    python benchmarks/fuzz_ct.py CT_FOLDER [--count 5000] [--seed 0]

Each round takes up to four neighbouring slices of a series in the folder, mutates one of them or all, and passes them
to all functions that read CT files: the scan, the checks, the voxels and the full dataset. Most mutations are
structure-aware: lengths, VRs, dropped, swapped and duplicated elements, sequences, character sets, values, the
description of the pixels and the pixel data. The result is compared with a reading by pydicom and numpy alone, and
with the slices before the mutation.

A round is silent if one CT was read without a finding of at least WARN that the unmutated slices have not, and its
UIDs, positions or Hounsfield units are neither those of the independent reading nor those of the unmutated slices.

Prints the outcomes of the rounds, the slowest in seconds of processor time, which is independent of other load, and the
growth of memory; exit code 1 after a silent round, another error, a round longer than a second, or
more than 1 GiB.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from autocontour.base.errors import AutoContourError
from autocontour.base.findings import Severity
from autocontour.base.jobs import Job
from autocontour.dicom import guarded, planning_cts, read_ct, read_dataset, scan_folder

LIMIT_S = 1.0
LIMIT_BYTES = 1 << 30
HEADER_BYTES = 4096
SLICES = 4
LONG_VRS = (b"OB", b"OW", b"OF", b"SQ", b"UC", b"UN", b"UR", b"UT")
VRS = (b"US", b"SS", b"DS", b"IS", b"LO", b"UI", b"OB", b"UN", b"SQ", b"FD", b"UT", b"ZZ", b"\0\0")
NUMBERS = (b"1e99", b"nan ", b"-inf", b"1,5 ", b"1_0 ", b"0 ", b"-1", b"\\\\", b"", b"1\\2\\3 ", b"12345678901234567.5")
CHARACTER_SETS = (b"ISO_IR 192", b"ISO 2022 IR 87", b"\\ISO 2022 IR 149", b"GB18030 ", b"ISO_IR 999", b"", b"\xff\xfe")
SEQUENCE = b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
SEQUENCE_END = b"\xfe\xff\x0d\xe0\x00\x00\x00\x00\xfe\xff\xdd\xe0\x00\x00\x00\x00"
SYNTAXES = (b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.2", b"1.2.840.10008.1.2.4.90", b"1.2.840.10008.1.2.1.99")
DESCRIPTION = ("0010", "0011", "0100", "0101", "0102", "0103", "0120", "1052", "1053", "0030")


@dataclass(frozen=True)
class Element:
    """Position of one element in an explicit little endian file."""

    tag: tuple[int, int]
    vr: bytes
    start: int
    value: int
    stop: int

    @property
    def length_at(self) -> tuple[int, int]:
        """Position and size of the length field."""
        return (self.value - 4, 4) if self.vr in LONG_VRS else (self.value - 2, 2)


def find_elements(data: bytes) -> list[Element]:
    """Return the top-level elements of an explicit little endian file, up to the first that cannot be parsed."""
    found, at = [], 132 if data[128:132] == b"DICM" else 0
    while at + 12 <= len(data):
        vr = data[at + 4 : at + 6]
        if not vr.isalpha():
            break
        value = at + (12 if vr in LONG_VRS else 8)
        length = int.from_bytes(data[value - 4 : value] if vr in LONG_VRS else data[value - 2 : value], "little")
        if length == 0xFFFFFFFF or value + length > len(data):
            break
        tag = int.from_bytes(data[at : at + 2], "little"), int.from_bytes(data[at + 2 : at + 4], "little")
        found.append(Element(tag, vr, at, value, value + length))
        at = value + length
    return found


Mutation = Callable[[bytearray, list[Element], random.Random], None]


def _length(data: bytearray, elements: list[Element], rng: random.Random) -> None:
    at, size = rng.choice(elements).length_at
    old, top = int.from_bytes(data[at : at + size], "little"), (1 << 8 * size) - 1
    new = rng.choice((0, old + 1, old - 1, old + 2, old * 2, top, top - 1, old ^ 1 << rng.randrange(8 * size)))
    data[at : at + size] = (new & top).to_bytes(size, "little")


def _vr(data: bytearray, elements: list[Element], rng: random.Random) -> None:
    element = rng.choice(elements)
    data[element.start + 4 : element.start + 6] = rng.choice(VRS)


def _drop(data: bytearray, elements: list[Element], rng: random.Random) -> None:
    element = rng.choice(elements)
    del data[element.start : element.stop]


def _swap(data: bytearray, elements: list[Element], rng: random.Random) -> None:
    first, second = sorted(rng.sample(elements[:-1], 2), key=lambda element: element.start)
    one, between = data[first.start : first.stop], data[first.stop : second.start]
    data[first.start : second.stop] = data[second.start : second.stop] + between + one


def _swap_values(data: bytearray, elements: list[Element], rng: random.Random) -> None:
    first = rng.choice(elements)
    alike = [e for e in elements if e.vr == first.vr and e.stop - e.value == first.stop - first.value]
    second = rng.choice(alike)
    one, other = data[first.value : first.stop], data[second.value : second.stop]
    data[first.value : first.stop], data[second.value : second.stop] = other, one


def _duplicate(data: bytearray, elements: list[Element], rng: random.Random) -> None:
    element, at = rng.choice(elements[:-1]), rng.choice(elements).start
    copied = bytearray(data[element.start : element.stop])
    if len(copied) > 8 and rng.random() < 0.7:
        copied[-1 - rng.randrange(min(4, len(copied) - 8))] ^= 1 << rng.randrange(6)
    data[at:at] = copied


def _put(data: bytearray, element: Element, value: bytes) -> None:
    at, size = element.length_at
    data[element.value : element.stop] = value
    data[at : at + size] = len(value).to_bytes(size, "little")


def _value(data: bytearray, elements: list[Element], rng: random.Random) -> None:
    strings = [e for e in elements if e.vr in (b"DS", b"IS", b"UI", b"CS", b"TM", b"LO")]
    _put(data, rng.choice(strings), rng.choice(NUMBERS))


def _character_set(data: bytearray, elements: list[Element], rng: random.Random) -> None:
    for element in elements:
        if element.tag == (8, 5):
            value = rng.choice(CHARACTER_SETS)
            _put(data, element, value + b" " * (len(value) % 2))


def _description(data: bytearray, elements: list[Element], rng: random.Random) -> None:
    """Change one of the attributes that describe the pixels."""
    chosen = [e for e in elements if e.tag[0] == 0x28 and f"{e.tag[1]:04x}" in DESCRIPTION]
    element = rng.choice(chosen)
    if element.vr in (b"US", b"SS"):
        old = int.from_bytes(data[element.value : element.stop], "little")
        flipped = old ^ 1 << rng.randrange(16)
        new = rng.choice((old + 1, old - 1, old * 2, old // 2, 0, 1, 8, 11, 12, 15, 16, 32, flipped))
        _put(data, element, (new & 0xFFFF).to_bytes(2, "little"))
    else:
        old = bytes(data[element.value : element.stop]).strip()
        new = rng.choice((*NUMBERS, b"-" + old, old + b"0", old[::-1], b"1" + old, b"-1000 ", b"-1024 ", b"2 "))
        _put(data, element, new + b" " * (len(new) % 2))


def _pixels(data: bytearray, elements: list[Element], rng: random.Random) -> None:
    last = elements[-1]
    kind = rng.randrange(5)
    if kind == 0:
        del data[rng.randrange(last.value, len(data)) :]
    elif kind == 1:
        _put(data, last, bytes(data[last.value : last.stop]) + bytes(rng.choice((1, 2, 4, 100, 512, 4096))))
    elif kind == 2:
        _put(data, last, bytes(data[last.value + rng.choice((1, 2, 128, 1024)) : last.stop]))
    elif kind == 3:
        at = rng.randrange(last.value, last.stop)
        data[at : at + 64] = rng.randbytes(len(data[at : at + 64]))
    else:
        data[last.value : last.stop] = bytes(last.stop - last.value)


def _sequence(data: bytearray, elements: list[Element], rng: random.Random) -> None:
    element = rng.choice(elements)
    inner = bytes(data[element.start : element.stop])[:2000]
    depth = rng.choice((1, 1, 2, 20, 2000))
    nested = bytearray(SEQUENCE * depth + inner + SEQUENCE_END * rng.choice((depth, depth, depth - 1, 0)))
    if rng.random() < 0.3:
        nested[8:12] = rng.choice((len(nested) - 12, len(nested), 0, 1 << 20)).to_bytes(4, "little")
    at = rng.choice(elements).start
    data[at:at] = nested


def _syntax(data: bytearray, elements: list[Element], rng: random.Random) -> None:
    for element in elements:
        if element.tag == (2, 0x10):
            value = rng.choice(SYNTAXES)
            _put(data, element, value + b"\0" * (len(value) % 2))


def _bytes(data: bytearray, _: list[Element], rng: random.Random) -> None:
    """Damage without regard to structure, mostly in the header."""
    for _round in range(rng.choice((1, 1, 2, 4, 16, 64))):
        at = rng.randrange(max(1, min(len(data), HEADER_BYTES) if rng.random() < 0.85 else len(data)))
        kind = rng.randrange(6)
        if kind == 0:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 1 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            data[at : at + 4] = rng.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", rng.randbytes(4)))
        elif kind == 3:
            del data[at : at + rng.randrange(1, 64)]
        elif kind == 4:
            data[at:at] = data[at : at + rng.randrange(1, 512)] * rng.choice((1, 2, 50))
        else:
            del data[rng.randrange(at, len(data) + 1) :]


MUTATIONS: dict[str, Mutation] = {
    "length": _length,
    "VR": _vr,
    "dropped": _drop,
    "swapped": _swap,
    "values swapped": _swap_values,
    "duplicated": _duplicate,
    "value": _value,
    "character set": _character_set,
    "description of the pixels": _description,
    "pixel data": _pixels,
    "sequence": _sequence,
    "transfer syntax": _syntax,
    "bytes": _bytes,
}


@dataclass(frozen=True, eq=False)
class Reading:
    """The result of reading a folder."""

    uids: tuple[str, ...]
    origins_mm: np.ndarray[Any, Any]
    spacing_mm: tuple[float, ...]
    hu: np.ndarray[Any, Any]

    def agrees(self, other: Reading) -> bool:
        """Whether both have the same slices at the same places with the same Hounsfield units."""
        return (
            self.uids == other.uids
            and self.hu.shape == other.hu.shape
            and np.allclose(self.origins_mm, other.origins_mm, atol=1e-3)
            and np.allclose(self.spacing_mm, other.spacing_mm, rtol=1e-6)
            and bool((np.abs(self.hu.astype(float) - other.hu) <= 0.51).all())
        )


def read_independently(folder: Path) -> Reading | None:
    """Read a folder's CT slices with pydicom and numpy alone; None where that fails."""
    try:
        slices = [pydicom.dcmread(path, force=True) for path in sorted(folder.iterdir())]
        slices = [one for one in slices if one.get("Modality") == "CT" and "PixelData" in one]
        cosines = np.array([float(value) for value in slices[0].ImageOrientationPatient])
        normal = np.cross(cosines[:3], cosines[3:])
        origins = np.array([[float(value) for value in one.ImagePositionPatient] for one in slices])
        order = np.argsort(origins @ normal, kind="stable")
        return Reading(
            tuple(str(slices[i].SOPInstanceUID) for i in order),
            origins[order],
            tuple(float(value) for value in slices[0].PixelSpacing),
            np.stack([_plain_hu(slices[i]) for i in order]),
        )
    except Exception:  # noqa: BLE001  (whatever it is, the plain reader cannot read it)
        return None


def _plain_hu(one: pydicom.Dataset) -> np.ndarray[Any, Any]:
    slope, intercept = float(one.get("RescaleSlope", 1)), float(one.get("RescaleIntercept", 0))
    if one.file_meta.TransferSyntaxUID.is_compressed or one.BitsAllocated != 16:
        return np.clip(one.pixel_array * slope + intercept, -32768, 32767)
    order = ">" if one.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRBigEndian else "<"
    stated = one.HighBit  # another VR may have been written; the two bytes are the same
    high_bit = stated if isinstance(stated, int) else int.from_bytes(str(stated).encode("latin-1"), "little")
    count = one.Rows * one.Columns
    stored = np.frombuffer(one.PixelData, f"{order}u2", count).astype(np.int64) >> high_bit + 1 - one.BitsStored
    stored &= (1 << one.BitsStored) - 1
    if one.PixelRepresentation:
        stored = np.where(stored >= 1 << one.BitsStored - 1, stored - (1 << one.BitsStored), stored)
    if (padding := one.get("PixelPaddingValue")) is not None:
        padding = padding & 0xFFFF if one.PixelRepresentation == 0 else (padding + 0x8000 & 0xFFFF) - 0x8000
        if padding * slope + intercept > -900:
            stored = np.where(stored == padding, (-1024 - intercept) / slope, stored)
    return np.clip(stored.reshape(one.Rows, one.Columns) * slope + intercept, -32768, 32767)


@dataclass(frozen=True, eq=False)
class Round:
    """The result of the program for a folder: a reading with its warnings, or the code of an error."""

    outcome: str
    reading: Reading | None = None
    warnings: frozenset[str] = frozenset()


def read_everything(folder: Path) -> Round:
    """Pass the files of a folder to all functions that read them."""
    for file in folder.iterdir():
        try:
            dataset = read_dataset(file)
            with guarded():
                for element in dataset.iterall():
                    str(element.value)
        except AutoContourError:
            pass
    try:
        found = planning_cts(scan_folder(folder, Job()))
        if len(found) != 1:
            return Round("several series" if found else "no CT")
        ct = read_ct(found[0], Job())
    except AutoContourError as error:
        return Round(error.code)
    assert ct.reference is not None
    reading = Reading(
        ct.reference.sop_instance_uids, ct.geometry.slice_origins_lps_mm, ct.geometry.pixel_spacing_vu_mm, ct.hu
    )
    warnings = frozenset(finding.code for finding in ct.findings if finding.severity > Severity.INFO)
    return Round("read", reading, warnings)


def find_sources(folder: Path) -> list[list[bytes]]:
    """Return runs of neighbouring slices, as bytes, of every series that can be read."""
    sources: dict[str, list[tuple[float, bytes]]] = defaultdict(list)
    for path in sorted(folder.rglob("*.dcm")):
        one = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        if one.get("Modality") == "CT" and "ImagePositionPatient" in one:
            key = f"{path.parent} {one.get('SeriesInstanceUID')} {one.file_meta.get('TransferSyntaxUID')}"
            sources[key].append((float(one.ImagePositionPatient[2]), path.read_bytes()))
    runs = []
    for slices in sources.values():
        slices.sort(key=lambda pair: pair[0])
        step = max(1, len(slices) // 6)
        runs += [[data for _, data in slices[at : at + SLICES]] for at in range(0, len(slices), step)]
    return runs


def write_files(folder: Path, files: Sequence[bytes]) -> None:
    for number, data in enumerate(files):
        (folder / f"{number:02d}.dcm").write_bytes(data)


def mutate(files: Sequence[bytes], rng: random.Random) -> tuple[list[bytes], str]:
    """Mutate one of the files, or all of them in the same way."""
    names = [rng.choice(list(MUTATIONS)) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    chosen = range(len(files)) if rng.random() < 0.5 else [rng.randrange(len(files))]
    seed, damaged = rng.random(), list(files)
    for index in chosen:
        same, data = random.Random(seed), bytearray(files[index])
        for name in names:
            elements = find_elements(bytes(data))
            if len(elements) > 2 or name == "bytes":
                try:
                    MUTATIONS[name](data, elements, same)
                except (IndexError, ValueError, OverflowError):
                    continue  # what it would change is gone
        damaged[index] = bytes(data)
    return damaged, " + ".join(names)


def is_silent(mutated: Round, sound: Round, folder: Path) -> bool:
    """Whether the round gave another CT without a warning."""
    if mutated.reading is None or mutated.warnings - sound.warnings:
        return False
    if sound.reading is not None and mutated.reading.agrees(sound.reading):
        return False
    independent = read_independently(folder)
    return independent is None or not mutated.reading.agrees(independent)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="run this round alone")
    args = parser.parse_args()
    sources, sound = find_sources(args.folder), {}
    outcomes: Counter[str] = Counter()
    escaped, silent, slowest = 0, 0, (0.0, -1)
    memory_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(args.count) if args.only is None else [args.only]:
        rng = random.Random(args.seed * 1_000_003 + number)
        which = rng.randrange(len(sources))
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if which not in sound:
                write_files(folder, sources[which])
                sound[which] = read_everything(folder)
            files, kind = mutate(sources[which], rng)
            write_files(folder, files)
            start = time.process_time()
            try:
                mutated = read_everything(folder)
            except Exception:  # noqa: BLE001  (finding these is the point)
                escaped += 1
                print(f"round {number} ({kind}):", traceback.format_exc(), file=sys.stderr)
                continue
            slowest = max(slowest, ((time.process_time() - start) / len(files), number))
            outcomes["read with a warning" if mutated.warnings - sound[which].warnings else mutated.outcome] += 1
            if is_silent(mutated, sound[which], folder):
                silent += 1
                print(f"round {number} ({kind}): silent", file=sys.stderr)
    growth = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_kib)
    print(
        f"{args.count} mutated files, {escaped} errors not ours, {silent} silent differences, "
        f"slowest {slowest[0]:.3f} s a file (round {slowest[1]}), memory grew by {growth / 2**20:.0f} MiB, "
        f"seed {args.seed}"
    )
    print(", ".join(f"{code} {count}" for code, count in outcomes.most_common()))
    return int(escaped > 0 or silent > 0 or slowest[0] > LIMIT_S or growth > LIMIT_BYTES)


if __name__ == "__main__":
    sys.exit(main())
