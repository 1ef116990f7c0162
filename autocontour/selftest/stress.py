"""The stress suite: the main job on phantoms scanned, stored and damaged in many ways.

A trial is *held* when every structure is about as good as on the plain phantom, *refused* when the job stops with an
error, and *warned* when a structure is worse or missing and a finding reports it. Anything else is *silent*, which
fails.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.base.errors import AutoContourError
from autocontour.base.findings import Finding, Severity
from autocontour.base.jobs import Job
from autocontour.dicom.alter import Change, alter_series
from autocontour.dicom.ct import read_ct
from autocontour.dicom.scan import planning_cts, scan_folder
from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.patient.structures import Contours
from autocontour.patient.volume import CTVolume
from autocontour.phantom import PATIENT_POSITIONS, Phantom, Site, build_phantom
from autocontour.pipeline.request import Request, contour_path
from autocontour.qa.compare import compare_contours
from autocontour.rtstruct import read_structure_set

SEED = 5
SPACING_ZYX_MM = (3.0, 2.0, 2.0)
SHAPE_ZYX = (90, 256, 256)
ALLOWED_LOSS = 0.10
"""In DSC against the plain phantom. A larger loss must be accompanied by a finding."""
UNPLACED_DSC = 0.5
"""A structure that the phantom does not have, or that lies elsewhere, has a DSC below this."""

Voxels = NDArray[np.int16]


class Outcome(StrEnum):
    """Outcome of a trial."""

    HELD = "held"
    WARNED = "warned"
    REFUSED = "refused"
    SILENT = "SILENT"


@dataclass(frozen=True, slots=True)
class Result:
    """A trial's outcome, and the findings or structures that decided it."""

    group: str
    name: str
    outcome: Outcome
    detail: str = ""

    def to_json(self) -> dict[str, str]:
        """Return plain JSON values."""
        return {"group": self.group, "trial": self.name, "outcome": self.outcome.value, "detail": self.detail}


@dataclass(frozen=True, eq=False)
class Scan:
    """A phantom to be written: voxels, geometry, the true contours, and later changes to its files."""

    hu: Voxels
    geometry: VolumeGeometry
    truth: Mapping[str, Contours]
    site: Site = "thorax"
    position: str = "HFS"
    damage: tuple[Callable[[Path], None], ...] = ()

    def with_hu(self, change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Scan:
        """Return the scan with other voxel values."""
        changed = change(self.hu.astype(np.float64))
        return replace(self, hu=np.clip(np.rint(changed), -32768, 32767).astype(np.int16))

    def cropped(self, start_zyx: tuple[int, int, int], stop_zyx: tuple[int, int, int]) -> Scan:
        """Return the part of the scan in a box, with the truth that lies on its slices."""
        box = Box(start_zyx, stop_zyx)
        low, high = start_zyx[0], stop_zyx[0]
        truth = {
            name: {index - low: shape for index, shape in contours.items() if low <= index < high}
            for name, contours in self.truth.items()
        }
        kept = {name: contours for name, contours in truth.items() if contours}
        return replace(self, hu=self.hu[box.slices].copy(), geometry=self.geometry.cropped(box), truth=kept)

    def with_files(self, *damage: Callable[[Path], None]) -> Scan:
        """Return the scan with a change to its folder after it is written."""
        return replace(self, damage=(*self.damage, *damage))


@dataclass(frozen=True, slots=True)
class Trial:
    """One way to scan, store or damage a phantom."""

    group: str
    name: str
    make: Callable[[], Scan]


@dataclass
class Bench:
    """The phantoms, each built once, and the results of the plain ones."""

    built: dict[tuple[object, ...], Scan] = field(default_factory=dict)
    plain: dict[Site, dict[str, float]] = field(default_factory=dict)

    def scan(
        self,
        site: Site = "thorax",
        position: str = "HFS",
        spacing_zyx_mm: tuple[float, float, float] = SPACING_ZYX_MM,
    ) -> Scan:
        """Return a phantom whose scan has the same length at any slice spacing."""
        key = site, position, spacing_zyx_mm
        if key not in self.built:
            slices = round(SHAPE_ZYX[0] * SPACING_ZYX_MM[0] / spacing_zyx_mm[0])
            shape = slices, *SHAPE_ZYX[1:]
            self.built[key] = _scan_of(
                build_phantom(site, SEED, spacing_zyx_mm=spacing_zyx_mm, shape_zyx=shape, position=position)
            )
        return self.built[key]

    def plain_dsc(self, site: Site) -> dict[str, float]:
        """Return the DSC of each structure that is drawn on a site's plain phantom."""
        if site not in self.plain:
            with tempfile.TemporaryDirectory(prefix="autocontour-stress-") as folder:
                drawn = _contour(self.scan(site), Path(folder))
            self.plain[site] = {name: dsc for name, dsc in drawn.dsc.items() if dsc >= UNPLACED_DSC}
        return self.plain[site]


@dataclass(frozen=True)
class Drawn:
    """The result of the job on a trial's files: DSC by structure, and the findings by their subject."""

    dsc: Mapping[str, float]
    findings: tuple[Finding, ...]


def run_stress(job: Job, groups: frozenset[str] = frozenset()) -> list[Result]:
    """Run every trial, or those of some groups, and assess each.

    Returns
    -------
    list of Result
        In the order of the trials.
    """
    bench = Bench()
    trials = [trial for trial in list_trials(bench) if not groups or trial.group in groups]
    return [judge(trial, bench) for trial in job.track(trials, "stress suite", len(trials))]


def judge(trial: Trial, bench: Bench) -> Result:
    """Run the main job on a trial and compare its contours with the true ones."""
    with tempfile.TemporaryDirectory(prefix="autocontour-stress-") as folder:
        scan = trial.make()
        try:
            drawn = _contour(scan, Path(folder))
        except AutoContourError as error:
            if error.exit_code == 130:
                raise
            return Result(trial.group, trial.name, Outcome.REFUSED, error.code)
    return _judge_drawn(trial, scan, drawn, bench.plain_dsc(scan.site))


def _judge_drawn(trial: Trial, scan: Scan, drawn: Drawn, plain: Mapping[str, float]) -> Result:
    """Assess the contours: a structure worse than on the plain phantom, missing or misplaced needs a finding."""
    warned = [finding for finding in drawn.findings if finding.severity >= Severity.WARN]
    about_all = {f.code for f in warned if f.code.startswith(("AC-CT", "AC-US"))}
    codes, silent = set(about_all), []
    for name in sorted(scan.truth.keys() | drawn.dsc.keys()):
        expected = plain.get(name)
        if name not in drawn.dsc:
            continue  # each structure that is not drawn is reported as such
        worse = drawn.dsc[name] < (expected - ALLOWED_LOSS if expected is not None else UNPLACED_DSC)
        if not worse:
            continue
        mine = {f.code for f in warned if name in f.where.split(", ")}
        codes |= mine
        if not mine and not about_all:
            silent.append(f"{name} DSC {drawn.dsc[name]:.2f}")
    if silent:
        return Result(trial.group, trial.name, Outcome.SILENT, "; ".join(silent))
    missing = sorted(name for name in scan.truth if name in plain and name not in drawn.dsc)
    reported = {f.where for f in drawn.findings}
    if unreported := [name for name in missing if not any(name in where for where in reported)]:
        return Result(trial.group, trial.name, Outcome.SILENT, f"not drawn and not reported: {', '.join(unreported)}")
    if codes or missing:
        return Result(trial.group, trial.name, Outcome.WARNED, ", ".join([*sorted(codes), *missing]))
    return Result(trial.group, trial.name, Outcome.HELD)


def _contour(scan: Scan, folder: Path) -> Drawn:
    """Write the scan, damage its files, run the main job and compare its contours with the true ones."""
    described = SeriesDescription("PHANTOM^STRESS", "STRESS", scan.position, uid_seed="stress")
    write_ct_series(scan.hu, scan.geometry, folder / "CT", described)
    for harm in scan.damage:
        harm(folder / "CT")
    quiet = Job()  # a cancel ends the suite after this trial
    reports = contour_path(Request(folder / "CT", folder / "RS.dcm"), quiet)
    ct = read_ct(planning_cts(scan_folder(folder / "CT", quiet))[0], quiet)
    drawn = read_structure_set(folder / "RS.dcm", ct)
    truth = {name: _on_slices_of(ct, scan.geometry, contours) for name, contours in scan.truth.items()}
    dsc = {s.name: compare_contours(truth.get(s.name, {}), s.contours, ct.geometry).dsc for s in drawn.structures}
    findings = [finding for report in reports for finding in report.findings]
    findings += [
        replace(finding, where=structure.name)
        for report in reports
        for structure in report.structures
        for finding in structure.findings
    ]
    return Drawn({name: 0.0 if np.isnan(value) else value for name, value in dsc.items()}, tuple(findings))


def _on_slices_of(ct: CTVolume, geometry: VolumeGeometry, contours: Contours) -> Contours:
    """Return true contours by slice of the CT that was read, matched by position."""
    at = {round(float(w), 1): index for index, w in enumerate(ct.geometry.slice_positions_mm)}
    places = ((at.get(round(float(geometry.slice_positions_mm[k]), 1)), shape) for k, shape in contours.items())
    return {index: shape for index, shape in places if index is not None}


def _scan_of(phantom: Phantom) -> Scan:
    site: Site = "thorax" if phantom.site == "thorax" else "head-neck"
    return Scan(phantom.hu, phantom.geometry, _with_both_lungs(phantom.truth), site, phantom.position)


def _with_both_lungs(truth: Mapping[str, Contours]) -> Mapping[str, Contours]:
    """Add the structure Lungs, which rules draw and phantoms do not list."""
    one, other = truth.get("Lung_L", {}), truth.get("Lung_R", {})
    both = {
        index: shapely.MultiPolygon([part for lung in (one, other) if index in lung for part in lung[index].geoms])
        for index in sorted(one.keys() | other.keys())
    }
    return {**truth, "Lungs": both} if both else truth


def list_trials(bench: Bench) -> Iterator[Trial]:
    """Yield every trial."""
    yield from _position_trials(bench)
    yield from _sampling_trials(bench)
    yield from _field_trials(bench)
    yield from _value_trials(bench)
    yield from _noise_trials(bench)
    yield from _header_trials(bench)
    yield from _file_trials(bench)


def _position_trials(bench: Bench) -> Iterator[Trial]:
    for position in PATIENT_POSITIONS:
        yield Trial("position", f"thorax {position}", partial(bench.scan, position=position))
    for position in ("HFS", "FFS", "HFP"):
        yield Trial("position", f"head and neck {position}", partial(bench.scan, "head-neck", position))


def _sampling_trials(bench: Bench) -> Iterator[Trial]:
    sites: tuple[Site, ...] = ("thorax", "head-neck")
    for step in (1.5, 5.0, 8.0, 10.0):
        for site in sites:
            name = f"{site}, slices every {step:g} mm"
            yield Trial("sampling", name, partial(bench.scan, site, spacing_zyx_mm=(step, 2.0, 2.0)))
    yield Trial("sampling", "upper half", lambda: _part(bench.scan(), 0.5, 1.0))
    yield Trial("sampling", "lower half", lambda: _part(bench.scan(), 0.0, 0.5))
    yield Trial("sampling", "middle third", lambda: _part(bench.scan(), 1 / 3, 2 / 3))
    yield Trial("sampling", "neck only", lambda: _part(bench.scan("head-neck"), 0.3, 0.55))
    yield Trial("sampling", "head only", lambda: _part(bench.scan("head-neck"), 0.6, 1.0))
    yield Trial("sampling", "eight slices", lambda: _part(bench.scan(), 0.5, 0.59))


def _part(scan: Scan, low: float, high: float) -> Scan:
    z, y, x = scan.hu.shape
    return scan.cropped((int(z * low), 0, 0), (int(z * high), y, x))


def _field_trials(bench: Bench) -> Iterator[Trial]:
    for fraction in (0.9, 0.7, 0.55):
        for fill in (-1024, -2000, -3024):
            name = f"round field, {fraction:.0%} of the image, {fill} outside"
            yield Trial("field", name, partial(_changed, bench, partial(_round, fraction=fraction, fill=fill)))
    yield Trial("field", "square field that cuts both sides", lambda: _columns(bench.scan(), 0.28, 0.72))
    yield Trial("field", "square field that cuts one side", lambda: _columns(bench.scan(), 0.0, 0.6))


def _changed(bench: Bench, change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Scan:
    return bench.scan().with_hu(change)


def _damaged(bench: Bench, harm: Callable[[Path], None]) -> Scan:
    return bench.scan().with_files(harm)


def _round(hu: NDArray[np.float64], fraction: float, fill: float) -> NDArray[np.float64]:
    rows, columns = hu.shape[1:]
    v, u = np.ogrid[:rows, :columns]
    outside = np.hypot(v - (rows - 1) / 2, u - (columns - 1) / 2) > fraction * columns / 2
    return np.where(outside, fill, hu)


def _columns(scan: Scan, low: float, high: float) -> Scan:
    z, y, x = scan.hu.shape
    return scan.cropped((0, 0, int(x * low)), (z, y, int(x * high)))


def _value_trials(bench: Bench) -> Iterator[Trial]:
    changes: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
        "HU + 1000": lambda hu: hu + 1000,
        "HU + 300": lambda hu: hu + 300,
        "halved": lambda hu: hu / 2,
        "inverted": lambda hu: -hu,
        "0.85 HU + 150": lambda hu: 0.85 * hu + 150,
        "unsigned, negative values lost": lambda hu: np.maximum(hu, 0),
        "8 bit": lambda hu: np.clip((hu + 160) / 400 * 255, 0, 255),
    }
    for name, change in changes.items():
        yield Trial("values", name, partial(_changed, bench, change))


def _noise_trials(bench: Bench) -> Iterator[Trial]:
    for sigma in (60.0, 120.0):
        yield Trial("noise", f"noise of {sigma:g} HU", partial(_changed, bench, partial(_noisy, sigma=sigma)))
    yield Trial("noise", "blurred", lambda: bench.scan().with_hu(lambda hu: ndimage.gaussian_filter(hu, (0, 1.5, 1.5))))
    yield Trial("noise", "cone-beam-like", lambda: bench.scan().with_hu(_cone_beam))


def _noisy(hu: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    return np.maximum(hu + np.random.default_rng(SEED).normal(0, sigma, hu.shape), -1024)


def _cone_beam(hu: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower contrast, cupping and noise."""
    rows, columns = hu.shape[1:]
    v, u = np.ogrid[:rows, :columns]
    cup = 120 * np.hypot(v / rows - 0.5, u / columns - 0.5) ** 2 * 4 - 60
    return _noisy(np.where(hu > -900, 0.8 * hu + cup, hu), 40)


def _header_trials(bench: Bench) -> Iterator[Trial]:
    def set_all(only: int | None = None, **values: object) -> Change:
        def change(dataset: object, number: int) -> None:
            for name, value in values.items() if only in (None, number) else ():
                setattr(dataset, name, value)

        return change

    changes: dict[str, Change] = {
        "pixel spacing ten times too large": set_all(PixelSpacing=["20", "20"]),
        "pixel spacing missing": lambda dataset, _: dataset.__delattr__("PixelSpacing"),
        "frame of reference missing": lambda dataset, _: dataset.__delattr__("FrameOfReferenceUID"),
        "rescale slope 0": set_all(RescaleSlope="0"),
        "rescale intercept on one slice": set_all(40, RescaleIntercept="-1000"),
        "high bit 14": set_all(HighBit=14),
        "patient position contradicts the orientation": set_all(PatientPosition="FFP"),
        "one slice turned": set_all(40, ImageOrientationPatient=["-1", "0", "0", "0", "1", "0"]),
        "one slice of another patient": set_all(40, PatientID="SOMEBODY"),
        "modality MR": set_all(Modality="MR"),
        "two acquisitions, end to end": lambda dataset, k: setattr(dataset, "AcquisitionNumber", 1 + k // 45),
    }
    for name, change in changes.items():
        yield Trial("header", name, partial(_damaged, bench, partial(alter_series, change=change)))


def _file_trials(bench: Bench) -> Iterator[Trial]:
    def in_file(number: int, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
        def harm(folder: Path) -> None:
            path = sorted(folder.iterdir())[number]
            path.write_bytes(change(path.read_bytes()))

        return harm

    def remove(*numbers: int) -> Callable[[Path], None]:
        def harm(folder: Path) -> None:
            for path in [sorted(folder.iterdir())[number] for number in numbers]:
                path.unlink()

        return harm

    def copy_changed(folder: Path) -> None:
        path = sorted(folder.iterdir())[40]
        shutil.copy(path, folder / "copy.dcm")
        data = path.read_bytes()
        path.write_bytes(data[:-2000] + bytes(2000))

    def add_text(folder: Path) -> None:
        (folder / "notes.txt").write_text("notes")

    changes: dict[str, Callable[[Path], None]] = {
        "a slice missing": remove(40),
        "half of the slices missing": remove(*range(1, 90, 2)),
        "ten slices missing in the middle": remove(*range(40, 50)),
        "a slice truncated": in_file(40, lambda data: data[: len(data) // 2]),
        "the last slice truncated to 100 bytes": in_file(-1, lambda data: data[:100]),
        "the last slice zeroed": in_file(-1, lambda data: bytes(len(data))),
        "the first slice empty": in_file(0, lambda _: b""),
        "two bytes after the pixels": in_file(40, lambda data: data + b"\0\0"),
        "a copy with other pixels": copy_changed,
        "text among the slices": add_text,
    }
    for name, harm in changes.items():
        yield Trial("files", name, partial(_damaged, bench, harm))
