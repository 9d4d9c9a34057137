"""Client order ids in the form that each venue takes, and back.

An id of hbkit is `<bot>-<strategy>-<counter>`: small letters, digits and two dashes, about a dozen characters. Most
venues take it as it stands. The others get it in their own alphabet, in a way that can be read back without
remembering anything: after a restart the orders of the run before must be known by it.

An order that was changed by cancel and replace is a second order at the venue and needs an id of its own there: the
same one with its generation and the units that had filled before it, `ab12cd-1-17_2_300`. So a restart that finds
only the second knows which order it belongs to, and how much of it was filled before.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from hbkit.errors import Unsupported

_OURS = re.compile(r"(?P<id>.+?)(?:_(?P<generation>\d+)_(?P<carried>\d+))?")
_BOT = re.compile(r"([0-9a-z]{6})-(\d+)-(\d+)")
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz-_"
_BASE = len(_ALPHABET) + 1  # digit 0 ends a text, so that a leading "0" is not lost


class Name(NamedTuple):
    """What a client order id says."""

    order_id: str
    generation: int = 0
    carried: int = 0
    """Units of the order that had filled before this generation was placed."""


@dataclass(frozen=True)
class Ids:
    """One venue's rule."""

    venue: str
    longest: int
    write_text: Callable[[str], str]
    read_text: Callable[[str], str]
    none: bool = False
    """The venue takes no client order ids through ccxt: what was lost is looked for by what it was."""
    param: str = "clientOrderId"

    def write(self, order_id: str, generation: int = 0, carried: int = 0) -> str:
        """The id as the venue takes it. Raises Unsupported where it does not fit."""
        text = f"{order_id}_{generation}_{carried}" if generation else order_id
        found = self.write_text(text)
        if len(found) > self.longest:
            raise Unsupported(
                f"{self.venue} takes client order ids of {self.longest} characters, {found} has {len(found)}"
            )
        return found

    def read(self, text: str | None) -> Name:
        """What an id of the venue says; one that none of ours could be is taken as it stands."""
        if not text:
            return Name("")
        plain = self.read_text(text)
        found = _OURS.fullmatch(plain)
        if found is None or found["generation"] is None:
            return Name(plain)
        return Name(found["id"], int(found["generation"]), int(found["carried"]))


def _same(text: str) -> str:
    return text


def _letters(text: str) -> str:
    """Letters and digits alone: ids of ours have no capitals."""
    return text.replace("-", "Z").replace("_", "Y")


def _from_letters(text: str) -> str:
    return text.replace("Z", "-").replace("Y", "_")


def _dashes(text: str) -> str:
    return text.replace("_", "Z")


def _from_dashes(text: str) -> str:
    return text.replace("Z", "_")


def _t(text: str) -> str:
    return f"t-{text}"


def _from_t(text: str) -> str:
    return text.removeprefix("t-")


def _count(text: str) -> int:
    number = 0
    for letter in text:
        number = number * _BASE + _ALPHABET.index(letter) + 1
    return number


def _spell(number: int) -> str:
    letters = ""
    while number:
        number, digit = divmod(number, _BASE)
        if not digit:
            return ""
        letters = _ALPHABET[digit - 1] + letters
    return letters


def _hex(text: str) -> str:
    """128 bits in hexadecimal: 24 letters of ours."""
    try:
        return f"0x{_count(text):032x}"
    except ValueError:
        raise Unsupported(f"{text} cannot be written as a client order id of 128 bits") from None


def _from_hex(text: str) -> str:
    try:
        return _spell(int(text, 16)) or text
    except ValueError:
        return text


def _number(text: str) -> str:
    """A positive number below 2^63: the bot (31 bits), the strategy (6), the counter (22), the generation (3).

    What had filled before a generation has no room in it.
    """
    found = _OURS.fullmatch(text)
    parts = _BOT.fullmatch(found["id"]) if found else None
    if found is None or parts is None:
        raise Unsupported(f"{text} cannot be written as a client order id that is a number")
    bot, strategy, counter = int(parts[1], 36), int(parts[2]), int(parts[3])
    generation = int(found["generation"] or 0)
    if strategy >= 1 << 6 or counter >= 1 << 22 or generation >= 1 << 3 or (generation and int(found["carried"])):
        raise Unsupported(f"{text} is too large for a client order id that is a number")
    return str(((bot << 6 | strategy) << 22 | counter) << 3 | generation)


def _from_number(text: str) -> str:
    if not text.isdigit():
        return text
    rest, generation = divmod(int(text), 1 << 3)
    rest, counter = divmod(rest, 1 << 22)
    bot, strategy = divmod(rest, 1 << 6)
    if bot >= 36**6 or not strategy:
        return text
    letters = ""
    for _ in range(6):
        bot, digit = divmod(bot, 36)
        letters = _ALPHABET[digit] + letters
    return f"{letters}-{strategy}-{counter}" + (f"_{generation}_0" if generation else "")


_LONGEST = 36
"""Of venues that are not listed: most say 36 or more."""
_LETTERS = dict.fromkeys(("okx", "okxus", "myokx", "blofin", "deepcoin", "lbank"), 32)
_DASHES = {"whitebit": 32, "kraken": 18, "coinex": 32}
_NUMBERS = frozenset({"htx", "woo", "woofipro"})
_HEX = frozenset({"hyperliquid"})
_SHORT = {"mexc": 32, "bitrue": 32, "bequant": 32, "hitbtc": 32, "fmfwio": 32}
NONE = frozenset(
    {
        "bit2c", "bitbank", "bitbns", "bitfinex", "bitflyer", "bitso", "bitteam", "btcbox", "coincheck", "coinmate",
        "coinone", "coinspot", "digifinex", "dydx", "hibachi", "independentreserve", "indodax", "luno", "mercado",
        "mudrex", "nado", "p2b", "paymium", "zaif",
    }
)  # fmt: skip
"""Venues whose ccxt `create_order` hands no client order id on, or only a number too small for one of ours."""
_PARAMS = {"deribit": "label"}


def ids_of(venue: str) -> Ids:
    """The rule of a venue, by the alphabets and lengths that their manuals and ccxt's `create_order` name."""
    if venue in NONE:
        return Ids(venue, 0, lambda text: "", _same, none=True)
    if venue in _LETTERS:
        return Ids(venue, _LETTERS[venue], _letters, _from_letters)
    if venue in _DASHES:
        return Ids(venue, _DASHES[venue], _dashes, _from_dashes)
    if venue in ("gate", "gateeu"):
        return Ids(venue, 30, _t, _from_t)
    if venue in _HEX:
        return Ids(venue, 34, _hex, _from_hex)
    if venue in _NUMBERS:
        return Ids(venue, 19, _number, _from_number)
    return Ids(venue, _SHORT.get(venue, _LONGEST), _same, _same, param=_PARAMS.get(venue, "clientOrderId"))
