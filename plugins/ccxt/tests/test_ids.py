"""Client order ids: what each sort of venue takes, and that nothing is lost on the way there and back."""

from __future__ import annotations

import re

import ccxt
import pytest
from hbkit_ccxt.ids import NONE, ids_of

from hbkit.errors import Unsupported

OURS = ["ab12cd-1-17", "000000-1-1", "zzzzzz-9-99999"]
TAKEN = {
    "binance": r"[.A-Z:/a-z0-9_-]{1,36}",
    "okx": r"[A-Za-z0-9]{1,32}",
    "bybit": r"[A-Za-z0-9_-]{1,36}",
    "kraken": r"[A-Za-z0-9-]{1,18}",
    "kucoin": r"[A-Za-z0-9_-]{1,40}",
    "gate": r"t-[A-Za-z0-9_.-]{1,28}",
    "hyperliquid": r"0x[0-9a-f]{32}",
    "htx": r"[1-9][0-9]{0,18}",
    "whitebit": r"[A-Za-z0-9-]{1,32}",
}
"""What the venues' manuals say of a client order id."""


@pytest.mark.parametrize("venue", sorted(TAKEN))
@pytest.mark.parametrize("order_id", OURS)
def test_an_id_is_in_the_venues_alphabet_and_comes_back_as_it_was(venue: str, order_id: str) -> None:
    ids = ids_of(venue)
    text = ids.write(order_id)
    assert re.fullmatch(TAKEN[venue], text)
    assert ids.read(text) == (order_id, 0, 0)


@pytest.mark.parametrize("venue", sorted(set(TAKEN) - {"htx", "kraken"}))
def test_a_generation_says_which_order_it_belongs_to_and_what_had_filled(venue: str) -> None:
    ids = ids_of(venue)
    text = ids.write("ab12cd-1-17", 2, 300)
    assert re.fullmatch(TAKEN[venue], text)
    assert ids.read(text) == ("ab12cd-1-17", 2, 300)


def test_what_does_not_fit_is_refused_before_the_wire() -> None:
    with pytest.raises(Unsupported, match="18 characters"):
        ids_of("kraken").write("ab12cd-1-17", 3, 1_000_000)
    with pytest.raises(Unsupported, match="number"):
        ids_of("htx").write("something else")


def test_numbers_hold_a_generation_only_where_nothing_had_filled() -> None:
    ids = ids_of("htx")
    assert ids.read(ids.write("ab12cd-1-17", 2, 0)) == ("ab12cd-1-17", 2, 0)
    with pytest.raises(Unsupported):
        ids.write("ab12cd-1-17", 2, 1)


@pytest.mark.parametrize(
    ("venue", "foreign"), [("okx", "by_hand"), ("htx", "x-17"), ("hyperliquid", "0xzz"), ("gate", "apiv4")]
)
def test_an_id_of_somebody_else_is_taken_as_it_stands(venue: str, foreign: str) -> None:
    assert ids_of(venue).read(foreign).order_id == foreign


def test_an_order_without_an_id_has_none() -> None:
    assert ids_of("okx").read(None) == ("", 0, 0)


def test_venues_without_ids_are_exchanges_of_ccxt() -> None:
    assert set(ccxt.exchanges) >= NONE
