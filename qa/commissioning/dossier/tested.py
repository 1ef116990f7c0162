"""The sections of a dossier about the self test: end to end, and what the program refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autocontour.qa.commissioning.study.text import number_text
from autocontour.report.document import Block, NotDone, Paragraph, table

Json = Mapping[str, Any]
Rows = list[Sequence[object]]


def show_refusals(content: Json) -> Iterator[Block]:
    """Yield what the program refused in the stress suite."""
    if content["selftest"] and content["selftest"].get("stress"):
        refused: dict[str, list[Json]] = {}
        for one in content["selftest"]["stress"]:
            if one["outcome"] == "refused":
                refused.setdefault(one["detail"], []).append(one)
        rows = [(code, len(mine), ", ".join(one["trial"] for one in mine), mine[0].get("message", ""))
                for code, mine in sorted(refused.items())]  # fmt: skip
        yield table("Scans that the program refused in the stress suite", "code,n,trials,message of the first", rows)
    else:
        yield NotDone("Refusals were not shown: run autocontour selftest --full --json and state its file.")


def show_end_to_end(content: Json) -> Iterator[Block]:
    """Yield the self test: phantoms, structure sets written and read, and the stress suite."""
    tested = content["selftest"]
    if tested is None:
        yield NotDone("Run autocontour selftest --full --json on this computer and state its file.")
        return
    yield Paragraph(
        f"Self test of {tested['date']}: {'passed' if tested['passed'] else 'FAILED'}. "
        f"autocontour {tested['program']} on {tested['computer']}."
    )
    yield table("Packages that were tested", "package,version,SHA-256",
                [one.split(" ", 2) for one in tested["packages"]])  # fmt: skip
    yield from _mismatches(content, tested)
    rows: Rows = [
        (one["site"], one["structure"], number_text(one["expected_dsc"], 3), number_text(one["found_dsc"], 3),
         f"± {one['tolerance']:g}", _passed(one)) for one in tested["checks"]
    ]  # fmt: skip
    yield table("Analytic phantoms, contoured from DICOM files to the structure set: DSC with the true contours",
                "site,structure,DSC of the release,DSC here,tolerance,result", rows)  # fmt: skip
    yield from _round_trips(tested.get("round_trips"))
    yield from _stress(tested.get("stress"))


def _mismatches(content: Json, tested: Json) -> Iterator[Block]:
    """Yield in what the tested installation is not that of the study."""
    program = content["study"]["program"]
    if tested["program"] != program:
        yield NotDone(
            f"The self test is of autocontour {tested['program']}, the study of {program}: run the self test again."
        )
    package = content["package"]
    if package and not any(one.split()[-1] == package["checksum"] for one in tested["packages"]):
        yield NotDone("The package of this dossier is not among those of the self test: run the self test again.")


def _round_trips(trips: Sequence[Json] | None) -> Iterator[Block]:
    if not trips:
        yield NotDone("Structure sets were not written and read with every export profile (selftest --full).")
        return
    rows: Rows = [(one["position"], one["profile"], one["contours"], number_text(one["largest_shift_mm"], 4),
                   _passed(one)) for one in trips]  # fmt: skip
    yield table("True contours written and read again, in every position and with every export profile: the largest "
                "mean distance of an outline from the one that was read",
                "position,export profile,contours,distance in mm,result", rows)  # fmt: skip
    areas = {(one["position"], one["contours"]) for one in trips}
    same = len(areas) == len({one["position"] for one in trips}) and all(one["passed"] for one in trips)
    yield Paragraph(f"Parity of the export profiles: {'the same contours with each' if same else 'NOT the same'}.")


def _stress(results: Sequence[Json] | None) -> Iterator[Block]:
    if not results:
        yield NotDone("The stress suite was not run (selftest --full).")
        return
    yield Paragraph(
        f"Stress suite: {len(results)} phantoms scanned, stored or damaged in other ways. Held: every structure about "
        "as good as on the plain phantom (DSC at most 0.1 lower). Refused: an error instead of contours. Warned: a "
        "structure is worse or missing, and a finding reports it. Silent: worse without a finding, which fails."
    )
    groups = list(dict.fromkeys(one["group"] for one in results))
    outcomes = ("held", "warned", "refused", "SILENT")
    counts = Counter((one["group"], one["outcome"]) for one in results)
    rows: Rows = [(group, *(counts[group, outcome] for outcome in outcomes)) for group in groups]
    rows.append(("all", *(sum(one["outcome"] == outcome for one in results) for outcome in outcomes)))
    yield table("Trials by outcome", "group,held,warned,refused,silent", rows)
    positions = [(one["trial"], one["outcome"], one["detail"]) for one in results if one["group"] == "position"]
    yield table("The phantoms in every patient position", "trial,outcome,findings", positions)
    if silent := [(one["trial"], one["detail"]) for one in results if one["outcome"] == "SILENT"]:
        yield table("Wrong without a finding", "trial,what", silent)


def _passed(one: Json) -> str:
    return "pass" if one["passed"] else "FAIL"
