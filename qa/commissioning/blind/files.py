"""The files of a blind review: the plan that reviewers use, and the private ones with the origins."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import shapely

from autocontour.archive.key import Key, open_key
from autocontour.base.errors import DatasetError, UsageError
from autocontour.base.files import read_file, shown_path, write_atomically
from autocontour.patient.structures import Contours, hash_contours
from autocontour.qa.commissioning.blind.answers import AnswerPlace
from autocontour.qa.commissioning.blind.plan import Item, Pair, Task, check_reviewer

FORMAT, VERSION = "autocontour blind review", 1
PLAN, ITEMS, ANSWERS, DRAWN = "review.json", "items", "answers", "drawn"
ORIGINS, SCANS, CORRECTED = "origins.json", "scans.json", "corrected.json"
CONTOURS, HEADS, WORK = "contours", "heads", "work"


def sign_origins(key: Key, origins: Mapping[str, Any], corrected: Mapping[str, str]) -> str:
    """Return a hash of the private files for ``review.json``; without the key no origin can be found by trying."""
    return key.hash("origins", json.dumps([origins, corrected], sort_keys=True))


def dump_contours(contours: Contours) -> bytes:
    """Return contours as a file; equal contours give equal files."""
    plain = {str(k): shapely.to_wkb(shape, byte_order=1).hex() for k, shape in sorted(contours.items())}
    return gzip.compress(json.dumps(plain).encode(), mtime=0)


def load_contours(path: Path) -> dict[int, shapely.MultiPolygon]:
    """Read the contours of a file.

    Raises
    ------
    UsageError
        ``AC-QA-226`` if it is missing or damaged.
    """
    try:
        plain = json.loads(gzip.decompress(read_file(path)))
        found = {int(k): shapely.from_wkb(bytes.fromhex(wkb)) for k, wkb in plain.items()}
    except (OSError, EOFError, ValueError, AttributeError, shapely.errors.ShapelyError) as error:
        raise UsageError("AC-QA-226", file=path.name) from error
    contours = {k: shape for k, shape in found.items() if isinstance(shape, shapely.MultiPolygon)}
    if len(contours) < len(found):
        raise UsageError("AC-QA-226", file=path.name)
    return contours


@dataclass(frozen=True, eq=False)
class Review:
    """A prepared review.

    Attributes
    ----------
    folder
        Of the review.
    content
        Of ``review.json``.
    """

    folder: Path
    content: dict[str, Any] = field(repr=False)

    @cached_property
    def plan_hash(self) -> str:
        """SHA-256 of ``review.json`` as it was written."""
        return hashlib.sha256(json.dumps(self.content, sort_keys=True).encode()).hexdigest()

    @cached_property
    def items(self) -> dict[str, Item]:
        """The contours that are shown, by their names."""
        return {one["name"]: Item(**one) for one in self.content["items"]}

    @cached_property
    def tasks(self) -> dict[str, Task]:
        """The steps of every reviewer, by their names."""
        return {one["name"]: Task(**one) for one in self.content["tasks"]}

    @property
    def seed(self) -> int:
        """Of the choices and orders."""
        return int(self.content["seed"])

    @property
    def private(self) -> Path:
        """The folder beside the review, of files that state origins or places."""
        return self.folder.with_name(self.folder.name + ".private")

    def shown(self, item: str) -> dict[int, shapely.MultiPolygon]:
        """Return the contours of an item as they are shown.

        Raises
        ------
        UsageError
            ``AC-QA-226`` if they are not those that were prepared.
        """
        path = self.folder / ITEMS / f"{item}.json.gz"
        found = load_contours(path)
        if hash_contours(found) != self.items[item].content:
            raise UsageError("AC-QA-226", file=path.name)
        return found

    def view_of(self, pair: Pair) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """Return the first and the last voxel of all contours of a structure: the view is the same for all of them."""
        low, high = next(one["box"] for one in self.content["views"] if (one["patient"], one["structure"]) == pair)
        return (low[0], low[1], low[2]), (high[0], high[1], high[2])

    def place_of(self, reviewer: str) -> AnswerPlace:
        """Return where the answers of a reviewer lie."""
        name = check_reviewer(reviewer).casefold()
        seed_hash = hashlib.sha256(f"{self.plan_hash}\0{name}".encode()).hexdigest()
        return AnswerPlace(self.folder / ANSWERS / f"{name}.jsonl", self.private / HEADS / f"{name}.json", seed_hash)

    @property
    def reviewers(self) -> list[str]:
        """Who has answered."""
        files = (self.folder / ANSWERS).glob("*.jsonl") if (self.folder / ANSWERS).is_dir() else ()
        heads = (self.private / HEADS).glob("*.json") if (self.private / HEADS).is_dir() else ()
        return sorted({path.stem for path in (*files, *heads)})

    def drawn_path(self, reviewer: str, digest: str) -> Path:
        """Return the file of contours that a reviewer has drawn or corrected."""
        return self.folder / DRAWN / reviewer.casefold() / f"{digest}.json.gz"

    def keep_drawn(self, reviewer: str, contours: Contours) -> str:
        """Store what a reviewer has drawn and return its hash, by which it is found.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        digest = hash_contours(contours)
        write_atomically(self.drawn_path(reviewer, digest), dump_contours(contours))
        return digest

    def read_drawn(self, reviewer: str, digest: str) -> dict[int, shapely.MultiPolygon]:
        """Return what a reviewer has drawn.

        Raises
        ------
        UsageError
            ``AC-QA-226`` if it is missing or was changed.
        """
        path = self.drawn_path(reviewer, digest)
        found = load_contours(path)
        if hash_contours(found) != digest:
            raise UsageError("AC-QA-226", file=path.name)
        return found

    def read_origins(self) -> dict[str, Any]:
        """Return the origins of the contours, after checking that they are those of this review.

        Raises
        ------
        UsageError
            ``AC-QA-228`` if they are those of another review or were changed, ``AC-QA-233`` if they are missing.
        """
        origins = self.read_private(ORIGINS)
        try:
            key = open_key(self.private / "key", str(self.content["key"]))
        except DatasetError as error:
            raise UsageError("AC-QA-228", file=ORIGINS) from error
        # A review that was prepared by an older version has no hash of them.
        known = self.content.get("origins")
        if known is not None and known != sign_origins(key, origins, self.read_private(CORRECTED)):
            raise UsageError("AC-QA-228", file=ORIGINS)
        return origins

    def read_private(self, name: str) -> dict[str, Any]:
        """Return the content of a private file.

        Raises
        ------
        UsageError
            ``AC-QA-233`` if it is missing or damaged.
        """
        return _read_json(self.private / name, "AC-QA-233")


def read_review(folder: Path) -> Review:
    """Read a review.

    Raises
    ------
    UsageError
        ``AC-QA-234`` if the folder has none, or it is damaged.
    """
    content = _read_json(folder / PLAN, "AC-QA-234")
    review = Review(folder.absolute(), content)
    try:
        is_known = content["format"] == FORMAT and content["version"] == VERSION
        is_whole = bool(review.tasks) and all(not one.item or one.item in review.items for one in review.tasks.values())
        _ = review.seed
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError("AC-QA-234", file=shown_path(folder / PLAN)) from error
    if not (is_known and is_whole):
        raise UsageError("AC-QA-234", file=shown_path(folder / PLAN))
    return review


def _read_json(path: Path, code: str) -> dict[str, Any]:
    try:
        content = json.loads(read_file(path))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(code, file=shown_path(path)) from error
    if not isinstance(content, dict):
        raise UsageError(code, file=shown_path(path))
    return content
