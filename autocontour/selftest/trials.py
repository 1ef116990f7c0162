"""The trials of the stress suite: phantoms scanned, stored and damaged in many ways."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.dicom.alter import Change, alter_series
from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.patient.structures import Contours
from autocontour.phantom import PATIENT_POSITIONS, Phantom, Site, build_phantom

SEED = 5
SPACING_ZYX_MM = (3.0, 2.0, 2.0)
SHAPE_ZYX = (90, 256, 256)

Voxels = NDArray[np.int16]


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
class Phantoms:
    """The phantoms, each built once."""

    built: dict[tuple[object, ...], Scan] = field(default_factory=dict)

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


def list_trials(phantoms: Phantoms) -> Iterator[Trial]:
    """Yield every trial."""
    yield from _position_trials(phantoms)
    yield from _sampling_trials(phantoms)
    yield from _field_trials(phantoms)
    yield from _value_trials(phantoms)
    yield from _noise_trials(phantoms)
    yield from _header_trials(phantoms)
    yield from _file_trials(phantoms)


def _position_trials(phantoms: Phantoms) -> Iterator[Trial]:
    for position in PATIENT_POSITIONS:
        yield Trial("position", f"thorax {position}", partial(phantoms.scan, position=position))
    for position in ("HFS", "FFS", "HFP"):
        yield Trial("position", f"head and neck {position}", partial(phantoms.scan, "head-neck", position))


def _sampling_trials(phantoms: Phantoms) -> Iterator[Trial]:
    sites: tuple[Site, ...] = ("thorax", "head-neck")
    for step in (1.5, 5.0, 8.0, 10.0):
        for site in sites:
            name = f"{site}, slices every {step:g} mm"
            yield Trial("sampling", name, partial(phantoms.scan, site, spacing_zyx_mm=(step, 2.0, 2.0)))
    yield Trial("sampling", "upper half", lambda: _part(phantoms.scan(), 0.5, 1.0))
    yield Trial("sampling", "lower half", lambda: _part(phantoms.scan(), 0.0, 0.5))
    yield Trial("sampling", "middle third", lambda: _part(phantoms.scan(), 1 / 3, 2 / 3))
    yield Trial("sampling", "neck only", lambda: _part(phantoms.scan("head-neck"), 0.3, 0.55))
    yield Trial("sampling", "head only", lambda: _part(phantoms.scan("head-neck"), 0.6, 1.0))
    yield Trial("sampling", "eight slices", lambda: _part(phantoms.scan(), 0.5, 0.59))


def _part(scan: Scan, low: float, high: float) -> Scan:
    z, y, x = scan.hu.shape
    return scan.cropped((int(z * low), 0, 0), (int(z * high), y, x))


def _field_trials(phantoms: Phantoms) -> Iterator[Trial]:
    for fraction in (0.9, 0.7, 0.55):
        for fill in (-1024, -2000, -3024):
            name = f"round field, {fraction:.0%} of the image, {fill} outside"
            yield Trial("field", name, partial(_changed, phantoms, partial(_round, fraction=fraction, fill=fill)))
    yield Trial("field", "square field that cuts both sides", lambda: _columns(phantoms.scan(), 0.28, 0.72))
    yield Trial("field", "square field that cuts one side", lambda: _columns(phantoms.scan(), 0.0, 0.6))


def _changed(phantoms: Phantoms, change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Scan:
    return phantoms.scan().with_hu(change)


def _damaged(phantoms: Phantoms, harm: Callable[[Path], None]) -> Scan:
    return phantoms.scan().with_files(harm)


def _round(hu: NDArray[np.float64], fraction: float, fill: float) -> NDArray[np.float64]:
    rows, columns = hu.shape[1:]
    v, u = np.ogrid[:rows, :columns]
    outside = np.hypot(v - (rows - 1) / 2, u - (columns - 1) / 2) > fraction * columns / 2
    return np.where(outside, fill, hu)


def _columns(scan: Scan, low: float, high: float) -> Scan:
    z, y, x = scan.hu.shape
    return scan.cropped((0, 0, int(x * low)), (z, y, int(x * high)))


def _value_trials(phantoms: Phantoms) -> Iterator[Trial]:
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
        yield Trial("values", name, partial(_changed, phantoms, change))


def _noise_trials(phantoms: Phantoms) -> Iterator[Trial]:
    for sigma in (60.0, 120.0):
        yield Trial("noise", f"noise of {sigma:g} HU", partial(_changed, phantoms, partial(_noisy, sigma=sigma)))
    yield Trial(
        "noise", "blurred", lambda: phantoms.scan().with_hu(lambda hu: ndimage.gaussian_filter(hu, (0, 1.5, 1.5)))
    )
    yield Trial("noise", "cone-beam-like", lambda: phantoms.scan().with_hu(_cone_beam))


def _noisy(hu: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    return np.maximum(hu + np.random.default_rng(SEED).normal(0, sigma, hu.shape), -1024)


def _cone_beam(hu: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower contrast, cupping and noise."""
    rows, columns = hu.shape[1:]
    v, u = np.ogrid[:rows, :columns]
    cup = 120 * np.hypot(v / rows - 0.5, u / columns - 0.5) ** 2 * 4 - 60
    return _noisy(np.where(hu > -900, 0.8 * hu + cup, hu), 40)


def _header_trials(phantoms: Phantoms) -> Iterator[Trial]:
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
        yield Trial("header", name, partial(_damaged, phantoms, partial(alter_series, change=change)))


def _file_trials(phantoms: Phantoms) -> Iterator[Trial]:
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
        yield Trial("files", name, partial(_damaged, phantoms, harm))
