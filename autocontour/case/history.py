"""The undo steps of a case, and their storage for the next session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from autocontour.case.records import decode_edit, encode_edit, pack, unpack
from autocontour.case.state import CaseState, edit_between

STEPS_KEPT = 200
BYTES_KEPT = 20_000_000
"""Limits of undo after a restart: number of steps and their size in bytes."""


@dataclass(slots=True)
class Step:
    """A step of the history: the change and the state after it.

    Attributes
    ----------
    back
        The packed edit that undoes it; set when it is first stored.
    run
        See `Edit`.
    """

    label: str
    state: CaseState
    back: bytes = field(default=b"", repr=False)
    run: str = ""


def kept_steps(steps: list[Step], index: int) -> Iterator[bytes]:
    """Yield the steps around `steps[index]` as payloads: backwards from it, nearest first, then forwards.

    Steps beyond the limits `STEPS_KEPT` and `BYTES_KEPT` are left out.
    """
    budget = BYTES_KEPT
    for payload in _within(budget, _back(steps, index)):
        budget -= len(payload)
        yield payload
    yield from _within(budget, _forth(steps, index))


def restored_steps(state: CaseState, payloads: Iterable[bytes]) -> tuple[list[Step], int]:
    """Return the steps stored by `kept_steps` around `state`, and the index of the current one."""
    back: list[Step] = []
    forth: list[Step] = []
    earlier = later = state
    for payload in payloads:
        record = unpack(payload)
        edit = decode_edit(record["edit"])
        if record["kind"] == "undo":
            back.append(Step(edit.label, earlier, payload, edit.run))
            earlier = earlier.patched(edit)
        else:
            later = later.patched(edit)
            forth.append(Step(edit.label, later, run=edit.run))
    return [Step("", earlier), *reversed(back), *forth], len(back)


def _back(steps: list[Step], index: int) -> Iterator[bytes]:
    for step, before in zip(steps[index:0:-1], steps[index - 1 :: -1], strict=False):
        if not step.back:
            step.back = _packed("undo", step, step.state, before.state)
        yield step.back


def _forth(steps: list[Step], index: int) -> Iterator[bytes]:
    for before, step in zip(steps[index:], steps[index + 1 :], strict=False):
        yield _packed("redo", step, before.state, step.state)


def _packed(kind: str, step: Step, before: CaseState, after: CaseState) -> bytes:
    edit = replace(edit_between(step.label, before, after), run=step.run)
    return pack({"kind": kind, "edit": encode_edit(edit)})


def _within(budget: int, payloads: Iterator[bytes]) -> Iterator[bytes]:
    for _, payload in zip(range(STEPS_KEPT), payloads, strict=False):
        budget -= len(payload)
        if budget < 0:
            return
        yield payload
