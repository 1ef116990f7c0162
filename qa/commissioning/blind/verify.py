"""Verification of a review: its contours, and every line of every reviewer's answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from autocontour.archive.find import as_finding
from autocontour.base.errors import AutoContourError, UsageError
from autocontour.base.findings import Finding, Severity
from autocontour.qa.commissioning.blind.answers import Entry, final_answers
from autocontour.qa.commissioning.blind.files import Review
from autocontour.qa.commissioning.blind.plan import JUDGE
from autocontour.qa.commissioning.blind.session import check_entries


@dataclass(frozen=True)
class ReviewerState:
    """The answers of one reviewer.

    Attributes
    ----------
    reviewer
        The person.
    entries
        The sound lines.
    answered, tasks
        Numbers of tasks.
    is_finished
        Whether the reviewer has ended the review.
    last_hash
        Of the last sound line.
    problems
        What was changed, removed, added or moved; and, as INFO, an unfinished last line.
    """

    reviewer: str
    entries: tuple[Entry, ...]
    answered: int
    tasks: int
    is_finished: bool
    last_hash: str
    problems: tuple[Finding, ...]

    @property
    def is_sound(self) -> bool:
        """Whether every line is as it was written."""
        return all(problem.severity is Severity.INFO for problem in self.problems)

    def to_json(self) -> dict[str, Any]:
        """Return plain values, without the answers."""
        return {
            "reviewer": self.reviewer,
            "lines": len(self.entries),
            "answered": self.answered,
            "tasks": self.tasks,
            "finished": self.is_finished,
            "last_hash": self.last_hash,
            "sound": self.is_sound,
            "problems": [problem.to_json() for problem in self.problems],
        }


def check_items(review: Review) -> list[Finding]:
    """Return the items whose contours are not those that were prepared."""
    found = []
    for name in sorted(review.items):
        try:
            review.shown(name)
        except AutoContourError as error:
            found.append(as_finding(error))
    return found


def _check_origins(review: Review) -> list[Finding]:
    try:
        review.read_origins()
    except AutoContourError as error:
        return [as_finding(error)]
    return []


def check_reviewer_answers(review: Review, reviewer: str) -> ReviewerState:
    """Check every line of a reviewer's answers, and what was drawn.

    Raises
    ------
    UsageError
        ``AC-QA-233`` if the file cannot be read.
    """
    try:
        found = review.place_of(reviewer).read()
    except OSError as error:
        raise UsageError("AC-QA-233", file=f"{reviewer}.jsonl") from error
    problems = [*found.problems, *check_entries(found.entries, review, reviewer)]
    answers = final_answers(found.entries) if not problems else {}
    problems += _check_drawn(review, reviewer, found.entries)
    if found.unfinished:
        problems.append(Finding.of("AC-QA-225", severity=Severity.INFO, bytes=len(found.unfinished)))
    is_finished = any(entry.get("type") == "end" for entry in found.entries)
    return ReviewerState(
        reviewer, found.entries, len(answers), len(review.tasks), is_finished, found.last_hash, tuple(problems)
    )


def _check_drawn(review: Review, reviewer: str, entries: tuple[Entry, ...]) -> Iterator[Finding]:
    for number, entry in enumerate(entries, 1):
        if entry.get("type") == "answer" and entry.get("kind") != JUDGE and entry.get("drawn"):
            try:
                review.read_drawn(reviewer, str(entry["drawn"]))
            except AutoContourError:
                yield Finding.of("AC-QA-227", line=number)


def check_review(review: Review) -> tuple[list[Finding], list[ReviewerState]]:
    """Return what is wrong with the contours of a review or their origins, and the state of every reviewer."""
    problems = [*check_items(review), *_check_origins(review)]
    return problems, [check_reviewer_answers(review, name) for name in review.reviewers]
