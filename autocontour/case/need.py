"""Which structure needs a person's look most, why, and on which slices: one order for the list and the next one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from autocontour.base.findings import Finding, Severity
from autocontour.case.state import CaseState, CaseStructure
from autocontour.patient.structures import ReviewStatus

SURE = 0.85
"""A network's mean probability from which on its certainty is not worth a word."""

Seen = Mapping[int, Collection[int]]
"""Number of every structure that was looked at → the slices that were shown while it was selected."""


@dataclass(frozen=True)
class Need:
    """How much a structure needs a look.

    Attributes
    ----------
    rank
        The greater, the sooner; the first is whether it is not approved, the second whether there is anything about it
        that nobody has looked at.
    reasons
        Why, as short phrases of the register (``AC-RV``); none if it is approved.
    places
        Where to look, in order: runs of slices that a finding points at and nobody has looked at.
    """

    rank: tuple[float, ...]
    reasons: tuple[Finding, ...] = ()
    places: tuple[range, ...] = ()

    @property
    def reason(self) -> str:
        """Why, in one English phrase."""
        return ", ".join(reason.message for reason in self.reasons)

    @property
    def is_open(self) -> bool:
        """Whether something about it still wants to be looked at."""
        return self.rank[1] > 0


def assess_need(item: CaseStructure, seen: Seen) -> Need:
    """Say how much a structure needs a look: by its findings, the network's certainty, and what was looked at."""
    if item.is_approved:
        return Need((0.0, 0.0))
    number, structure = item.structure.number, item.structure
    doubts = [finding for finding in structure.findings if finding.severity >= Severity.WARN]
    worst = max((float(finding.severity) for finding in doubts), default=0.0)
    confidence = structure.provenance.confidence if structure.provenance else None
    unsure = 1 - confidence if confidence is not None and confidence < SURE else 0.0
    places = open_places(item, seen)
    never = number not in seen
    is_untouched = structure.status is ReviewStatus.AUTO
    rank = (1, never or bool(places), worst, len(doubts), unsure, never, len(places), is_untouched)
    reasons = (
        Finding.of("AC-RV-001", count=len(doubts)) if doubts else None,
        Finding.of("AC-RV-002", confidence=confidence) if unsure and confidence is not None else None,
        Finding.of("AC-RV-003") if never else Finding.of("AC-RV-004", count=len(places)) if places else None,
        None if structure.contours else Finding.of("AC-RV-005"),
    )
    given = [reason for reason in reasons if reason is not None] or [Finding.of("AC-RV-006")]
    return Need(tuple(map(float, rank)), tuple(given[:2]), places)


def choose_next(state: CaseState, selected: int | None, seen: Seen) -> tuple[CaseStructure, Need] | None:
    """Return the structure to review next, with its need; None if every one is approved.

    What is open comes first, worst first, so that one key walks through all of it; then the others in their order.
    """
    waiting = [(item, assess_need(item, seen)) for item in state.items if not item.is_approved]
    still_open = [(item, need) for item, need in waiting if need.is_open]
    if still_open:
        return max(still_open, key=lambda pair: pair[1].rank)
    numbers = list(state.numbers)
    at = numbers.index(selected) if selected in numbers else -1
    later = sorted(waiting, key=lambda pair: (numbers.index(pair[0].structure.number) - at - 1) % len(numbers))
    return later[0] if later else None


def still_seen(seen: Seen, before: CaseState, after: CaseState) -> dict[int, set[int]]:
    """Return what was looked at of the structures that are still the same.

    One that was drawn automatically again is not, nor is another that has taken its number.
    """
    kept = (number for number in seen if number in before and number in after)
    return {number: set(seen[number]) for number in kept if before[number].automatic == after[number].automatic}


def slices_by_finding(findings: Iterable[Finding]) -> dict[int, tuple[Finding, ...]]:
    """Return every slice that a finding points at, ascending, with those that do."""
    marked: dict[int, tuple[Finding, ...]] = {}
    for finding in findings:
        for z in finding.slices:
            marked[z] = (*marked.get(z, ()), finding)
    return dict(sorted(marked.items()))


def runs(slices: Iterable[int]) -> tuple[range, ...]:
    """Return neighbouring slices as one: a place to look at."""
    found: list[range] = []
    for z in sorted(set(slices)):
        if found and found[-1].stop == z:
            found[-1] = range(found[-1].start, z + 1)
        else:
            found.append(range(z, z + 1))
    return tuple(found)


def open_places(item: CaseStructure, seen: Seen) -> tuple[range, ...]:
    """Return the places that a finding of a structure points at and that nobody has looked at or drawn anew since."""
    doubts = [finding for finding in item.structure.findings if finding.severity >= Severity.WARN]
    looked = seen.get(item.structure.number, ())
    now, first = item.structure.contours, item.automatic
    places = runs(slices_by_finding(doubts))
    return tuple(p for p in places if not any(z in looked or now.get(z) is not first.get(z) for z in p))
