"""Model packages: what a network draws, how it sees a CT, and what its training saw.

A package is a folder, or a zip of the same files: ``metadata.json`` (MONAI bundle's field names and ours),
``localizer.safetensors`` and ``segmenter.safetensors``, ``SHA256SUMS``, and if wanted ``LICENSE``, ``README.md`` and
``training.json``. Nothing in it is ever executed or unpickled.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autocontour.errors import ModelError
from autocontour.models.members import CHECKSUMS, METADATA, WEIGHTS, checksums_of, package_checksum, read_members

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMAT = 1
MAX_STRUCTURES = 256
MAX_WINDOW_VOXELS = 1 << 24
SIDES = ("", "left", "right")


@dataclass(frozen=True)
class StructureRules:
    """What is done to a structure's mask, as data.

    Attributes
    ----------
    components
        How many separate pieces are kept, the largest first; 0 keeps all.
    minimum_cc
        Pieces below this volume are dropped.
    fill_holes
        Whether holes within a slice are filled.
    side
        ``left`` or ``right``: pieces on the other side of the body's midline are dropped.
    elongated
        Whether it runs along the patient and out of most scans, as the spinal cord does, so that its length and its
        position along z say nothing.
    """

    components: int = 1
    minimum_cc: float = 0.0
    fill_holes: bool = True
    side: str = ""
    elongated: bool = False


@dataclass(frozen=True)
class PackageStructure:
    """One structure that a package can draw.

    Attributes
    ----------
    name
        Its TG-263 name.
    drawn
        Whether it is drawn unless asked otherwise; False for what is trained for research only.
    threshold
        Probability at which its contour runs.
    margin_mm
        What the localizer's box gains on every side.
    rules
        See `StructureRules`.
    statistics
        What training saw (see `autocontour.models.plausibility`); empty if unknown.
    """

    name: str
    drawn: bool = True
    threshold: float = 0.5
    margin_mm: float = 15.0
    rules: StructureRules = StructureRules()
    statistics: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """One network of a package and how it sees a CT.

    Attributes
    ----------
    network
        Argument of `autocontour.models.networks.build_network`; one output channel per structure of the package.
    spacing_zyx_mm
        Its grid along the patient's z, y, x.
    window_zyx
        Voxels that it takes at once.
    intensity_windows_hu
        One input channel each, as `autocontour.models.intensity.scale_intensity` makes them.
    overlap
        Part of a window that neighbouring windows share.
    threshold
        Probability from which the localizer counts a voxel as found.
    """

    network: Mapping[str, Any]
    spacing_zyx_mm: tuple[float, float, float]
    window_zyx: tuple[int, int, int]
    intensity_windows_hu: tuple[tuple[float, float], ...]
    overlap: float = 0.25
    threshold: float = 0.5


@dataclass(frozen=True)
class ModelPackage:
    """A package as its metadata describes it; the weights stay in its files until asked for.

    Attributes
    ----------
    path
        The folder or zip it was read from.
    name, version, body_site, license
        As in the metadata; the body site is a DICOM code meaning in capitals, such as ``HEAD AND NECK``.
    checksum
        SHA-256 that covers every file of the package.
    structures
        By name, in the order of the networks' output channels.
    stages
        ``localizer`` (absent in a one-stage package) and ``segmenter``.
    site_anchors, site_minimum
        The structures that tell the body site, and how many of them a scan must show.
    metadata
        The whole of ``metadata.json``.
    bundled
        Whether it came with the program.
    """

    path: Path
    name: str
    version: str
    body_site: str
    license: str
    checksum: str
    structures: Mapping[str, PackageStructure]
    stages: Mapping[str, Stage]
    site_anchors: tuple[str, ...]
    site_minimum: int
    metadata: Mapping[str, Any]
    bundled: bool = False

    @property
    def drawn_names(self) -> tuple[str, ...]:
        """The structures that are drawn unless asked otherwise."""
        return tuple(name for name, structure in self.structures.items() if structure.drawn)

    def channel(self, name: str) -> int:
        """Return the output channel of the structure `name`; ValueError if the package has none."""
        return list(self.structures).index(name)

    def read_weights(self, role: str) -> dict[str, NDArray[np.floating[Any]]]:
        """Read one stage's weights, checked: see `autocontour.models.weights.parse_weights`."""
        from autocontour.models.weights import parse_weights

        members = read_members(self.path)
        if package_checksum(members) != self.checksum:
            raise ModelError("AC-MD-007", f"The package {self.name} has changed since it was read.", "Start again.")
        return parse_weights(WEIGHTS[role], members[WEIGHTS[role]])


def read_package(path: Path, *, bundled: bool = False) -> ModelPackage:
    """Read and check a package without its networks.

    Parameters
    ----------
    path
        Its folder or zip.
    bundled
        Whether it came with the program.

    Raises
    ------
    ModelError
        As `autocontour.models.members.read_members`; ``AC-MD-010`` for metadata that do not describe a package,
        ``AC-MD-011`` for a package of a later format.
    """
    members = read_members(path)
    try:
        metadata = json.loads(members[METADATA])
    except (ValueError, RecursionError) as error:
        raise _damaged("it is no JSON") from error
    package = parse_metadata(metadata, path=path, checksum=package_checksum(members), bundled=bundled)
    for role in package.stages:
        if WEIGHTS[role] not in members:
            raise _damaged(f"it names a {role}, whose weights are not there")
    return package


def verify_package(package: ModelPackage) -> None:
    """Check that every stage's weights are finite and fit its network; needs torch.

    Raises
    ------
    ModelError
        ``AC-MD-012`` to ``014`` for the weights (see `autocontour.models.weights`), ``AC-MD-020`` for the network.
    """
    from autocontour.models.weights import check_fit

    for role, stage in package.stages.items():
        check_fit(stage, len(package.structures), package.read_weights(role))


def write_package(
    folder: Path,
    metadata: Mapping[str, Any],
    weights: Mapping[str, Mapping[str, Any]],
    extra: Mapping[str, str] | None = None,
) -> ModelPackage:
    """Write a package folder whole or not at all, and read it back with every check.

    Parameters
    ----------
    folder
        Where it goes; replaced if it is there.
    metadata
        Content of ``metadata.json``; see `parse_metadata`.
    weights
        Role (``localizer``, ``segmenter``) → state dict of torch tensors.
    extra
        Texts to go with it: ``LICENSE``, ``README.md``, ``training.json``.

    Returns
    -------
    ModelPackage
        The package, read back.

    Raises
    ------
    ModelError
        If what would be written is no sound package.
    """
    from safetensors.torch import save

    members = {METADATA: json.dumps(metadata, indent=1, ensure_ascii=False, allow_nan=False).encode()}
    members |= {name: text.encode() for name, text in (extra or {}).items()}
    for role, state in weights.items():
        members[WEIGHTS[role]] = save({key: value.detach().cpu().contiguous() for key, value in state.items()})
    members[CHECKSUMS] = checksums_of(members)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        write_members(draft, members)
        verify_package(read_package(draft))
        replace_folder(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return read_package(folder)


def write_members(folder: Path, members: Mapping[str, bytes]) -> None:
    """Write the members into an existing `folder` and have them on the disk."""
    folder.chmod(0o755)
    for name, data in members.items():
        with (folder / name).open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())


def replace_folder(draft: Path, folder: Path) -> None:
    """Put `draft` in the place of `folder`; the former is kept until the new one stands."""
    if not folder.exists():
        draft.replace(folder)
        return
    former = Path(tempfile.mkdtemp(prefix=f".{folder.name}-former-", dir=folder.parent))
    folder.replace(former / "package")
    draft.replace(folder)
    shutil.rmtree(former, ignore_errors=True)


def parse_metadata(
    metadata: Any,  # noqa: ANN401  (foreign JSON)
    *,
    path: Path,
    checksum: str,
    bundled: bool = False,
) -> ModelPackage:
    """Turn the content of ``metadata.json`` into a `ModelPackage`.

    Besides MONAI's fields (``version``, ``monai_version``, ``pytorch_version``, ``name``, ``task``, ``description``,
    ``authors``, ``network_data_format`` …) it has ``format`` (1), ``body_site``, ``license``, ``structures`` (fields
    of `PackageStructure`), ``stages`` (role → fields of `Stage`), ``site`` (``anchors``, ``minimum``), ``training``
    and ``validation``.

    Raises
    ------
    ModelError
        ``AC-MD-010`` naming the field, ``AC-MD-011`` for a later format.
    """
    fields = _mapping(metadata, "it")
    if _whole(fields.get("format"), "format", 1, 1 << 30) > FORMAT:
        raise ModelError(
            "AC-MD-011", "The package was made for a later version of the program.", "Update the program to use it."
        )
    structures = tuple(_structure(item, n) for n, item in enumerate(_items(fields, "structures", MAX_STRUCTURES)))
    names = [structure.name for structure in structures]
    if len(set(names)) != len(names) or not names:
        raise _damaged("structures need names, each once")
    stages = {role: _stage(item, f"stages.{role}") for role, item in _mapping(fields.get("stages"), "stages").items()}
    if "segmenter" not in stages or set(stages) - set(WEIGHTS):
        raise _damaged("stages must be a segmenter and, if wanted, a localizer")
    site = _mapping(fields.get("site", {}), "site")
    anchors = tuple(_text(site | {"anchor": anchor}, "anchor") for anchor in site.get("anchors", []))
    if not set(anchors) <= set(names):
        raise _damaged("site.anchors names a structure that the package has not")
    return ModelPackage(
        path=path,
        name=_text(fields, "name"),
        version=_text(fields, "version"),
        body_site=_text(fields, "body_site"),
        license=_text(fields, "license"),
        checksum=checksum,
        structures=dict(zip(names, structures, strict=True)),
        stages=stages,
        site_anchors=anchors,
        site_minimum=_whole(site.get("minimum", min(2, len(anchors))), "site.minimum", 0, MAX_STRUCTURES),
        metadata=fields,
        bundled=bundled,
    )


def _structure(item: Any, number: int) -> PackageStructure:  # noqa: ANN401
    where = f"structures[{number}]"
    fields = _mapping(item, where)
    rules = _mapping(fields.get("rules", {}), f"{where}.rules")
    if rules.get("side", "") not in SIDES:
        raise _damaged(f"{where}.rules.side must be left, right or empty")
    return PackageStructure(
        name=_text(fields, "name"),
        drawn=bool(fields.get("drawn", True)),
        threshold=_number(fields.get("threshold", 0.5), f"{where}.threshold", 0.01, 0.99),
        margin_mm=_number(fields.get("margin_mm", 15.0), f"{where}.margin_mm", 0, 200),
        rules=StructureRules(
            components=_whole(rules.get("components", 1), f"{where}.rules.components", 0, 1000),
            minimum_cc=_number(rules.get("minimum_cc", 0.0), f"{where}.rules.minimum_cc", 0, 1e6),
            fill_holes=bool(rules.get("fill_holes", True)),
            side=rules.get("side", ""),
            elongated=bool(rules.get("elongated", False)),
        ),
        statistics=_mapping(fields.get("statistics", {}), f"{where}.statistics"),
    )


def _stage(item: Any, where: str) -> Stage:  # noqa: ANN401
    fields = _mapping(item, where)
    spacing = [_number(v, f"{where}.spacing_zyx_mm", 0.1, 50) for v in _items(fields, "spacing_zyx_mm", 3)]
    window = [_whole(v, f"{where}.window_zyx", 1, 4096) for v in _items(fields, "window_zyx", 3)]
    levels = [_levels(v, f"{where}.intensity_windows_hu") for v in _items(fields, "intensity_windows_hu", 16)]
    if len(spacing) != 3 or len(window) != 3 or math.prod(window) > MAX_WINDOW_VOXELS or not levels:
        raise _damaged(f"{where} needs three spacings, a window of three sizes and an intensity window")
    network = _mapping(fields.get("network"), f"{where}.network")
    _check_modest(network, f"{where}.network")
    return Stage(
        network=network,
        spacing_zyx_mm=(spacing[0], spacing[1], spacing[2]),
        window_zyx=(window[0], window[1], window[2]),
        intensity_windows_hu=tuple(levels),
        overlap=_number(fields.get("overlap", 0.25), f"{where}.overlap", 0, 0.75),
        threshold=_number(fields.get("threshold", 0.5), f"{where}.threshold", 0.01, 0.99),
    )


def _levels(value: Any, where: str) -> tuple[float, float]:  # noqa: ANN401
    if not isinstance(value, list) or len(value) != 2:
        raise _damaged(f"{where} must hold pairs of levels")
    low, high = (_number(level, where, -32768, 65535) for level in value)
    if low >= high:
        raise _damaged(f"{where} must rise")
    return low, high


def _check_modest(value: Any, where: str) -> None:  # noqa: ANN401
    """Refuse a network's description that would ask for an absurd network."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        if len(value) > 64:
            raise _damaged(f"{where} is too long")
        for item in value:
            _check_modest(item, where)
    elif not isinstance(value, str | bool):
        _number(value, where, 0, 4096)


def _damaged(what: str) -> ModelError:
    return ModelError("AC-MD-010", f"{METADATA} does not describe a model package: {what}.", "Ask its maker.")


def _mapping(value: Any, where: str) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(value, Mapping):
        raise _damaged(f"{where} is no object")
    return dict(value)


def _items(fields: Mapping[str, Any], key: str, most: int) -> Sequence[Any]:
    value = fields.get(key)
    if not isinstance(value, list) or len(value) > most:
        raise _damaged(f"{key} must be a list of at most {most}")
    return value


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or not value.strip() or len(value) > 200:
        raise _damaged(f"{key} must be a text")
    return value


def _number(value: Any, where: str, low: float, high: float) -> float:  # noqa: ANN401
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise _damaged(f"{where} must be a number from {low:g} to {high:g}")
    return float(value)


def _whole(value: Any, where: str, low: int, high: int) -> int:  # noqa: ANN401
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _damaged(f"{where} must be a whole number from {low} to {high}")
    return value
