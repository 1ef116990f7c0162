"""Read structure sets with random damage: only our errors may come out, and none may take a second.

    python benchmarks/fuzz_rtstruct.py [COUNT] [SEED]

Sound files in every encoding are damaged byte by byte, cut, spliced and padded. What can still be read is also checked
as before a write. The exit status is 1 if anything but an error of ours is raised, or if a file takes over a second
of processor time.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.uid import CTImageStorage, generate_uid

from autocontour.base.errors import AutoContourError
from autocontour.contouring import contours_from_mask
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Structure, StructureSet
from autocontour.patient.volume import CTVolume, SeriesReference
from autocontour.rtstruct import HoleStyle, WriteOptions, read_structure_set, write_structure_set

LIMIT_S = 1.0
SHAPE = (10, 48, 48)


def make_ct() -> CTVolume:
    header = Dataset()
    header.PatientName, header.PatientID = "Fuzz^Phantom", "F"
    header.StudyInstanceUID, header.FrameOfReferenceUID = generate_uid(None), generate_uid(None)
    uids = tuple(generate_uid(None) for _ in range(SHAPE[0]))
    reference = SeriesReference(
        header.StudyInstanceUID, generate_uid(None), header.FrameOfReferenceUID, CTImageStorage, uids, header
    )
    geometry = VolumeGeometry.regular(SHAPE, (3.0, 1.0, 1.0), (-24.0, -24.0, -15.0))
    return CTVolume(np.zeros(SHAPE, dtype=np.int16), geometry, reference)


def make_files(ct: CTVolume) -> list[bytes]:
    """Return sound files: three ways to write holes, in five encodings."""
    _, y, x = np.indices(SHAPE)
    radius = np.hypot(y - 24, x - 24)
    masks = {
        "Shell": (radius < 20) & (radius > 12),
        "Ball": radius < 6,
        "Sieve": (radius < 9) & (x % 3 > 0) & (y % 3 > 0),
    }
    structures = tuple(
        Structure(name, number, contours_from_mask(mask, ct.geometry))
        for number, (name, mask) in enumerate(masks.items(), 1)
    )
    files = []
    with tempfile.TemporaryDirectory() as folder:
        for holes in HoleStyle:
            path = Path(folder) / f"{holes}.dcm"
            write_structure_set(StructureSet("FUZZ", structures), ct, path, options=WriteOptions(holes=holes))
            files.append(path.read_bytes())
    return [*files, *re_encode(files[0])]


def re_encode(data: bytes) -> Iterator[bytes]:
    """Yield the same file in Implicit VR, big endian, deflated, and with undefined lengths."""
    for uid in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.1"):
        dataset = dcmread(BytesIO(data))
        for element in dataset.iterall():
            if element.VR == "SQ" and uid.endswith("1.2.1"):
                element.is_undefined_length = True
                for item in element.value:
                    item.is_undefined_length_sequence_item = True
        dataset.file_meta.TransferSyntaxUID = uid
        buffer = BytesIO()
        dcmwrite(buffer, dataset, implicit_vr=uid == "1.2.840.10008.1.2", little_endian=not uid.endswith("1.2.2"))
        yield buffer.getvalue()


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """Return the file with one kind of damage, in one to sixteen places."""
    damaged = bytearray(data)
    kind = rng.integers(6)
    for _ in range(2 ** int(rng.integers(5))):
        place = int(rng.integers(len(damaged)))
        length = int(2 ** rng.uniform(0, 10))
        if kind == 0:
            damaged[place] = int(rng.integers(256))
        elif kind == 1:
            damaged[place] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            damaged[place : place + length] = rng.bytes(length)
        elif kind == 3:
            del damaged[place : place + length]
        elif kind == 4:
            source = int(rng.integers(len(damaged)))
            damaged[place:place] = damaged[source : source + length]
        else:
            return bytes(damaged[:place])
        if not damaged:
            break
    return bytes(damaged)


def try_reading(data: bytes, ct: CTVolume, folder: Path) -> str:
    """Read a file, and write again what could be read without loss; return what came of it."""
    try:
        structure_set = read_structure_set(data, ct)
        write_structure_set(structure_set, ct, folder / "RS.dcm", overwrite=True)
    except AutoContourError as error:
        return error.code
    return "read"


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    rng = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    ct = make_ct()
    files = make_files(ct)
    outcomes: Counter[str] = Counter()
    slowest, faults = 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            data = damage(files[number % len(files)], rng)
            start = time.process_time()
            try:
                outcomes[try_reading(data, ct, Path(folder))] += 1
            except Exception as error:  # noqa: BLE001  (finding these is what this is for)
                faults += 1
                print(f"file {number}: {type(error).__name__}: {error}")
            slowest = max(slowest, time.process_time() - start)
    print(f"{count} files, slowest {slowest:.3f} s, {faults} errors that are not ours")
    print(", ".join(f"{code} {times}" for code, times in outcomes.most_common()))
    return int(faults > 0 or slowest > LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
