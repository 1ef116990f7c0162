"""Checks of any structure set, contoured automatically or manually: volumes, places, sides, overlaps, pieces, names."""

from autocontour.qa.checks.check import check_set, checked, with_findings

__all__ = ["check_set", "checked", "with_findings"]
