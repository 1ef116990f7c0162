"""Read structure sets with random damage: nothing may be lost silently, and only our errors may come out.

    python benchmarks/fuzz_rtstruct.py [COUNT] [SEED]

COUNT valid files are changed with their structure in mind: lengths, value representations, tags, character sets and
values; items and elements dropped, swapped and duplicated. A fifth as many, in every encoding, are damaged byte by
byte, cut, spliced and padded. What a changed file holds is known from a reading of its bytes that shares no code with
the program: every contour must be read, or a Finding must be there that the valid file does not have, or the file is
refused. What was read must be written back with the same contours, byte for byte.

The exit status is 1 if contours are lost silently, if anything but an error of ours is raised, if something that was
read cannot be written, if a file takes over a second of processor time, or if the process takes over 1 GiB.
"""

from __future__ import annotations

import logging
import resource
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.uid import CTImageStorage, generate_uid

from autocontour.base.errors import AutoContourError
from autocontour.base.findings import Severity
from autocontour.contouring import contours_from_mask, volume_cc
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Structure, StructureSet
from autocontour.patient.volume import CTVolume, SeriesReference
from autocontour.rtstruct import (
    HoleStyle,
    WriteOptions,
    append_structures,
    read_structure_set,
    write_structure_set,
)

LIMIT_S, LIMIT_GIB, BYTES_SHARE = 1.0, 1.0, 5
SHAPE = (10, 48, 48)
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
_LONG = {b"OB", b"OW", b"SQ", b"UC", b"UN", b"UR", b"UT", b"OF", b"OD", b"OL"}
_VRS = [*sorted(_LONG), b"CS", b"DS", b"IS", b"LO", b"SH", b"UI", b"US", b"FD", b"PN", b"ZZ", b"ab"]
_CONTOURS, _CONTOUR, _DATA, _CHARACTER_SET = 0x30060039, 0x30060040, 0x30060050, 0x00080005
_SETS = ["ISO_IR 100", "ISO_IR 192", "ISO_IR 144", "GB18030", "\\ISO 2022 IR 149", "\\ISO 2022 IR 87", "ISO_IR 999", ""]


@dataclass
class Element:
    """One data element of a file: its value as bytes, or the items of a sequence."""

    tag: int
    vr: bytes
    value: bytes = b""
    items: list[list[Element]] | None = None
    undefined: bool = False


@dataclass
class Writer:
    """Elements as bytes, and where their lengths stand."""

    implicit: bool
    data: bytearray = field(default_factory=bytearray)
    lengths: list[tuple[int, int]] = field(default_factory=list)

    def put(self, elements: list[Element]) -> None:
        """Add elements."""
        for element in elements:
            self.data += struct.pack("<HH", element.tag >> 16, element.tag & 0xFFFF)
            size = 4
            if not self.implicit:
                self.data += element.vr
                size = 4 if element.vr in _LONG else 2
                self.data += b"\0\0" if size == 4 else b""
            self.lengths.append((len(self.data), size))
            place = len(self.data)
            self.data += bytes(size)
            if element.items is None:
                self.data += element.value
            for item in element.items or []:
                self._put_item(item, undefined=element.undefined)
            length = len(self.data) - place - size
            if element.undefined:
                length = 0xFFFFFFFF
                self.data += b"\xfe\xff\xdd\xe0\0\0\0\0"
            self.data[place : place + size] = (length & (256**size - 1)).to_bytes(size, "little")

    def _put_item(self, item: list[Element], *, undefined: bool) -> None:
        self.data += b"\xfe\xff\x00\xe0"
        self.lengths.append((len(self.data), 4))
        place = len(self.data)
        self.data += bytes(4)
        self.put(item)
        length = 0xFFFFFFFF if undefined else len(self.data) - place - 4
        self.data += b"\xfe\xff\x0d\xe0\0\0\0\0" if undefined else b""
        self.data[place : place + 4] = length.to_bytes(4, "little")


def parse(data: bytes, start: int, stop: int, *, implicit: bool) -> list[Element]:
    """Read elements of defined length from a valid little endian file."""
    elements = []
    while start < stop:
        group, number = struct.unpack_from("<HH", data, start)
        vr = b"SQ" if implicit else data[start + 4 : start + 6]
        if implicit or vr in _LONG:
            head = 8 if implicit else 12
            (length,) = struct.unpack_from("<I", data, start + head - 4)
        else:
            head, (length,) = 8, struct.unpack_from("<H", data, start + 6)
        start += head
        value = data[start : start + length]
        element = Element(group << 16 | number, vr, value)
        if vr == b"SQ" and (not implicit or value[:4] == b"\xfe\xff\x00\xe0"):
            element.items, place = [], start
            while place < start + length:
                (size,) = struct.unpack_from("<I", data, place + 4)
                element.items.append(parse(data, place + 8, place + 8 + size, implicit=implicit))
                place += 8 + size
        elements.append(element)
        start += length
    return elements


def contours_in(elements: list[Element]) -> Counter[bytes]:
    """Return the Contour Data of every contour of every item of the ROI Contour Sequence."""
    found: Counter[bytes] = Counter()
    for element in elements:
        if element.tag == _CONTOURS:
            for item in element.items or []:
                for inner in item:
                    if inner.tag == _CONTOUR:
                        found.update(_data(contour) for contour in inner.items or [])
    return found


def _data(contour: list[Element]) -> bytes:
    return next((one.value for one in contour if one.tag == _DATA), b"").strip(b" \0")


def read_contours(structure_set: StructureSet) -> Counter[bytes]:
    """Return the Contour Data of every contour that was read."""
    return Counter(
        contour.data.encode("latin-1").strip(b" \0")
        for structure in structure_set.structures
        for contour in (*structure.carried, *(c for mine in structure.imported.values() for c in mine))
    )


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
    """Return valid files: three ways to write holes, in five encodings."""
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
    for uid in (IMPLICIT, "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99", EXPLICIT):
        dataset = dcmread(BytesIO(data))
        for element in dataset.iterall():
            if element.VR == "SQ" and uid == EXPLICIT:
                element.is_undefined_length = True
                for item in element.value:
                    item.is_undefined_length_sequence_item = True
        dataset.file_meta.TransferSyntaxUID = uid
        buffer = BytesIO()
        dcmwrite(buffer, dataset, implicit_vr=uid == IMPLICIT, little_endian=not uid.endswith("1.2.2"))
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


def sequences(elements: list[Element]) -> list[Element]:
    """Return every sequence that has items, however deep."""
    found = []
    for element in elements:
        if element.items:
            found.append(element)
            for item in element.items:
                found.extend(sequences(item))
    return found


def datasets(elements: list[Element]) -> list[list[Element]]:
    """Return the dataset and every item in it that is not empty."""
    return [elements, *(item for sequence in sequences(elements) for item in sequence.items or [] if item)]


def drop_item(tree: list[Element], rng: np.random.Generator) -> None:
    sequence = pick(sequences(tree), rng)
    del sequence.items[int(rng.integers(len(sequence.items)))]


def swap_items(tree: list[Element], rng: np.random.Generator) -> None:
    for _ in range(4):
        items = pick(sequences(tree), rng).items
        a, b = rng.integers(len(items), size=2).tolist()
        items[a], items[b] = items[b], items[a]


def duplicate_item(tree: list[Element], rng: np.random.Generator) -> None:
    items = pick(sequences(tree), rng).items
    items.insert(int(rng.integers(len(items) + 1)), pick(items, rng))


def drop_element(tree: list[Element], rng: np.random.Generator) -> None:
    dataset = pick(datasets(tree), rng)
    del dataset[int(rng.integers(len(dataset)))]


def duplicate_element(tree: list[Element], rng: np.random.Generator) -> None:
    dataset = pick(datasets(tree), rng)
    dataset.insert(int(rng.integers(len(dataset) + 1)), pick(dataset, rng))


def swap_elements(tree: list[Element], rng: np.random.Generator) -> None:
    dataset = pick(datasets(tree), rng)
    a, b = rng.integers(len(dataset), size=2).tolist()
    dataset[a], dataset[b] = dataset[b], dataset[a]


def change_vr(tree: list[Element], rng: np.random.Generator) -> None:
    pick(pick(datasets(tree), rng), rng).vr = pick(_VRS, rng)


def flip_tag(tree: list[Element], rng: np.random.Generator) -> None:
    pick(pick(datasets(tree), rng), rng).tag ^= 1 << int(rng.integers(32))


def change_value(tree: list[Element], rng: np.random.Generator) -> None:
    element = pick(pick(datasets(tree), rng), rng)
    texts = [b"word", b"", b"1\\2", b"-7", b"1e400 ", b"nan ", b"A\nB\t", b"\xff\xfe\x80\x81", b"12" * 9, b"\\\\"]
    if element.items is None:
        element.value = pick(texts, rng)


def change_character_set(tree: list[Element], rng: np.random.Generator) -> None:
    tree[:] = [element for element in tree if element.tag != _CHARACTER_SET]
    text = pick(_SETS, rng).encode()
    tree.insert(0, Element(_CHARACTER_SET, b"CS", text + b" " * (len(text) % 2)))
    for dataset in datasets(tree):
        for element in dataset:
            if element.tag in {0x30060026, 0x30060028, 0x30060002} and rng.random() < 0.8:
                element.value = rng.bytes(2 * int(rng.integers(1, 9))).replace(b"\\", b"/").replace(b"\0", b"x")


def make_undefined(tree: list[Element], rng: np.random.Generator) -> None:
    for sequence in sequences(tree):
        sequence.undefined = rng.random() < 0.5


def nest(tree: list[Element], rng: np.random.Generator) -> None:
    inner = Element(0x30060086, b"SQ", items=[])
    for _ in range(int(rng.integers(1, 400))):
        inner = Element(0x30060086, b"SQ", items=[[inner]])
    pick(datasets(tree), rng).append(inner)


def do_nothing(tree: list[Element], rng: np.random.Generator) -> None:
    """Leave the tree as it is: what changes is a length, see `mutate`."""


Change = Callable[[list[Element], np.random.Generator], None]
CHANGES: dict[str, Change] = {
    "length": do_nothing,
    "delimiter": do_nothing,
    "dropped item": drop_item,
    "swapped items": swap_items,
    "duplicated item": duplicate_item,
    "dropped element": drop_element,
    "duplicated element": duplicate_element,
    "swapped elements": swap_elements,
    "VR": change_vr,
    "tag": flip_tag,
    "value": change_value,
    "character set": change_character_set,
    "undefined lengths": make_undefined,
    "nesting": nest,
}


def pick(choices: list, rng: np.random.Generator):  # noqa: ANN201
    return choices[int(rng.integers(len(choices)))]


def mutate(kind: str, body: bytes, rng: np.random.Generator) -> tuple[bytes, Counter[bytes]]:
    """Return a changed file, and the contours that a reading of its bytes finds in it."""
    tree = parse(body, 0, len(body), implicit=False)
    CHANGES[kind](tree, rng)
    writer = Writer(implicit=bool(rng.integers(2)))
    if kind in {"length", "delimiter"} and rng.random() < 0.3:
        make_undefined(tree, rng)
    writer.put(tree)
    data = writer.data
    if kind == "length":
        place, size = pick(writer.lengths, rng)
        data[place + int(rng.integers(size))] ^= 1 << int(rng.integers(8))
    elif kind == "delimiter":
        place, _ = pick(writer.lengths, rng)
        tag = pick([b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0"], rng)
        data[place:place] = tag + bytes(4)
    syntax = (IMPLICIT if writer.implicit else EXPLICIT).encode()
    syntax += b"\0" * (len(syntax) % 2)
    meta = b"\x02\0\x10\0UI" + struct.pack("<H", len(syntax)) + syntax
    head = bytes(128) + b"DICM" + b"\x02\0\0\0UL\x04\0" + struct.pack("<I", len(meta)) + meta
    return head + bytes(data), contours_in(tree)


@dataclass
class Tally:
    """What came of the files."""

    ct: CTVolume
    folder: Path
    outcomes: Counter[str] = field(default_factory=Counter)
    by_kind: dict[str, Counter[str]] = field(default_factory=dict)
    slowest_s: float = 0.0
    faults: int = 0
    silent: int = 0
    unwritable: int = 0

    def run(self, number: int, kind: str, data: bytes, check: Callable[[StructureSet], None]) -> None:
        """Read a file and write it back."""
        start = time.process_time()
        outcome = "foreign error"
        try:
            outcome = self._try(data, check)
        except Exception as error:  # noqa: BLE001  (finding these is what this is for)
            self.faults += 1
            print(f"{kind}, file {number}: {type(error).__name__}: {str(error)[:300]}")
        self.outcomes[outcome] += 1
        self.by_kind.setdefault(kind, Counter())["read" if outcome.startswith("read") else outcome] += 1
        taken = time.process_time() - start
        if taken > LIMIT_S:
            print(f"{kind}, file {number}: {taken:.2f} s")
        self.slowest_s = max(self.slowest_s, taken)

    def _try(self, data: bytes, check: Callable[[StructureSet], None]) -> str:
        try:
            structure_set = read_structure_set(data, self.ct)
        except AutoContourError as error:
            return error.code if len(str(error)) < 500 else "too long a message"
        check(structure_set)
        if not structure_set.structures:
            return "read, no structures"
        try:
            write_structure_set(structure_set, self.ct, self.folder / "RS.dcm", overwrite=True)
        except AutoContourError as error:
            self.unwritable += 1
            print(f"was read but not written: {error}")
            return "not written"
        self._compare_written(structure_set)
        return "read"

    def _compare_written(self, structure_set: StructureSet) -> None:
        written = (self.folder / "RS.dcm").read_bytes()
        start = 144 + int.from_bytes(written[140:144], "little")
        implicit = EXPLICIT.encode() not in written[:start]
        found = contours_in(parse(written, start, len(written), implicit=implicit))
        if found != read_contours(structure_set) and not has_long_values(structure_set):
            self.silent += 1
            print("contours were lost on writing")

    def append(self, number: int, data: bytes) -> None:
        """Extend a file; only our errors may come out."""
        path = self.folder / "append.dcm"
        path.write_bytes(data)
        square = np.zeros(SHAPE, dtype=bool)
        square[4, 3:6, 3:6] = True
        new = StructureSet("NEW", (Structure("New_One", 1, contours_from_mask(square, self.ct.geometry)),))
        start = time.process_time()
        try:
            append_structures(path, new, self.ct)
        except AutoContourError as error:
            self.outcomes[f"append {error.code}"] += 1
        except Exception as error:  # noqa: BLE001
            self.faults += 1
            print(f"append, file {number}: {type(error).__name__}: {str(error)[:300]}")
        else:
            self.outcomes["appended"] += 1
        self.slowest_s = max(self.slowest_s, time.process_time() - start)


def has_long_values(structure_set: StructureSet) -> bool:
    """Whether values are shortened to 16 characters on writing, with a Finding."""
    return any(finding.code == "AC-RS-041" for s in structure_set.structures for finding in s.findings)


def warnings_of(structure_set: StructureSet) -> Counter[str]:
    findings = [*structure_set.findings, *(f for s in structure_set.structures for f in s.findings)]
    return Counter(finding.code for finding in findings if finding.severity >= Severity.WARN)


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
    rng = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    logging.disable(logging.WARNING)
    ct = make_ct()
    files = make_files(ct)
    with tempfile.TemporaryDirectory() as folder:
        tally = Tally(ct, Path(folder))
        plain = count // BYTES_SHARE
        for number in range(plain):
            tally.run(number, "bytes", damage(files[number % len(files)], rng), lambda _: None)
        kinds = list(CHANGES)
        for number in range(count):
            source, kind = files[number % 3], kinds[number % len(kinds)]
            body = source[144 + int.from_bytes(source[140:144], "little") :]
            sound = read_structure_set(source, ct)
            data, expected = mutate(kind, body, rng)
            check = silent_check(tally, number, kind, sound, expected)
            tally.run(number, kind, data, check)
            if number % 5 == 0:
                tally.append(number, data)
    return report(tally, plain, count)


def silent_check(
    tally: Tally, number: int, kind: str, sound: StructureSet, expected: Counter[bytes]
) -> Callable[[StructureSet], None]:
    """Return a check that counts what was lost silently: contours, or what they enclose."""

    def check(read: StructureSet) -> None:
        noted = warnings_of(read) - warnings_of(sound)
        if noted:
            return
        lost = expected - read_contours(read)
        geometry = tally.ct.geometry
        volumes = sorted(round(volume_cc(s.contours, geometry), 6) for s in read.structures)
        theirs = sorted(round(volume_cc(s.contours, geometry), 6) for s in sound.structures)
        if lost or (expected == read_contours(sound) and volumes != theirs):
            tally.silent += 1
            print(f"{kind}, file {number}: {sum(lost.values())} contours lost silently")

    return check


def peak_gib() -> float:
    """Return the peak memory of this process. Its ru_maxrss would include that of the process that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def report(tally: Tally, plain: int, count: int) -> int:
    gib = peak_gib()
    print(
        f"{plain} files damaged byte by byte and {count} structure-aware mutations: slowest {tally.slowest_s:.3f} s, "
        f"peak {gib:.2f} GiB, {tally.faults} errors that are not ours, {tally.silent} silent losses, "
        f"{tally.unwritable} read but not written"
    )
    for kind, outcomes in tally.by_kind.items():
        print(f"  {kind}: " + ", ".join(f"{code} {times}" for code, times in outcomes.most_common()))
    print(", ".join(f"{code} {times}" for code, times in tally.outcomes.most_common()))
    failed = tally.faults or tally.silent or tally.unwritable or "too long a message" in tally.outcomes
    return int(bool(failed) or tally.slowest_s > LIMIT_S or gib > LIMIT_GIB)


if __name__ == "__main__":
    sys.exit(main())
