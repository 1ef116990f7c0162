"""The steps of a case, and how those around the present state are kept for the next time it is opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from autocontour.case.records import decode_edit, encode_edit, pack, unpack
from autocontour.case.state import CaseState, edit_between

STEPS_KEPT = 200
BYTES_KEPT = 20_000_000
"""How far back undo reaches after a restart: so many steps, or so many bytes of them, whichever is less."""


@dataclass(slots=True)
class Step:
    """A moment of the history: what was done and the state after it.

    Attributes
    ----------
    back
        The packed edit that takes it back; filled when it is first kept.
    run
        See `Edit`.
    """

    label: str
    state: CaseState
    back: bytes = field(default=b"", repr=False)
    run: str = ""


def kept_steps(steps: list[Step], index: int) -> Iterator[bytes]:
    """Yield the steps around `steps[index]` as payloads: back from it, nearest first, then forth.

    What does not fit into `STEPS_KEPT` and `BYTES_KEPT` is left out at the far ends.
    """
    budget = BYTES_KEPT
    for payload in _within(budget, _back(steps, index)):
        budget -= len(payload)
        yield payload
    yield from _within(budget, _forth(steps, index))


def restored_steps(state: CaseState, payloads: Iterable[bytes]) -> tuple[list[Step], int]:
    """Return the steps that `kept_steps` kept around `state`, and which of them it is."""
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
