"""Statistics of the answers of a blind review."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from autocontour.qa.agreement import compute_kappa
from autocontour.qa.commissioning.blind.answers import Entry, final_answers
from autocontour.qa.commissioning.blind.plan import CORRECTIONS, JUDGE, ORIGINS
from autocontour.qa.commissioning.blind.request import AUTOMATIC, KINDS, MANUAL
from autocontour.qa.intervals import CONFIDENCE, LEAST_FOR_INTERVAL, RESAMPLES, SEED, Interval, wilson_interval

ALL = "all"
HUMAN, MACHINE = ORIGINS
TRUTH = {MANUAL: HUMAN, AUTOMATIC: MACHINE}
"""What is right for a contour; a corrected one is of both, so that no answer is wrong."""
Json = dict[str, Any]


@dataclass(frozen=True)
class Judgement:
    """One answer about one item.

    Attributes
    ----------
    reviewer, patient, structure, item
        Who judged what.
    kind
        The true origin, one of `KINDS`.
    method
        What drew the contour, or what drew it before a correction; empty if it is manual or not stated.
    correction, origin
        The answers.
    seconds
        How long it was on the screen.
    order
        When it was shown, among the reviewer's tasks.
    """

    reviewer: str
    patient: str
    structure: str
    item: str
    kind: str
    method: str
    correction: str
    origin: str
    seconds: float
    order: int


def first_and_repeats(judgements: Iterable[Judgement]) -> tuple[list[Judgement], list[tuple[Judgement, Judgement]]]:
    """Return the first judgement of every item by every reviewer, and the pairs of those judged twice.

    Only the first one counts in proportions; the second is for the repeatability.
    """
    by_item: dict[tuple[str, str], list[Judgement]] = defaultdict(list)
    for one in judgements:
        by_item[one.reviewer, one.item].append(one)
    first, pairs = [], []
    for mine in by_item.values():
        mine.sort(key=lambda one: one.order)
        first.append(mine[0])
        pairs += [(mine[0], other) for other in mine[1:2]]
    return first, pairs


def summarize(judgements: Sequence[Judgement]) -> list[Json]:
    """Return the proportions of the answers per reviewer, structure and origin, each also over all.

    The interval over several reviewers is a bootstrap over patients: their answers about one contour are not
    independent. That of one reviewer is Wilson's.
    """
    rows = []
    reviewers = _names(judgements, "reviewer")
    for reviewer in [*reviewers, *([ALL] if len(reviewers) > 1 else [])]:
        for structure in [*_names(judgements, "structure"), ALL]:
            for kind in KINDS:
                mine = [
                    one for one in judgements
                    if reviewer in (one.reviewer, ALL) and structure in (one.structure, ALL) and kind == one.kind
                ]  # fmt: skip
                if mine:
                    rows.append({"reviewer": reviewer, "structure": structure, "source": kind,
                                 **_proportions(mine, pooled=reviewer == ALL)})  # fmt: skip
    return rows


def summarize_methods(judgements: Sequence[Judgement]) -> list[Json]:
    """Return the proportions of `summarize` for every method that drew contours, corrected or not."""
    drawn = [one for one in judgements if one.kind != MANUAL]
    return [
        {"method": method, **row}
        for method in _names(drawn, "method")
        for row in summarize([one for one in drawn if one.method == method])
    ]


def _proportions(mine: Sequence[Judgement], *, pooled: bool) -> Json:
    seconds = [one.seconds for one in mine]
    row: Json = {"n": len(mine), "patients": len({one.patient for one in mine})}
    for answer in CORRECTIONS:
        row[answer] = share_of(mine, partial(_has_answer, answer), pooled=pooled)
    row["usable"] = share_of(mine, lambda one: one.correction != "major", pooled=pooled)
    row["taken_for_human"] = share_of(mine, lambda one: one.origin == HUMAN, pooled=pooled)
    row["seconds_median"] = float(np.median(seconds))
    return row


def _has_answer(answer: str, one: Judgement) -> bool:
    return one.correction == answer


def share_of(mine: Sequence[Judgement], holds: Callable[[Judgement], bool], *, pooled: bool) -> Json:
    """Return a count, its share and its interval."""
    hits = [holds(one) for one in mine]
    count, n = sum(hits), len(hits)
    interval = _bootstrap(mine, hits) if pooled else wilson_interval(count, n)
    return {"count": count, "n": n, "share": count / n if n else None, "interval": to_json(interval),
            "interval_by": "bootstrap over patients" if pooled else "Wilson"}  # fmt: skip


def to_json(interval: Interval | None) -> Json | None:
    """Return an interval as plain values; None without one."""
    return None if interval is None else {"low": interval.low, "high": interval.high}


def _bootstrap(mine: Sequence[Judgement], hits: Sequence[bool]) -> Interval | None:
    """Return the percentile interval of a share, resampling patients; None with too few."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for one, hit in zip(mine, hits, strict=True):
        counts[one.patient][0] += hit
        counts[one.patient][1] += 1
    if len(counts) < LEAST_FOR_INTERVAL:
        return None
    table = np.array([counts[name] for name in sorted(counts)], dtype=np.float64)
    drawn = table[np.random.default_rng(SEED).integers(len(table), size=(RESAMPLES, len(table)))].sum(axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [tail, 1 - tail])
    return Interval(float(low), float(high))


def judge_origins(judgements: Sequence[Judgement]) -> list[Json]:
    """Return how well the reviewers distinguish manual from automatic contours, against chance.

    The balanced accuracy, the mean of both right shares, is 0.5 for answers that do not depend on the contour,
    whatever the numbers of contours; its interval joins those of the two shares (Newcombe, Stat Med 1998;17:873). The
    p value of the plain accuracy is that of the exact binomial test against one half.
    """
    rows = []
    known = [one for one in judgements if one.kind in TRUTH]
    for reviewer in _names(known, "reviewer"):
        mine = [one for one in known if one.reviewer == reviewer]
        for structure in [*_names(mine, "structure"), ALL]:
            some = [one for one in mine if structure in (one.structure, ALL)]
            rows.append({"reviewer": reviewer, "structure": structure, **_accuracy(some)})
    return rows


def _accuracy(mine: Sequence[Judgement]) -> Json:
    from scipy.stats import binomtest

    right = [one.origin == TRUTH[one.kind] for one in mine]
    plain = share_of(mine, lambda one: one.origin == TRUTH[one.kind], pooled=False)
    shares = {
        kind: share_of([one for one in mine if one.kind == kind], lambda one: one.origin == TRUTH[one.kind],
                       pooled=False) for kind in TRUTH
    }  # fmt: skip
    balanced, interval = balance(*((shares[kind]["count"], shares[kind]["n"]) for kind in TRUTH))
    is_above = interval is not None and interval.low > 0.5
    return {
        "accuracy": plain,
        "p_against_chance": float(binomtest(sum(right), len(right)).pvalue),
        "manual_right": shares[MANUAL],
        "automatic_right": shares[AUTOMATIC],
        "balanced_accuracy": balanced,
        "balanced_interval": to_json(interval),
        "better_than_chance": is_above if interval is not None else None,
    }


def balance(first: tuple[int, int], second: tuple[int, int]) -> tuple[float | None, Interval | None]:
    """Return the mean of two shares (count, n) and its interval; None where one has no values.

    Examples
    --------
    >>> value, interval = balance((10, 10), (0, 10))
    >>> value, round(interval.low, 3), round(interval.high, 3)
    (0.5, 0.304, 0.696)
    """
    one, two = wilson_interval(*first), wilson_interval(*second)
    if one is None or two is None:
        return None, None
    p, q = first[0] / first[1], second[0] / second[1]
    below = math.hypot(p - one.low, q - two.low) / 2
    above = math.hypot(one.high - p, two.high - q) / 2
    mean = (p + q) / 2
    return mean, Interval(max(0.0, mean - below), min(1.0, mean + above))


def compare_reviewers(judgements: Sequence[Judgement]) -> list[Json]:
    """Return the agreement of the reviewers, of every pair and of all: on the items that all of them have judged."""
    reviewers = _names(judgements, "reviewer")
    groups: list[tuple[str, ...]] = [*combinations(reviewers, 2)]
    if len(reviewers) > 2:
        groups.append(tuple(reviewers))
    rows = []
    for group in groups:
        by_item: dict[str, list[Judgement]] = defaultdict(list)
        for one in judgements:
            if one.reviewer in group:
                by_item[one.item].append(one)
        both = [mine for mine in by_item.values() if len(mine) == len(group)]
        rows += [{"reviewers": list(group), **_agreement(both, question)} for question in ("correction", "origin")]
    return rows


def measure_repeats(pairs: Sequence[tuple[Judgement, Judgement]]) -> list[Json]:
    """Return the agreement of each reviewer with herself, on the items that were shown twice."""
    rows = []
    for reviewer in sorted({one.reviewer for one, _ in pairs}):
        mine = [list(pair) for pair in pairs if pair[0].reviewer == reviewer]
        rows += [{"reviewer": reviewer, **_agreement(mine, question)} for question in ("correction", "origin")]
    return rows


def _agreement(groups: Sequence[Sequence[Judgement]], question: str) -> Json:
    """Return Fleiss' kappa of the answers about each item, and how often all are the same."""
    answers = CORRECTIONS if question == "correction" else ORIGINS
    given = [[getattr(one, question) for one in mine] for mine in groups]
    same = sum(len(set(mine)) == 1 for mine in given)
    counts = [[Counter(mine)[answer] for answer in answers] for mine in given]
    kappa = compute_kappa(counts) if counts else math.nan
    return {
        "question": question,
        "items": len(given),
        "same": same,
        "share": same / len(given) if given else None,
        "interval": to_json(wilson_interval(same, len(given))),
        "kappa": None if math.isnan(kappa) else kappa,
    }


def _names(judgements: Iterable[Judgement], attribute: str) -> list[str]:
    return sorted({str(getattr(one, attribute)) for one in judgements})


def read_judgements(
    reviewer: str, entries: Sequence[Entry], kinds: Mapping[str, str], methods: Mapping[str, str]
) -> list[Judgement]:
    """Return the last judgement of every task.

    Parameters
    ----------
    reviewer
        The person.
    entries
        Of the answers.
    kinds
        Item → its origin.
    methods
        Item → what drew it, where it is not manual and that is stated.
    """
    begun = [entry for entry in entries if entry["type"] == "begin"]
    order = {name: number for entry in begun for number, name in enumerate(entry["order"])}
    return [
        Judgement(reviewer, one["patient"], one["structure"], one["item"], kinds[one["item"]],
                  methods.get(one["item"], ""), one["correction"], one["origin"], float(one["seconds"]),
                  order[one["task"]])
        for one in final_answers(entries).values() if one["kind"] == JUDGE
    ]  # fmt: skip
