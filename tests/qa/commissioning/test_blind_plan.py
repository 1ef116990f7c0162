"""Tasks and their order: drawn before shown, corrected after, apart, and seeded."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocontour.base.errors import UsageError
from autocontour.qa.commissioning.blind.plan import (
    CORRECT,
    DRAW,
    JUDGE,
    Item,
    Shares,
    check_reviewer,
    choose,
    make_tasks,
    order_tasks,
)


def plan(patients, structures, kinds, drawn, repeated, seed=1):
    pairs = [(f"p{p}", f"s{s}") for p in range(patients) for s in range(structures)]
    items = [Item(f"i{n:04d}", *pair, str(n)) for n, pair in enumerate([pair for pair in pairs for _ in range(kinds)])]
    generator = random.Random(seed)
    chosen = choose(pairs, drawn, generator)
    return make_tasks(items, chosen, chosen[::2], choose(items, repeated, generator), generator), items, chosen


@given(
    st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.floats(0, 1), st.floats(0, 1), st.integers(0, 99),
    st.text("abc", min_size=1, max_size=3),
)  # fmt: skip
def test_order(patients, structures, kinds, drawn, repeated, seed, reviewer):
    tasks, _items, chosen = plan(patients, structures, kinds, drawn, repeated, seed)
    order = order_tasks(tasks, seed, reviewer)
    assert sorted(order, key=lambda one: one.name) == sorted(tasks, key=lambda one: one.name)
    assert order == order_tasks(tasks[::-1], seed, reviewer.upper())
    for pair in chosen:
        kinds_of = [one.kind for one in order if one.pair == pair]
        assert kinds_of[0] == DRAW
        assert kinds_of.count(DRAW) == 1
        assert CORRECT not in kinds_of[:-1]
        assert CORRECT not in kinds_of or JUDGE in kinds_of


def test_reviewers_have_orders_of_their_own_and_tasks_of_one_structure_are_apart():
    tasks, _, _ = plan(5, 4, 3, 0.2, 0.1)
    orders = [order_tasks(tasks, 1, name) for name in ("kim", "lee")]
    assert orders[0] != orders[1]
    assert orders[0] != order_tasks(tasks, 2, "kim")
    for order in orders:
        pairs = [one.pair for one in order]
        near = [pairs[n] in pairs[max(0, n - 3) : n] for n in range(len(pairs))]
        assert sum(near) <= 2  # at the end, where few are left


def test_names_of_tasks_do_not_follow_kinds():
    tasks, _, _ = plan(5, 4, 3, 0.4, 0.2)
    drawn = [int(one.name[1:]) for one in tasks if one.kind != JUDGE]
    assert min(drawn) < len(tasks) / 2 < max(drawn)


def test_shares():
    generator = random.Random(1)
    assert len(choose(range(50), 0.2, generator)) == 10
    assert len(choose(range(3), 0.1, generator)) == 1  # at least one
    assert choose(range(3), 0, generator) == []
    assert choose([], 0.5, generator) == []
    assert choose(range(50), 0.2, random.Random(7)) == choose(range(50), 0.2, random.Random(7))
    for draw, repeat in ((-0.1, 0.1), (0.2, 1.5), (float("nan"), 0.1)):
        with pytest.raises(UsageError, match="AC-US-071"):
            Shares(draw, repeat)


def test_names_of_reviewers():
    assert check_reviewer("김-a_1") == "김-a_1"
    for name in ("", "a b", "../kim", "kim.", "x" * 33):
        with pytest.raises(UsageError, match="AC-US-072"):
            check_reviewer(name)
