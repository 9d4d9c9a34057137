"""Chance from one seed: the same again, and parts that do not disturb each other."""

import re

import numpy as np

from hbkit.chance import Chance, fresh_seed


def test_one_seed_gives_the_same_again() -> None:
    one, two = Chance(7), Chance(7)
    assert [one.random() for _ in range(5)] == [two.random() for _ in range(5)]
    assert one.guid() == two.guid()
    assert Chance(8).random() != Chance(7).random()


def test_a_fork_does_not_depend_on_what_was_drawn_before() -> None:
    used, fresh = Chance(7), Chance(7)
    for _ in range(100):
        used.random()
        used.fork("other").random()
    assert used.fork("a").random() == fresh.fork("a").random()


def test_forks_are_independent_of_each_other_and_of_their_origin() -> None:
    firsts = {Chance(7).fork(name).random() for name in ("a", "b", "ab", "a/b")} | {Chance(7).random()}
    assert len(firsts) == 5
    assert Chance(7).fork("a").fork("b").random() != Chance(7).fork("b").fork("a").random()
    assert Chance(1).fork("2").seed_value != Chance(12).fork("").seed_value


def test_arrays_follow_seed_and_name() -> None:
    np.testing.assert_array_equal(Chance(7).arrays("a").random(4), Chance(7).arrays("a").random(4))
    assert Chance(7).arrays("a").random() != Chance(7).arrays("b").random()


def test_ids_have_their_form() -> None:
    chance = Chance(7)
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", chance.guid())
    assert re.fullmatch(r"[a-z0-9]{9}", chance.short_id(9))
    assert fresh_seed() >= 0
