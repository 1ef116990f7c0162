"""What a blind review is prepared from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autocontour.qa.commissioning.blind.plan import Shares
from autocontour.qa.commissioning.study.request import SetRole

MANUAL, AUTOMATIC, CORRECTED = "manual", "automatic", "corrected"
KINDS = (MANUAL, AUTOMATIC, CORRECTED)


@dataclass(frozen=True)
class ReviewRequest:
    """A review to be prepared.

    Attributes
    ----------
    source
        Folder of CTs and structure sets, searched with all its subfolders.
    output
        Folder of the review.
    manual, automatic, corrected
        Which structure sets are of each origin: patterns of the path below `source`, or of the label.
    cases
        Folder of the program's cases; their approved structures are used with their automatic contours.
    structures
        Only these; all if empty.
    seed
        Of the choices and orders.
    shares
        How much is drawn from nothing and shown again.
    unpaired
        Whether structures are shown that a patient has of one origin only.
    as_drawn
        Whether outlines are shown as they were drawn, not evened to one resolution.
    """

    source: Path
    output: Path
    manual: str = ""
    automatic: str = ""
    corrected: str = ""
    cases: Path | None = None
    structures: Sequence[str] = ()
    seed: int = 1
    shares: Shares = field(default_factory=Shares)
    as_drawn: bool = False
    unpaired: bool = False

    @property
    def private(self) -> Path:
        """The folder beside the review, of files that state origins or places."""
        return self.output.with_name(self.output.name + ".private")

    @property
    def roles(self) -> list[SetRole]:
        """The origins of structure sets that have a pattern."""
        patterns = zip(KINDS, (self.manual, self.automatic, self.corrected), strict=True)
        return [SetRole(kind, pattern) for kind, pattern in patterns if pattern]
