"""Preparing a blind review: contours without their origin, in a folder for the reviewers."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from autocontour import __version__
from autocontour.archive.key import Key, open_key
from autocontour.archive.private import SOURCES
from autocontour.base.errors import UsageError
from autocontour.base.files import foreign_names, shown_path, write_atomically
from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.contouring import box_of
from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.patient.structures import Contours, hash_contours
from autocontour.qa.commissioning.blind import files
from autocontour.qa.commissioning.blind.collect import Collected, Collector
from autocontour.qa.commissioning.blind.files import dump_contours
from autocontour.qa.commissioning.blind.form import area_dsc, compare_forms, describe_form, even_contours
from autocontour.qa.commissioning.blind.plan import CORRECT, Item, Pair, choose, make_tasks, to_json
from autocontour.qa.commissioning.blind.request import AUTOMATIC, CORRECTED, KINDS, MANUAL, ReviewRequest
from autocontour.qa.commissioning.exchanged import find_exchanged
from autocontour.qa.commissioning.study.cohort import LeftOut

SEPARATES = 0.9
"""Area under the ROC curve from which a feature of the outline gives the origin away."""
FORMS = "form.json"


@dataclass
class Drawn:
    """One contour with its origin, before it has a name.

    Attributes
    ----------
    pair
        Patient and structure.
    order
        Does not depend on the key: hash of the CT, structure, origin.
    kind
        The origin.
    shown, contours
        As it is shown, and as it was drawn.
    method
        What drew it, where it is not manual and that is stated.
    """

    pair: Pair
    order: tuple[str, str, str]
    kind: str
    shown: Contours = field(repr=False)
    contours: Contours = field(repr=False)
    method: str = ""
    name: str = ""


@dataclass(frozen=True)
class PreparedReview:
    """The result of preparing.

    Attributes
    ----------
    content
        Of ``review.json``.
    counts
        Origin → items.
    forms
        Feature of the outlines → how well it alone separates manual and automatic contours.
    evened_dsc
        Of the shown outlines with the drawn ones: lowest and median.
    left_out, remarks
        What is not used, and what should be known.
    """

    content: dict[str, Any]
    counts: dict[str, int]
    forms: dict[str, float]
    evened_dsc: dict[str, float]
    left_out: list[LeftOut]
    remarks: list[LeftOut]


def prepare_review(request: ReviewRequest, job: Job) -> PreparedReview:
    """Prepare a review; nothing is written before everything was read.

    Raises
    ------
    UsageError
        ``AC-QA-200`` if the folder is not empty, ``AC-QA-201`` without an origin, ``AC-QA-202`` without a contour.
    CTError
        If the source has no DICOM file.
    OutputError
        If it cannot be written.
    """
    _check_output(request)
    if not request.roles and request.cases is None:
        raise UsageError("AC-QA-201")
    request.private.mkdir(parents=True, exist_ok=True)
    request.private.chmod(0o700)
    key = open_key(request.private / "key", "")
    return _Preparation(request, key, job).run()


def _check_output(request: ReviewRequest) -> None:
    output = request.output.absolute()
    is_used = (output.exists() and (not output.is_dir() or any(output.iterdir()))) or (
        request.private.exists() and foreign_names(request.private, {"key", SOURCES})
    )
    if is_used or output.resolve().is_relative_to(request.source.resolve()):
        raise UsageError("AC-QA-200", folder=shown_path(output))


class _Preparation:
    """One run; see `prepare_review`."""

    def __init__(self, request: ReviewRequest, key: Key, job: Job) -> None:
        self.request, self.key = request, key
        self.collector = Collector(request, key, job)
        self.drawn: list[Drawn] = []
        self.approved: dict[Pair, Contours] = {}
        self.views: list[dict[str, Any]] = []
        self.scans: dict[str, dict[str, str]] = {}
        self.corrected: dict[str, str] = {}

    def run(self) -> PreparedReview:
        patients = list(self.collector.run())
        several = len({kind for one in patients for kinds in one.contours.values() for kind in kinds}) > 1
        for patient in patients:
            self._take(patient, paired=several and not self.request.unpaired)
        if not self.drawn:
            raise UsageError("AC-QA-202", [one.finding for one in self.collector.left_out[:20]])
        # The names and the repeats must not be found by trying the seed; the structures to draw may.
        secret = random.Random(self.key.hash("blind review", str(self.request.seed)))
        self.drawn.sort(key=lambda one: one.order)
        orders = {one.pair: one.order[:2] for one in self.drawn}
        with_automatic = sorted({one.pair for one in self.drawn if one.kind == AUTOMATIC}, key=orders.__getitem__)
        chosen = choose(with_automatic, self.request.shares.draw, random.Random(self.request.seed))
        secret.shuffle(self.drawn)
        for number, one in enumerate(self.drawn, 1):
            one.name = f"i{number:04d}"
        items = {one.name: Item(one.name, *one.pair, hash_contours(one.shown)) for one in self.drawn}
        repeated = [items[one.name] for one in choose(self.drawn, self.request.shares.repeat, secret)]
        corrected = [pair for pair in chosen if pair not in self.approved]
        tasks = make_tasks(list(items.values()), chosen, corrected, repeated, secret)
        own = {one.pair: one.name for one in self.drawn if one.kind == AUTOMATIC}
        self.corrected = {one.name: own[one.pair] for one in tasks if one.kind == CORRECT}
        content = self._content(items, tasks)
        forms = self._forms()
        self._write(content, forms)
        counts = Counter(one.kind for one in self.drawn)
        evened = [area_dsc(one.shown, one.contours) for one in self.drawn]
        return PreparedReview(
            content, {kind: counts[kind] for kind in KINDS}, forms,
            {"lowest": round(min(evened), 4), "median": round(float(np.median(evened)), 4)},
            self.collector.left_out, self.collector.remarks,
        )  # fmt: skip

    def _take(self, patient: Collected, *, paired: bool) -> None:
        geometry = patient.geometry
        exchanged = _exchanged(patient)
        for structure, kinds in patient.contours.items():
            pair = patient.patient, patient.names[structure]
            if pair[1] in exchanged:
                finding = Finding.of("AC-QA-319", pair[1], structure=pair[1])
                self.collector.left_out += [LeftOut(pair[0], kind, finding) for kind in kinds]
                continue
            if paired and len(kinds) < 2:  # the name of the structure would state the origin
                (kind,) = kinds
                finding = Finding.of("AC-QA-210", pair[1], structure=pair[1], kind=kind)
                self.collector.left_out.append(LeftOut(pair[0], kind, finding))
                continue
            kept = self._without_copies(pair, dict(kinds))
            if not kept:
                continue
            self.views.append({"patient": pair[0], "structure": pair[1], "box": _joint_box(kept, geometry)})
            for kind, contours in kept.items():
                shown = self._even(pair, contours, geometry)
                order = patient.ct_hash, structure, kind
                self.drawn.append(Drawn(pair, order, kind, shown, contours, patient.methods[structure][kind]))
        self.scans[patient.patient] = {
            "folder": str(patient.place.absolute()), "series": patient.series, "ct_hash": patient.ct_hash
        }  # fmt: skip

    def _even(self, pair: Pair, contours: Contours, geometry: VolumeGeometry) -> Contours:
        if self.request.as_drawn:
            return contours
        shown, small = even_contours(contours, geometry)
        if small:
            finding = Finding.of("AC-QA-213", pair[1], small, structure=pair[1], count=len(small))
            self.collector.remarks.append(LeftOut(pair[0], "", finding))
        return shown

    def _without_copies(self, pair: Pair, kinds: dict[str, Contours]) -> dict[str, Contours]:
        """Return the contours that are shown: one contour has one origin.

        An approved contour that is the automatic one is shown once, as automatic. A manual one that is identical to
        another has no known origin: none of the two is shown.
        """
        if CORRECTED in kinds:
            self.approved[pair] = kinds[CORRECTED]
        hashes = {kind: hash_contours(mine) for kind, mine in kinds.items()}
        if hashes.get(CORRECTED, "") == hashes.get(AUTOMATIC):
            del kinds[CORRECTED]
            self._remark(pair, CORRECTED, "AC-QA-214")
        if MANUAL in kinds:
            copies = [kind for kind in (AUTOMATIC, CORRECTED) if kind in kinds and hashes[kind] == hashes[MANUAL]]
            for kind in (MANUAL, *copies) if copies else ():
                del kinds[kind]
                finding = Finding.of("AC-QA-212", pair[1], structure=pair[1])
                self.collector.left_out.append(LeftOut(pair[0], kind, finding))
        return kinds

    def _remark(self, pair: Pair, subject: str, code: str) -> None:
        self.collector.remarks.append(LeftOut(pair[0], subject, Finding.of(code, pair[1], structure=pair[1])))

    def _content(self, items: Mapping[str, Item], tasks: list[Any]) -> dict[str, Any]:
        shares = self.request.shares
        return {
            "format": files.FORMAT,
            "version": files.VERSION,
            "program": __version__,
            "key": self.key.check,
            "seed": self.request.seed,
            "draw_share": shares.draw,
            "repeat_share": shares.repeat,
            "outlines": "as drawn" if self.request.as_drawn else "evened",
            "items": to_json(list(items.values())),
            "tasks": to_json(tasks),
            "views": sorted(self.views, key=lambda one: (one["patient"], one["structure"])),
            "scans": {patient: scan["ct_hash"] for patient, scan in sorted(self.scans.items())},
        }

    def _forms(self) -> dict[str, float]:
        outlines = {
            kind: [(one.order[1], describe_form(one.shown)) for one in self.drawn if one.kind == kind] for kind in KINDS
        }
        forms = compare_forms(outlines[MANUAL], outlines[AUTOMATIC])
        separating = [
            LeftOut("", "", Finding.of("AC-QA-215", feature=name, area=area))
            for name, area in forms.items() if area >= SEPARATES
        ]  # fmt: skip
        self.collector.remarks = [*separating, *self.collector.remarks]  # before those of single structures
        return forms

    def _write(self, content: dict[str, Any], forms: Mapping[str, float]) -> None:
        private, output = self.request.private, self.request.output
        by_name = sorted(self.drawn, key=lambda one: one.name)
        for one in by_name:  # in the order of the names: the times of the files show nothing either
            write_atomically(output / files.ITEMS / f"{one.name}.json.gz", dump_contours(one.shown))
        for one in by_name:
            write_atomically(private / files.CONTOURS / f"{one.name}.json.gz", dump_contours(one.contours))
        hashes = {one.name: hash_contours(one.contours) for one in by_name}
        approved = []
        for number, (pair, contours) in enumerate(sorted(self.approved.items())):
            write_atomically(private / files.CONTOURS / f"a{number:04d}.json.gz", dump_contours(contours))
            hashes[f"a{number:04d}"] = hash_contours(contours)
            approved.append({"patient": pair[0], "structure": pair[1], "contours": f"a{number:04d}"})
        origins = {
            "items": {one.name: one.kind for one in by_name},
            "methods": {one.name: one.method for one in by_name if one.method},
            "approved": approved,
            "contours": hashes,
            "left_out": [one.to_json() for one in self.collector.left_out],
            "remarks": [one.to_json() for one in self.collector.remarks],
            "patterns": {role.name: role.pattern for role in self.request.roles},
        }
        content["origins"] = files.sign_origins(self.key, origins, self.corrected)
        _write_private(private / files.ORIGINS, origins)
        _write_private(private / files.SCANS, self.scans)
        _write_private(private / files.CORRECTED, self.corrected)
        _write_private(private / FORMS, dict(forms))
        write_atomically(output / files.PLAN, json.dumps(content, indent=1).encode())  # last: it makes the review


def _exchanged(patient: Collected) -> set[str]:
    """Return the structures whose left and right are exchanged between two origins."""
    sets: dict[str, dict[str, Contours]] = {}
    for structure, kinds in patient.contours.items():
        for kind, contours in kinds.items():
            sets.setdefault(kind, {})[patient.names[structure]] = contours
    return {name for one, other in combinations(sets.values(), 2) for name in find_exchanged(one, other)}


def _write_private(path: Path, content: Mapping[str, Any]) -> None:
    write_atomically(path, json.dumps(content, indent=1).encode())
    path.chmod(0o600)


def _joint_box(kinds: Mapping[str, Contours], geometry: VolumeGeometry) -> list[list[int]]:
    """Return the first and the last voxel of all contours."""
    boxes = [box for box in (box_of(mine, geometry) for mine in kinds.values()) if box is not None]
    boxes = boxes or [Box((0, 0, 0), geometry.shape_zyx)]
    low = [min(box.start_zyx[axis] for box in boxes) for axis in range(3)]
    high = [max(box.stop_zyx[axis] for box in boxes) - 1 for axis in range(3)]
    return [low, high]
