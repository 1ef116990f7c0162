"""Findings about one structure during reading."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from autocontour.base.findings import Finding
from autocontour.base.register import Value


@dataclass
class Notes:
    """Collects the Findings about one structure."""

    where: str
    findings: list[Finding] = field(default_factory=list)

    def warn(self, code: str, slices: Iterable[int] = (), **values: Value) -> None:
        """Add a Finding, with `slices` if it concerns some more than others."""
        self.findings.append(Finding.of(code, self.where, slices, None, **values))
