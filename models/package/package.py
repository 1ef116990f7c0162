"""Model packages: networks with their structures, input grids, and statistics of their training data.

A package is a folder, or a zip of the same files: ``metadata.json`` (field names of MONAI bundles and others),
``localizer.safetensors`` and ``segmenter.safetensors``, ``SHA256SUMS``, and optionally ``LICENSE``, ``README.md`` and
``training.json``. Nothing in it is ever executed or unpickled.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autocontour.base.errors import ModelError, TrainingError
from autocontour.base.findings import Finding
from autocontour.models.package.description import (
    PackageStructure,
    Stage,
    Uncertainty,
    build_description,
    damaged,
    read_metadata,
)
from autocontour.models.package.members import (
    CHECKSUMS,
    METADATA,
    WEIGHTS,
    checksums_of,
    open_members,
    read_members,
)
from autocontour.models.package.patient import PatientBinding
from autocontour.models.package.procedure import Procedure, SidesCheck, content_of, weights_of_fold
from autocontour.models.package.weights import check_file_size, check_fit, parse_weights, plan_stage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from autocontour.models.networks import Plan


@dataclass(frozen=True)
class ModelPackage:
    """A package as its metadata describes it; the weights are read from its files when they are needed.

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
        The structures that identify the body site, and how many of them must be found in a scan.
    metadata
        The whole of ``metadata.json``.
    bundled
        Whether it is part of the program.
    uncertainty
        When a structure counts as uncertain; None in a package without calibrated limits.
    quiet_findings
        Codes of findings that do not predict the quality of its contours and are not shown as warnings.
    procedure
        How its network is run, if it is a published one; None for a package trained by this program.
    patient
        The patient it is for; None if it is for all.
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
    uncertainty: Uncertainty | None = None
    quiet_findings: frozenset[str] = frozenset()
    procedure: Procedure | None = None
    patient: PatientBinding | None = None

    @property
    def drawn_names(self) -> tuple[str, ...]:
        """The structures that are drawn by default."""
        return tuple(name for name, structure in self.structures.items() if structure.drawn)

    @property
    def sides(self) -> SidesCheck | None:
        """The passed test of left and right of a published network; None if the package was changed after it."""
        tested = self.procedure.sides if self.procedure else None
        return tested if tested and tested.content in ("", content_of(self.metadata)) else None

    @property
    def measured_names(self) -> frozenset[str]:
        """The structures for which the package states results on patients (``validation``)."""
        validation = self.metadata.get("validation")
        figures = validation.get("structures") if isinstance(validation, dict) else None
        rows = figures if isinstance(figures, dict) else {}
        return frozenset(name for name, row in rows.items() if isinstance(row, dict) and row.get("n"))

    def channel(self, name: str) -> int:
        """Return the output channel of the structure `name`; ValueError if the package has none."""
        return list(self.structures).index(name)

    def networks(self, role: str) -> int:
        """How many networks a stage has whose results are averaged."""
        return len(self.procedure.folds) if self.procedure is not None else self.stages[role].networks

    def main_network(self, role: str) -> int:
        """Return the number of the network that has the largest part in the mean of a stage's networks."""
        members = self.stages[role].members
        parts = [sum(member.weight(name) for name in self.structures) for member in members]
        return parts.index(max(parts)) if parts else 0

    def plan(self, role: str) -> Plan:
        """Return the steps of a stage's network; raises as `autocontour.models.package.weights.plan_stage`."""
        if self.procedure is not None:
            return plan_stage(self.stages[role], self.procedure.heads, role, images=1)
        return plan_stage(self.stages[role], len(self.structures), role)

    def read_weights(self, role: str) -> dict[str, NDArray[np.floating[Any]]]:
        """Read one stage's weights.

        Raises
        ------
        ModelError
            ``AC-MD-029`` if the package has changed since it was read; ``AC-MD-014`` if the file is larger than the
            network's weights can be; or as `autocontour.models.package.weights.parse_weights`.
        """
        name = WEIGHTS[role]
        with open_members(self.path) as members:
            if members.checksum != self.checksum:
                raise ModelError("AC-MD-029", package=self.name)
            check_file_size(self.stages[role], name, members.sizes[name], self.networks(role))
            data = members.read(name)
        return parse_weights(name, data)

    def read_networks(self, role: str) -> list[dict[str, NDArray[np.floating[Any]]]]:
        """Read the weights of each network of a stage; raises as `read_weights`."""
        weights = self.read_weights(role)
        if self.procedure is None and not self.stages[role].members:
            return [weights]
        return [weights_of_fold(weights, number) for number in range(self.networks(role))]


def read_package(path: Path, *, bundled: bool = False) -> ModelPackage:
    """Read and check a package, except for the values of its weights (`verify_package`).

    Parameters
    ----------
    path
        Its folder or zip.
    bundled
        Whether it is part of the program.

    Raises
    ------
    ModelError
        As `autocontour.models.package.members.open_members`; ``AC-MD-010`` for metadata that do not describe a package,
        ``AC-MD-011`` for a package of a later format, ``AC-MD-015`` and ``AC-MD-020`` to ``022`` for a network that
        does not fit the package or this machine (see `autocontour.models.package.weights.plan_stage`).
    """
    with open_members(path) as members:
        members.check()
        metadata, checksum, sizes = read_metadata(members.read(METADATA)), members.checksum, members.sizes
    package = parse_metadata(metadata, path=path, checksum=checksum, bundled=bundled)
    missing = [role for role in package.stages if WEIGHTS[role] not in sizes]
    if missing:
        raise damaged([Finding.of("AC-CFG-028", f"stages.{role}", file=WEIGHTS[role]) for role in missing])
    for role in package.stages:
        package.plan(role)
    return package


def verify_package(package: ModelPackage) -> None:
    """Check that every stage's network can run here, and that its weights are finite and fit it.

    Raises
    ------
    ModelError
        ``AC-MD-012`` to ``014`` for the weights, ``AC-MD-021`` if the machine does not have the memory (see
        `autocontour.models.package.weights`).
    """
    for role in package.stages:
        plan, networks = package.plan(role), package.read_networks(role)
        for weights in networks:
            check_fit(plan, weights)
        if sum(map(len, networks)) != len(package.read_weights(role)):
            raise ModelError("AC-MD-014", weight="more networks than the metadata name")


def write_package(
    folder: Path,
    metadata: Mapping[str, Any],
    weights: Mapping[str, Mapping[str, Any]],
    extra: Mapping[str, str] | None = None,
) -> ModelPackage:
    """Write a package folder atomically, and read it back with every check.

    Parameters
    ----------
    folder
        The folder to write; replaced if it exists.
    metadata
        Content of ``metadata.json``; see `parse_metadata`.
    weights
        Role (``localizer``, ``segmenter``) → name → weight, as a torch tensor or a numpy array.
    extra
        Additional texts: ``LICENSE``, ``README.md``, ``training.json``.

    Returns
    -------
    ModelPackage
        The package, read back.

    Raises
    ------
    ModelError
        If the result is not a valid package.
    """
    from safetensors.numpy import save

    members = {METADATA: _encode(metadata)}
    members |= {name: text.encode() for name, text in (extra or {}).items()}
    for role, state in weights.items():
        members[WEIGHTS[role]] = save({key: _as_array(value) for key, value in state.items()})
    members[CHECKSUMS] = checksums_of(members)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        write_members(draft, members.items())
        verify_package(read_package(draft))
        replace_folder(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return read_package(folder)


def check_trainable(package: ModelPackage) -> None:
    """Reject a package whose weights must not become those of another one.

    Raises
    ------
    TrainingError
        ``AC-TR-035`` for a published model, which this program does not train, ``AC-TR-039`` for the package of one
        patient: what other patients or another package would get from it was learnt from that patient alone.
    """
    if package.procedure is not None:
        raise TrainingError("AC-TR-035", package=f"{package.name} {package.version}")
    if package.patient is not None:
        raise TrainingError("AC-TR-039", package=f"{package.name} {package.version}")


def _as_array(value: Any) -> NDArray[Any]:  # noqa: ANN401  (a tensor, without torch being imported)
    import numpy as np

    return np.ascontiguousarray(value.detach().cpu().numpy() if hasattr(value, "detach") else value)


def rewrite_metadata(package: ModelPackage, metadata: Mapping[str, Any]) -> ModelPackage:
    """Replace the metadata of a package folder atomically; other files are unchanged.

    Raises
    ------
    ModelError
        ``AC-MD-010`` if the metadata do not describe a package, or as `read_members`.
    """
    members = {**read_members(package.path), METADATA: _encode(metadata)}
    members[CHECKSUMS] = checksums_of(members)
    draft = Path(tempfile.mkdtemp(prefix=f".{package.path.name}-", dir=package.path.parent))
    try:
        write_members(draft, members.items())
        read_package(draft)
        replace_folder(draft, package.path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return read_package(package.path, bundled=package.bundled)


def _encode(metadata: Mapping[str, Any]) -> bytes:
    return json.dumps(metadata, indent=1, ensure_ascii=False, allow_nan=False).encode()


def write_members(folder: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """Write files, each a name and its content, into an existing `folder` and flush them to the disk."""
    folder.chmod(0o755)
    for name, data in members:
        with (folder / name).open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())


def replace_folder(draft: Path, folder: Path) -> None:
    """Replace `folder` by `draft`; the former folder is removed last."""
    if not folder.exists():
        draft.replace(folder)
        return
    former = Path(tempfile.mkdtemp(prefix=f".{folder.name}-former-", dir=folder.parent))
    folder.replace(former / "package")
    draft.replace(folder)
    shutil.rmtree(former, ignore_errors=True)


def parse_metadata(
    metadata: Any,  # noqa: ANN401  (external JSON)
    *,
    path: Path,
    checksum: str,
    bundled: bool = False,
) -> ModelPackage:
    """Build a `ModelPackage` from the content of ``metadata.json``.

    Besides MONAI's fields (``version``, ``monai_version``, ``pytorch_version``, ``name``, ``task``, ``description``,
    ``authors``, ``network_data_format`` …) it has ``format`` (1), ``body_site``, ``license``, ``structures`` (fields
    of `PackageStructure`), ``stages`` (role → fields of `Stage`), ``site`` (``anchors``, ``minimum``), ``training``
    and ``validation``; format 2 has a published network's ``procedure`` (fields of `Procedure`) or several
    networks in a stage (``members``).

    Raises
    ------
    ModelError
        ``AC-MD-010`` naming the field, ``AC-MD-011`` for a later format.
    """
    described = build_description(metadata)
    return ModelPackage(
        path=path,
        name=described.name,
        version=described.version,
        body_site=described.body_site,
        license=described.license,
        checksum=checksum,
        structures={structure.name: structure for structure in described.structures},
        stages=described.stages,
        site_anchors=described.site.anchors,
        site_minimum=described.site.least,
        metadata=metadata,
        bundled=bundled,
        uncertainty=described.uncertainty,
        quiet_findings=described.quiet_findings,
        procedure=described.procedure,
        patient=described.patient,
    )
