"""One reviewer at work on a review: which task is next, what was answered, going back, and going on later."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autocontour import __version__
from autocontour.base.errors import UsageError
from autocontour.base.findings import Finding
from autocontour.patient.structures import Contours
from autocontour.qa.commissioning.blind import files
from autocontour.qa.commissioning.blind.answers import AnswerWriter, Entry, final_answers
from autocontour.qa.commissioning.blind.files import Review
from autocontour.qa.commissioning.blind.plan import (
    CORRECT,
    CORRECTIONS,
    DRAW,
    JUDGE,
    ORIGINS,
    Task,
    check_reviewer,
    order_tasks,
)

_HASH = re.compile(r"[0-9a-f]{64}")


class Session:
    """The review of one reviewer, from the first task without an answer.

    Every answer is on the disk when the method returns.

    Parameters
    ----------
    review
        The review.
    reviewer
        The person, by a name without blanks.

    Raises
    ------
    UsageError
        ``AC-QA-230`` if the reviewer's answers are open elsewhere, ``AC-QA-231`` if they are not sound, ``AC-QA-235``
        if the reviewer has finished.
    OutputError
        If the answers cannot be written.
    """

    def __init__(self, review: Review, reviewer: str) -> None:
        self.review, self.reviewer = review, check_reviewer(reviewer)
        self._writer = AnswerWriter(review.place_of(reviewer))
        try:
            self._begin()
        except BaseException:
            self._writer.close()
            raise

    def _begin(self) -> None:
        entries = self._writer.entries
        if problems := check_entries(entries, self.review, self.reviewer):
            raise UsageError("AC-QA-231", problems, reviewer=self.reviewer)
        if any(entry["type"] == "end" for entry in entries):
            raise UsageError("AC-QA-235", reviewer=self.reviewer)
        begun = next((entry for entry in entries if entry["type"] == "begin"), None)
        if begun is None:
            order = order_tasks(list(self.review.tasks.values()), self.review.seed, self.reviewer)
            begun = self._add({
                "type": "begin", "review": self.review.plan_hash, "reviewer": self.reviewer, "program": __version__,
                "order": [task.name for task in order],
            })  # fmt: skip
        else:
            self._add({"type": "resume", "program": __version__})
        self.order = [self.review.tasks[name] for name in begun["order"]]
        self._index = self._first_open()

    @property
    def index(self) -> int:
        """The number of the task shown, from 0; the number of all tasks when none is left."""
        return self._index

    @property
    def current(self) -> Task | None:
        """The task shown; None when all are answered."""
        return self.order[self._index] if self._index < len(self.order) else None

    @property
    def following(self) -> Task | None:
        """The task after it; None after the last."""
        return self.order[self._index + 1] if self._index + 1 < len(self.order) else None

    @property
    def answer(self) -> Entry | None:
        """What was answered for the task shown, if she has gone back to it."""
        return final_answers(self._writer.entries).get(self.current.name) if self.current else None

    @property
    def can_go_back(self) -> bool:
        """Whether the task before may be answered again: once, and nothing is drawn after its contour was shown."""
        if self._index == 0 or self._index != self._first_open():
            return False
        before = self.order[self._index - 1]
        return before.kind == JUDGE or self.current is None or self.current.pair != before.pair

    @property
    def last_hash(self) -> str:
        """The hash of the last line of the answers."""
        return self._writer.last_hash

    @property
    def work_folder(self) -> Path:
        """The folder of the drawing of the task shown, kept until it is handed in."""
        assert self.current is not None  # asked only for a task
        return self.review.private / files.WORK / self.reviewer.casefold() / self.current.name

    def judge(self, task: Task, correction: str, origin: str, shown: str, seconds: float) -> None:
        """Store a judgement and go on.

        Parameters
        ----------
        task
            The task that was on the screen.
        correction
            One of `CORRECTIONS`: would she correct it?
        origin
            One of `ORIGINS`: was it drawn by a human or a machine?
        shown
            SHA-256 of the contours that were on the screen.
        seconds
            How long they were.

        Raises
        ------
        UsageError
            ``AC-QA-236`` if the contours or the task are not those that are asked about.
        OutputError
            If it cannot be written; the task stays.
        """
        if (correction, origin) not in [(c, o) for c in CORRECTIONS for o in ORIGINS]:
            raise ValueError(f"unknown answer: {correction}, {origin}")
        if task != self.current or task.kind != JUDGE or self.review.items[task.item].content != shown:
            raise UsageError("AC-QA-236")
        self._answer({"correction": correction, "origin": origin, "shown": shown}, seconds)

    def hand_in(self, task: Task, contours: Contours, seconds: float) -> None:
        """Store what was drawn or corrected and go on; no contours: it cannot be drawn on this scan.

        Raises
        ------
        UsageError
            ``AC-QA-236`` if the task is not the one that is asked about.
        OutputError
            If it cannot be written; the task stays.
        """
        if task != self.current or task.kind not in (DRAW, CORRECT):
            raise UsageError("AC-QA-236")
        digest = self.review.keep_drawn(self.reviewer, contours) if contours else ""
        self._answer({"drawn": digest}, seconds)

    def go_back(self) -> None:
        """Show the task before again; its answer stays until another one is given."""
        if self.can_go_back:
            self._index -= 1
            self._add({"type": "back", "task": self.order[self._index].name})

    def go_on(self) -> None:
        """Leave a task that was gone back to as it was answered."""
        if self.answer is not None:
            self._index = self._first_open()

    def finish(self) -> None:
        """End the review: no answer can be changed any more."""
        if self.current is None:
            self._add({"type": "end"})

    def close(self) -> None:
        """Let go of the answers; the review goes on at the same task."""
        self._writer.close()

    def _answer(self, values: Mapping[str, Any], seconds: float) -> None:
        assert self.current is not None  # the callers have compared it
        task = self.current
        about = {"task": task.name, "kind": task.kind, "patient": task.patient, "structure": task.structure,
                 "item": task.item, "seconds": round(max(0.0, seconds), 1)}  # fmt: skip
        self._add({"type": "answer", **about, **values})
        self._index = self._first_open()

    def _add(self, values: Mapping[str, Any]) -> Entry:
        return self._writer.append({"at": datetime.now(UTC).isoformat(timespec="seconds"), **values})

    def _first_open(self) -> int:
        answered = final_answers(self._writer.entries)
        return next((n for n, task in enumerate(self.order) if task.name not in answered), len(self.order))


def check_entries(entries: Sequence[Entry], review: Review, reviewer: str) -> list[Finding]:
    """Return what does not fit the review in lines that are themselves sound."""
    problems = []
    for number, entry in enumerate(entries, 1):
        kind = entry.get("type")
        is_first = number == next((n for n, one in enumerate(entries, 1) if one.get("type") != "unfinished"), 1)
        if kind == "begin":
            is_fitting = _begins(entry, review, reviewer) and is_first
        elif kind == "answer":
            is_fitting = _fits(entry, review)
        else:
            is_fitting = kind in ("resume", "back", "end", "unfinished")
        if not is_fitting or (is_first and kind not in ("begin", "unfinished")):
            problems.append(Finding.of("AC-QA-224", line=number))
    return problems


def _begins(entry: Entry, review: Review, reviewer: str) -> bool:
    is_own = str(entry.get("reviewer", "")).casefold() == reviewer.casefold()
    order = entry.get("order")
    is_whole = isinstance(order, list) and sorted(map(str, order)) == sorted(review.tasks)
    return is_own and is_whole and entry.get("review") == review.plan_hash


def _fits(entry: Entry, review: Review) -> bool:
    """Whether an answer is one of its task: about the contours that the plan has for it."""
    task = review.tasks.get(str(entry.get("task")))
    if task is None or (entry.get("kind"), entry.get("item")) != (task.kind, task.item):
        return False
    if (entry.get("patient"), entry.get("structure")) != task.pair:
        return False
    if task.kind == JUDGE:
        is_known = entry.get("correction") in CORRECTIONS and entry.get("origin") in ORIGINS
        return is_known and entry.get("shown") == review.items[task.item].content
    drawn = entry.get("drawn")
    return isinstance(drawn, str) and (not drawn or _HASH.fullmatch(drawn) is not None)
