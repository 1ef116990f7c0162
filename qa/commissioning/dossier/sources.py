"""Whether the parts of a dossier are about its method and of its program: results of two versions are not mixed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from autocontour.qa.commissioning.study.request import PROGRAM, RULES
from autocontour.report.document import Block, NotDone

Json = Mapping[str, Any]
RULES_ALGORITHM = "autocontour rules"
"""As structures of the rules state it."""


def check_part(content: Json, part: str, words: str, stated: Iterable[str]) -> Iterator[Block]:
    """Yield what of a part is of another method or program than the study.

    Parameters
    ----------
    content
        Of the dossier.
    part
        Its key.
    words
        How the text names it.
    stated
        What drew the contours of the part: name, version, and the checksum or its start; empty where not stated.
    """
    program = content["study"]["program"]
    own = content[part].get("program", program)  # reports of older versions do not state it
    if own != program:
        yield NotDone(f"{words} is of autocontour {own}, the study of {program}.")
    methods = set(stated)
    if methods == {""} or not methods:
        yield NotDone(f"{words} does not state which method drew its contours: that it was this one is a statement of "
                      "the clinic.")  # fmt: skip
        return
    if others := sorted(one for one in methods if one and not is_method(one, content["method"], content["identity"])):
        yield NotDone(f"{words} has contours of methods other than this one: {', '.join(others)}.")
    if "" in methods:
        yield NotDone(f"{words} has automatic contours of which the method is not stated.")


def is_method(stated: str, method: str, identity: str) -> bool:
    """Whether an algorithm, as a structure states it, is a method of a study.

    Examples
    --------
    >>> method, identity = "neck 1.2.0", "neck 1.2.0 0123456789abcdef"
    >>> [is_method(one, method, identity) for one in ("neck 1.2.0 0123", "neck 1.2.0", "neck 1.2.0 ff", "neck 1.1.0")]
    [True, True, False, False]
    """
    name, _, last = stated.rpartition(" ")
    known = identity.replace(",", "").split()
    if name == RULES_ALGORITHM:
        return method in (RULES, PROGRAM) and last in known
    if stated == method or (method == PROGRAM and f"{stated} " in f"{identity} "):
        return True
    return name.rpartition(" ")[0] != "" and name in identity and any(one.startswith(last) for one in known)
