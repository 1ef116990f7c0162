"""What a blind review shows: items, tasks and their order. Nothing here states an item's origin."""

from __future__ import annotations

import hashlib
import math
import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from typing import Any

from autocontour.base.errors import UsageError

JUDGE, DRAW, CORRECT = "judge", "draw", "correct"
CORRECTIONS, ORIGINS = ("no", "minor", "major"), ("human", "machine")
APART = 3
"""Tasks of one structure of one patient have at least this many others between them, if there are enough."""
_REVIEWER = re.compile(r"[\w-]{1,32}")

Pair = tuple[str, str]
"""Patient and structure."""


@dataclass(frozen=True)
class Item:
    """A contour that is shown.

    Attributes
    ----------
    name
        Without meaning.
    patient, structure
        Whose it is, by the names of the review.
    content
        SHA-256 of the contours as they are shown.
    """

    name: str
    patient: str
    structure: str
    content: str

    @property
    def pair(self) -> Pair:
        """Patient and structure."""
        return self.patient, self.structure


@dataclass(frozen=True)
class Task:
    """One step of a reviewer.

    Attributes
    ----------
    name
        Without meaning.
    kind
        `JUDGE` an item, `DRAW` a structure from nothing, or `CORRECT` a contour until it can be approved.
    patient, structure
        What it is about.
    item
        The item that is judged; empty for the others (which one is corrected would state its origin).
    """

    name: str
    kind: str
    patient: str
    structure: str
    item: str = ""

    @property
    def pair(self) -> Pair:
        """Patient and structure."""
        return self.patient, self.structure


@dataclass(frozen=True)
class Shares:
    """How much is asked beside the judgements.

    Attributes
    ----------
    draw
        Of the structures with an automatic contour: those drawn from nothing.
    repeat
        Of the items: those shown a second time.
    """

    draw: float = 0.2
    repeat: float = 0.1

    def __post_init__(self) -> None:
        for name, value in (("--draw", self.draw), ("--repeat", self.repeat)):
            if not (math.isfinite(value) and 0 <= value <= 1):
                raise UsageError("AC-US-071", option=name)


def choose(values: Sequence[Any], share: float, generator: random.Random) -> list[Any]:
    """Return a share of the values, at least one if the share is above 0, chosen by the generator."""
    if not values or share <= 0:
        return []
    return generator.sample(list(values), max(1, math.floor(share * len(values) + 0.5)))


def make_tasks(
    items: Sequence[Item], drawn: Sequence[Pair], corrected: Sequence[Pair], repeated: Sequence[Item],
    generator: random.Random,
) -> list[Task]:  # fmt: skip
    """Return the tasks of a review, with neutral names.

    Parameters
    ----------
    items
        Each is judged once.
    drawn
        Structures that are drawn from nothing.
    corrected
        Those of these that are corrected after the judgements.
    repeated
        Items that are judged twice.
    generator
        Gives the names.
    """
    kinds = [(JUDGE, one.pair, one.name) for one in (*items, *repeated)]
    kinds += [(kind, pair, "") for kind, pairs in ((DRAW, drawn), (CORRECT, corrected)) for pair in pairs]
    generator.shuffle(kinds)
    return [Task(f"t{number:04d}", kind, *pair, item) for number, (kind, pair, item) in enumerate(kinds, 1)]


def order_tasks(tasks: Sequence[Task], seed: int, reviewer: str) -> list[Task]:
    """Return the tasks in the order of a reviewer, which the seed and the reviewer's name decide.

    A structure is drawn before any contour of it is shown, and corrected after all of them; contours of one structure
    are kept apart.
    """
    digest = hashlib.sha256(f"{seed}\0{reviewer.casefold()}".encode()).digest()
    generator = random.Random(digest)
    by_pair: dict[Pair, list[Task]] = defaultdict(list)
    for task in sorted(tasks, key=lambda one: one.name):
        by_pair[task.pair].append(task)
    placed: list[tuple[float, Task]] = []
    for mine in by_pair.values():
        generator.shuffle(mine)
        mine.sort(key=lambda one: (DRAW, JUDGE, CORRECT).index(one.kind))  # stable: the judgements stay shuffled
        placed += zip(sorted(generator.random() for _ in mine), mine, strict=True)
    waiting = [task for _, task in sorted(placed, key=lambda one: one[0])]
    order: list[Task] = []
    while waiting:
        order.append(waiting.pop(_next(waiting, [one.pair for one in order[-APART:]])))
    return order


def _next(waiting: Sequence[Task], last: Sequence[Pair]) -> int:
    """Return the first task of a structure that was not shown just before, as far apart as there is one."""
    for start in range(len(last) + 1):
        for number, task in enumerate(waiting):
            if task.pair not in last[start:]:
                return number
    return 0


def check_reviewer(name: str) -> str:
    """Return the reviewer's name.

    Raises
    ------
    UsageError
        ``AC-US-072`` if it cannot be a file's name.
    """
    if not _REVIEWER.fullmatch(name):
        raise UsageError("AC-US-072")
    return name


def to_json(values: Sequence[Item | Task]) -> list[dict[str, Any]]:
    """Return items or tasks as plain values, by their names."""
    return [asdict(one) for one in sorted(values, key=attrgetter("name"))]
