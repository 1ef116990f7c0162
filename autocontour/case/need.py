"""Priority of structures for review, with reasons and slices; used for the list and for the next structure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from autocontour.base.findings import Finding, Severity
from autocontour.case.state import CaseState, CaseStructure
from autocontour.patient.structures import ReviewStatus

SURE = 0.85
"""Mean probability of a network above which its uncertainty is not listed."""

Seen = Mapping[int, Collection[int]]
"""Number of every viewed structure → the slices that were shown while it was selected."""


@dataclass(frozen=True)
class Need:
    """Need for review of a structure.

    Attributes
    ----------
    rank
        The highest is first; its first value is whether it is not approved, the second whether something about it has
        not been viewed.
    reasons
        Reasons, as short phrases of the register (``AC-RV``); none if it is approved.
    places
        Places to view, in order: ranges of slices of findings that have not been viewed.
    """

    rank: tuple[float, ...]
    reasons: tuple[Finding, ...] = ()
    places: tuple[range, ...] = ()

    @property
    def reason(self) -> str:
        """The reasons, as one English phrase."""
        return ", ".join(reason.message for reason in self.reasons)

    @property
    def is_open(self) -> bool:
        """Whether something about it has not been viewed."""
        return self.rank[1] > 0


def assess_need(item: CaseStructure, seen: Seen) -> Need:
    """Return the need for review of a structure, by its findings, the network's uncertainty, and the viewed slices."""
    if item.is_approved:
        return Need((0.0, 0.0))
    if item.structure.status is ReviewStatus.REJECTED:
        return Need((1.0, 0.0), (Finding.of("AC-RV-007"),))
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
    if item.is_rejected:
        given.insert(0, Finding.of("AC-RV-008"))
    return Need(tuple(map(float, rank)), tuple(given[:2]), places)


def viewed(state: CaseState, seen: Seen) -> list[CaseStructure]:
    """Return the structures that can be approved together, in order.

    Each is drawn, neither approved nor rejected, was viewed on a slice where it is drawn, and every place of its
    findings was viewed. A rejected structure that was edited since is included.
    """
    found = []
    for item in state.items:
        number, contours = item.structure.number, item.structure.contours
        is_decided = item.structure.status in (ReviewStatus.APPROVED, ReviewStatus.REJECTED)
        is_open = is_decided or assess_need(item, seen).is_open
        if not is_open and any(z in contours for z in seen.get(number, ())):
            found.append(item)
    return found


def choose_next(state: CaseState, selected: int | None, seen: Seen) -> tuple[CaseStructure, Need] | None:
    """Return the structure to review next, with its need; None if every one is approved.

    The selected structure comes first as long as some of it was viewed and some was not; then open structures by
    priority, so that one key visits all of them; then the others in their order, the rejected ones last.
    """
    waiting = [(item, assess_need(item, seen)) for item in state.items if not item.is_approved]
    still_open = [(item, need) for item, need in waiting if need.is_open]
    begun = [pair for pair in still_open if pair[0].structure.number == selected and selected in seen]
    if still_open:
        return max(begun or still_open, key=lambda pair: pair[1].rank)
    numbers = list(state.numbers)
    at = numbers.index(selected) if selected in numbers else -1

    def turn(pair: tuple[CaseStructure, Need]) -> tuple[bool, int]:
        item, _ = pair
        is_rejected = item.structure.status is ReviewStatus.REJECTED
        return is_rejected, (numbers.index(item.structure.number) - at - 1) % len(numbers)

    return min(waiting, key=turn, default=None)


def still_seen(seen: Seen, before: CaseState, after: CaseState) -> dict[int, set[int]]:
    """Return the viewed slices of the structures that are still the same.

    A structure that was contoured automatically again is not the same, nor is another one with its number.
    """
    kept = (number for number in seen if number in before and number in after)
    return {number: set(seen[number]) for number in kept if before[number].automatic == after[number].automatic}


def slices_by_finding(findings: Iterable[Finding]) -> dict[int, tuple[Finding, ...]]:
    """Return every slice of a finding, ascending, with its findings."""
    marked: dict[int, tuple[Finding, ...]] = {}
    for finding in findings:
        for z in finding.slices:
            marked[z] = (*marked.get(z, ()), finding)
    return dict(sorted(marked.items()))


def runs(slices: Iterable[int]) -> tuple[range, ...]:
    """Return neighbouring slices joined to places."""
    found: list[range] = []
    for z in sorted(set(slices)):
        if found and found[-1].stop == z:
            found[-1] = range(found[-1].start, z + 1)
        else:
            found.append(range(z, z + 1))
    return tuple(found)


def open_places(item: CaseStructure, seen: Seen) -> tuple[range, ...]:
    """Return the places of a structure's findings that have been neither viewed nor redrawn."""
    doubts = [finding for finding in item.structure.findings if finding.severity >= Severity.WARN]
    looked = seen.get(item.structure.number, ())
    now, first = item.structure.contours, item.automatic
    places = runs(slices_by_finding(doubts))
    return tuple(p for p in places if not any(z in looked or now.get(z) is not first.get(z) for z in p))
