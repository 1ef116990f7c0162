"""A watched folder under bad conditions for a long time, and the memory over many series.

``sudo python benchmarks/queue_soak.py --minutes 15 --series 30``: small phantoms arrive slowly in a share, interleaved,
with pauses, half-written files, files that are renamed, folders that move, and late slices. Meanwhile the disk of the
results is filled and freed, the share is unmounted and comes back, and the program and its worker are killed. The
program is started again whenever it ends, as a service manager does. At the end every series must have one result with
all its slices, and none may have been read before it was whole.

``python benchmarks/queue_soak.py --memory 200``: the memory of the worker after each of so many series.

Mounts need root on Linux; without it these disturbances are left out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.phantom import build_phantom
from autocontour.queue.record import Record, State
from autocontour.queue.store import Store

PROGRAM = [sys.executable, "-m", "autocontour.cli", "queue"]
QUIET_S = 20.0
LONGEST_PAUSE_S = QUIET_S * 0.6
SETTLE_S = 900.0
"""Longest time for what is left when the disturbances have ended."""
STRUCTURES = ("External", "Lung_L", "Lung_R")
SMALL_DISK = "24m"


def make_series(folder: Path, count: int) -> list[Path]:
    """Write so many series of 24 slices, of as many patients."""
    spacing, shape = (10.0, 4.0, 4.0), (24, 120, 120)
    phantoms = [build_phantom("thorax", seed, spacing_zyx_mm=spacing, shape_zyx=shape) for seed in (1, 2)]
    for number in range(count):
        phantom = phantoms[number % 2]
        hu = phantom.hu.copy()
        hu[0, 0, 0] = -1000 + number % 200  # other contents
        description = SeriesDescription(f"SOAK^{number}", f"SOAK{number}", uid_seed=f"soak {number}")
        write_ct_series(hu, phantom.geometry, folder / f"{number}", description)
    return [folder / f"{number}" for number in range(count)]


@dataclass
class Bench:
    """The folders, and the program that watches."""

    root: Path
    seconds: float
    has_mounts: bool
    random: random.Random
    started: float = field(default_factory=time.monotonic)
    events: list[dict[str, Any]] = field(default_factory=list)
    disturbances: Counter[str] = field(default_factory=Counter)
    starts: int = 0
    memory_mb: list[float] = field(default_factory=list)
    below: list[str] = field(default_factory=list)
    """Files that the program wrote below the mount point while the share was away."""
    process: subprocess.Popen[str] | None = None

    @property
    def share(self) -> Path:
        return self.root / "share"

    @property
    def inbox(self) -> Path:
        return self.share / "inbox"

    @property
    def outbox(self) -> Path:
        return self.share / "outbox"

    @property
    def queue(self) -> Path:
        return self.root / "queue"

    @property
    def is_over(self) -> bool:
        return time.monotonic() - self.started > self.seconds

    def prepare(self) -> None:
        for folder in ("disk", "small", "share"):
            (self.root / folder).mkdir()
        if self.has_mounts:
            mount("-t", "tmpfs", "-o", "size=400m", "soak", self.root / "disk")
            mount("-t", "tmpfs", "-o", f"size={SMALL_DISK}", "soak", self.root / "small")
            (self.root / "disk" / "outbox").mkdir()
            self.bring_share_back()
        self.inbox.mkdir()
        self.outbox.mkdir(exist_ok=True)

    def clear(self) -> None:
        if self.has_mounts:
            for folder in (self.outbox, self.share, self.root / "small", self.root / "disk"):
                subprocess.run(["umount", "-l", str(folder)], check=False, stderr=subprocess.DEVNULL)

    def serve(self, stop: threading.Event) -> None:
        """Keep the program running, as a service manager does."""
        command = [*PROGRAM, "watch", str(self.inbox), "-o", str(self.outbox), "--queue", str(self.queue), "--json"]
        times = ["--quiet-seconds", str(QUIET_S), "--poll-seconds", "1", "--retry-seconds", "5", "--least-free-gb", "0"]
        while not stop.is_set():
            self.starts += 1
            options = [*times, "--structures", *STRUCTURES]
            self.process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
            assert self.process.stdout
            for line in self.process.stdout:
                try:
                    event = json.loads(line)
                except ValueError:
                    continue  # of an error, which has several lines
                if event["event"] == "done":
                    self.memory_mb.append(memory_of_children(self.process.pid))
                if event["event"] != "progress":
                    self.events.append({**event, "at": round(time.monotonic() - self.started, 1)})
            self.process.wait()
            time.sleep(1.0)

    # Disturbances

    def fill_disk(self) -> None:
        blocks = self.outbox / ".filler"
        try:
            with blocks.open("wb") as file:
                while True:
                    file.write(bytes(1 << 16))
                    file.flush()
        except OSError:
            pass
        time.sleep(self.random.uniform(10, 25))
        blocks.unlink(missing_ok=True)

    def take_share_away(self) -> None:
        """Unmount the share for some time; what the program writes below the empty mount point would be lost."""
        for folder in (self.outbox, self.share):
            subprocess.run(["umount", "-l", str(folder)], check=True)
        time.sleep(self.random.uniform(10, 25))
        self.below += [path.name for path in self.share.rglob("*") if path.is_file()]
        self.bring_share_back()

    def bring_share_back(self) -> None:
        mount("--bind", self.root / "disk", self.share)
        mount("--bind", self.root / "small", self.outbox)

    def kill_program(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGKILL)

    def kill_worker(self) -> None:
        for child in children_of(self.process.pid) if self.process else []:
            os.kill(child, signal.SIGKILL)

    def disturb(self, stop: threading.Event) -> None:
        kinds: list[Callable[[], None]] = [self.kill_program, self.kill_worker]
        if self.has_mounts:
            kinds += [self.fill_disk, self.take_share_away]
        number = 0
        while not stop.wait(self.random.uniform(25, 60)):
            act = kinds[number % len(kinds)]
            number += 1
            self.disturbances[act.__name__] += 1
            act()


def mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


def children_of(process: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


def memory_of(process: int) -> float:
    """Return the resident memory of a process, in MB."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def memory_of_children(process: int) -> float:
    """Return the resident memory of the largest child process, in MB."""
    return max((memory_of(child) for child in children_of(process)), default=0.0)


@dataclass
class Sender:
    """Sends one series into the inbox as a bad network would."""

    series: Path
    bench: Bench
    late: int
    """How many slices arrive only after the series was contoured."""

    def send(self) -> None:
        chance = self.bench.random
        target = self.bench.inbox / self.series.name
        files = sorted(self.series.iterdir())
        chance.shuffle(files)
        moves = chance.random() < 0.3
        for number, file in enumerate(files[: len(files) - self.late]):
            self._pause(chance.uniform(0.1, 0.5))
            if chance.random() < 0.05:
                self._pause(chance.uniform(3, LONGEST_PAUSE_S))  # a drop
            target = self._moved(target) if moves and number == len(files) // 2 else target
            self._until_it_works(lambda file=file, target=target: self._send_file(file, target))  # type: ignore[misc]
        for file in files[len(files) - self.late :]:
            self._pause(3 * QUIET_S)
            self._until_it_works(lambda file=file, target=target: self._send_file(file, target))  # type: ignore[misc]

    def _pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def _until_it_works(self, send: Callable[[], None]) -> None:
        """Send again while the share is away."""
        while True:
            try:
                send()
            except OSError:
                time.sleep(1.0)
            else:
                return

    def _send_file(self, file: Path, target: Path) -> None:
        if not self.bench.inbox.is_dir():
            raise OSError("the share is away")
        target.mkdir(exist_ok=True)
        data, chance = file.read_bytes(), self.bench.random
        way = chance.random()
        if way < 0.25:  # under another name, then renamed
            part = target / f"{file.name}.part"
            part.write_bytes(data)
            self._pause(0.3)
            part.rename(target / file.name)
        elif way < 0.5:  # half of it, then the rest
            with (target / file.name).open("wb") as handle:
                handle.write(data[: len(data) // 2])
                handle.flush()
                self._pause(chance.uniform(0.2, 4.0))
                handle.write(data[len(data) // 2 :])
        else:
            (target / file.name).write_bytes(data)

    def _moved(self, target: Path) -> Path:
        moved = target.with_name(f"{target.name}-moved")
        self._until_it_works(lambda: target.rename(moved) and None)
        return moved


def soak(bench: Bench, count: int) -> None:
    """Send the series over the time, wait until all are contoured, and check the results."""
    series = make_series(bench.root / "made", count)
    stop, quiet = threading.Event(), threading.Event()
    service = threading.Thread(target=bench.serve, args=(stop,))
    disturber = threading.Thread(target=bench.disturb, args=(quiet,))
    service.start()
    disturber.start()
    senders = [Sender(one, bench, late=int(number % 6 == 5)) for number, one in enumerate(series)]
    sending = []
    for sender in senders:
        thread = threading.Thread(target=sender.send)
        thread.start()
        sending.append(thread)
        time.sleep(bench.seconds * 0.7 / count * bench.random.uniform(0.2, 1.8))
    for thread in sending:
        thread.join()
    while not bench.is_over and not all_done(bench, count):
        time.sleep(2.0)
    quiet.set()
    disturber.join()
    until = time.monotonic() + SETTLE_S
    while time.monotonic() < until and not all_done(bench, count):
        time.sleep(2.0)
    stop.set()
    if bench.process:
        bench.process.send_signal(signal.SIGTERM)
    service.join()
    report(bench, senders)


def all_done(bench: Bench, count: int) -> bool:
    try:
        with Store(bench.queue) as store:
            counts = store.counts()
    except Exception:  # noqa: BLE001  (the database is on a full disk)
        return False
    return counts["done"] == count and not any(counts[state] for state in ("waiting", "running", "contoured"))


def report(bench: Bench, senders: list[Sender]) -> None:
    with Store(bench.queue) as store:
        records = store.records()
    problems = list(find_problems(bench, senders, records))
    codes = Counter(event["code"] for event in bench.events if event["event"] in ("waits", "changed"))
    minutes = (time.monotonic() - bench.started) / 60
    print(f"{len(senders)} series in {minutes:.1f} min, {bench.starts} starts of the program")
    print("disturbances:", dict(bench.disturbances))
    print("states:", dict(Counter(record.state.value for record in records)))
    print("attempts that failed:", dict(codes))
    print("problems:", problems or "none")
    for event in bench.events if problems else []:
        print(json.dumps(event))
    sys.exit(1 if problems else 0)


def find_problems(bench: Bench, senders: list[Sender], records: list[Record]) -> list[str]:
    found = []
    by_uid: dict[str, list[Record]] = {}
    for record in records:
        by_uid.setdefault(record.content.uid, []).append(record)
    if len(by_uid) != len(senders):
        found.append(f"{len(senders)} series sent, {len(by_uid)} in the queue")
    if bench.below:
        found.append(f"written below the mount point: {bench.below}")
    for uid, ones in by_uid.items():
        done = [record for record in ones if record.state is State.DONE]
        if len(done) != 1 or len(done[0].content.slices) != 24:
            found.append(f"{uid}: {[(record.state.value, len(record.content.slices)) for record in ones]}")
            continue
        file = done[0].output
        if not file.exists() or hashlib.sha256(file.read_bytes()).hexdigest() != done[0].result_checksum:
            found.append(f"{uid}: no result, or another one")
    replaced = [len(record.content.slices) for record in records if record.state is State.REPLACED]
    late = sum(sender.late for sender in senders)
    if len(replaced) > late or set(replaced) - {23}:
        found.append(f"read in part: {replaced} slices of 24, {late} series had late slices")
    names = {record.output.name for record in records}
    if strange := [path.name for path in bench.outbox.iterdir() if path.name not in names]:
        found.append(f"other files: {strange}")
    return found


def measure_memory(folder: Path, count: int) -> None:
    """Contour so many series in one run, and print the worker's memory."""
    series = folder / "made"
    make_series(series, count)
    queue = ["--queue", str(folder / "queue"), "--json"]
    add = [*PROGRAM, "add", str(series), "-o", str(folder / "out"), *queue, "--structures", *STRUCTURES]
    subprocess.run(add, check=True, stdout=subprocess.DEVNULL)
    run = subprocess.Popen([*PROGRAM, "run", *queue, "--least-free-gb", "0"], stdout=subprocess.PIPE, text=True)
    assert run.stdout
    sizes: list[tuple[float, float]] = []
    for line in run.stdout:
        if json.loads(line)["event"] == "done":
            sizes.append((memory_of_children(run.pid), memory_of(run.pid)))
            if len(sizes) % max(1, count // 10) == 1:
                worker, program = sizes[-1]
                print(f"after {len(sizes):4d} series: worker {worker:6.0f} MB, program {program:6.0f} MB", flush=True)
    run.wait()
    half = [one for one in sizes[len(sizes) // 2 :] if one[0]]  # the worker ends after the last series
    worker, program = (half[-1][which] - half[0][which] for which in (0, 1))
    print(f"{len(sizes)} series; growth over the second half: worker {worker:+.1f} MB, program {program:+.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--series", type=int, default=30)
    parser.add_argument("--memory", type=int, default=0, metavar="SERIES")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if args.memory:
            measure_memory(Path(name), args.memory)
            return
        has_mounts = os.name == "posix" and os.geteuid() == 0
        bench = Bench(Path(name), args.minutes * 60, has_mounts, random.Random(args.seed))
        try:
            bench.prepare()
            soak(bench, args.series)
        finally:
            bench.clear()


if __name__ == "__main__":
    main()
