"""Trades of the account as executions: each told once, with what it cost and the fee in the currency of the books.

Where a venue has a history of the account's trades, they are what is booked, whether the stream or the history tells
them first. Where it has none, an execution is made of what an order's filled quantity has grown by, and trades of the
stream are left out: after a gap nothing could tell which of them the difference holds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from hbkit.clock import DAY
from hbkit.log import get_logger
from hbkit.model import Execution, Instrument, Liquidity, OrderReport, OrderRequest, OrderType, PositionSide, Side
from hbkit.model.enums import ExecutionKind
from hbkit_ccxt.numbers import exact, minor, units
from hbkit_ccxt.reports import MILLISECOND, Row, info_of, leg_of, stamp

KEPT = 20_000
"""Ids that are remembered as told."""
PAGE = 100
"""Trades of a page, where ccxt does not say how many a venue gives."""
_MOST_PAGES = 1_000


class Owner(NamedTuple):
    """The order that a trade belongs to, as far as it is known."""

    order_id: str
    position_side: PositionSide
    request: OrderRequest | None = None


class _Part:
    """How much of an order was told, what it weighs in the mean price, and the fee that was told for it."""

    __slots__ = ("fee", "units", "weight")

    def __init__(self, units: int) -> None:
        self.units = units
        self.weight = Decimal(0)
        self.fee = 0


class Fills:
    """What was told of the account's trades."""

    def __init__(self, name: str, price_of: Callable[[Instrument, str], float | None]) -> None:
        """
        :param price_of: what 1 of a currency is worth in an instrument's settlement currency; None where unknown.
        """
        self._name = name
        self._price_of = price_of
        self._told: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._parts: OrderedDict[str, _Part] = OrderedDict()
        """What was told of orders of a venue without trades, by the venue's id."""
        self.made: list[Execution] = []
        """Executions that were made of differences, oldest first."""
        self._noted: set[str] = set()
        self._log = get_logger("ccxt")

    def is_new(self, execution: Execution) -> bool:
        """Whether it was not told before; from here on it was."""
        key = execution.instrument.symbol, execution.id
        if key in self._told:
            return False
        self._told[key] = None
        if len(self._told) > KEPT:
            self._told.popitem(last=False)
        return True

    # -- trades

    def execution(self, row: Row, instrument: Instrument, owner: Owner) -> Execution | None:
        """A trade as ccxt tells it; None for one without id, side, price or quantity, and for one that is known."""
        side, price = _side(row), exact(row.get("price"))
        quantity = units(instrument, row.get("amount"))
        trade_id = str(row.get("id") or "")
        if not trade_id or side is None or not price or not quantity:
            self._note(
                f"unreadable {sorted(key for key in ('id', 'side', 'price', 'amount') if not row.get(key))}",
                "a trade of the account that cannot be booked",
                instrument=instrument.symbol,
            )
            return None
        cost = instrument.signed_cost(quantity * side.sign, price)
        liquidity = _liquidity(row, owner.request)
        return Execution(
            ts=stamp(row),
            id=trade_id,
            order_id=owner.order_id,
            instrument=instrument,
            side=side,
            position_side=owner.position_side if owner.order_id else (leg_of(row) or owner.position_side),
            price=float(price),
            units=quantity,
            cost=cost,
            fee=self._fee(row, instrument, abs(cost), price, liquidity),
            liquidity=liquidity,
        )

    def difference(self, before: int, report: OrderReport, row: Row, request: OrderRequest | None) -> Execution | None:
        """What an order's filled quantity has grown by, of a venue that tells no trades; None where it has not.

        The venue tells an order's mean price and its whole fee; those of the part are what is left of them.
        """
        instrument, side = report.instrument, report.side
        told = self._parts.setdefault(report.exchange_id, _Part(before))
        grown = report.filled_units - told.units
        mean = exact(row.get("average")) or exact(row.get("price"))
        if grown <= 0 or not mean:
            return None
        size = instrument.unit_size * report.filled_units
        weight = size / mean if instrument.is_inverse else size * mean
        part = instrument.unit_size * grown
        rest = weight - told.weight if told.weight or not told.units else None
        price = mean if not rest or rest < 0 else (part / rest if instrument.is_inverse else rest / part)
        liquidity = _liquidity(row, request)
        cost = instrument.signed_cost(grown * side.sign, price)
        fee = self._fee(row, instrument, abs(cost), price, liquidity)
        if _fees(row):
            fee, told.fee = fee - told.fee, fee
        told.units, told.weight = report.filled_units, weight
        while len(self._parts) > KEPT:
            self._parts.popitem(last=False)
        self._note("no trades", "the exchange tells no trades: fills are made of what its orders say")
        made = Execution(
            ts=report.ts,
            id=f"{report.exchange_id}#{report.filled_units}",
            order_id=report.id,
            instrument=instrument,
            side=side,
            position_side=report.position_side,
            price=float(price),
            units=grown,
            cost=cost,
            fee=fee,
            liquidity=liquidity,
        )
        self.made.append(made)
        del self.made[:-KEPT]
        return made

    def is_booked(self, report: OrderReport) -> bool:
        """Whether all that a report says has filled was told as differences."""
        told = self._parts.get(report.exchange_id)
        return told is not None and told.units >= report.filled_units

    def funding(self, row: Row, instrument: Instrument, held: int, side: PositionSide) -> Execution | None:
        """A funding payment; ccxt's `amount` is what came in, negative when paid.

        :param held: signed units of the position, as far as they are known.
        """
        amount, payment_id = exact(row.get("amount")), row.get("id")
        ts = stamp(row)
        if amount is None or not ts:
            return None
        return Execution(
            ts=ts,
            id=f"funding-{payment_id or ts}",
            order_id="",
            instrument=instrument,
            side=Side.SELL if held < 0 else Side.BUY,
            position_side=side,
            price=0.0,
            units=abs(held),
            cost=0,
            fee=-minor(instrument.settle, amount),
            liquidity=Liquidity.TAKER,
            kind=ExecutionKind.FUNDING,
        )

    # -- fees

    def _fee(self, row: Row, instrument: Instrument, value: int, price: Decimal, liquidity: Liquidity) -> int:
        """In minor units of the settlement currency, positive when paid."""
        told = _fees(row)
        if not told:
            rate = instrument.maker_fee if liquidity is Liquidity.MAKER else instrument.taker_fee
            self._note(
                f"no fee {instrument.symbol}",
                "the exchange tells no fee with its trades: they are booked at the instrument's rates",
                instrument=instrument.symbol,
                maker=f"{instrument.maker_fee:f}",
                taker=f"{instrument.taker_fee:f}",
            )
            return instrument.fee(value, rate)
        return sum(self._in_settle(cost, code, instrument, value, price, liquidity) for cost, code in told)

    def _in_settle(
        self, cost: Decimal, code: str, instrument: Instrument, value: int, price: Decimal, liquidity: Liquidity
    ) -> int:
        if not code or code == instrument.settle.code or not cost:
            return minor(instrument.settle, cost)
        if instrument.is_spot and code == instrument.base:
            self._note(
                f"base fee {instrument.symbol}",
                "fees of bought coins are taken out of the coins: they are booked at the price of the trade, and the "
                "wallet holds less of the coin than the fills say",
                instrument=instrument.symbol,
                currency=code,
            )
            return minor(instrument.settle, cost * price)
        worth = self._price_of(instrument, code)
        if worth is not None:
            self._note(
                f"fee in {code}",
                "fees are paid in another currency: they are booked at its last price",
                currency=code,
                settle=instrument.settle.code,
            )
            return minor(instrument.settle, cost * Decimal(repr(worth)))
        self._note(
            f"fee in {code}",
            "fees are paid in a currency whose price is not known: they are booked at the instrument's rates, and the "
            "books and the exchange's money will differ",
            currency=code,
            settle=instrument.settle.code,
        )
        return instrument.fee(value, instrument.maker_fee if liquidity is Liquidity.MAKER else instrument.taker_fee)

    def _note(self, what: str, text: str, **facts: object) -> None:
        """A warning, once."""
        if what not in self._noted:
            self._noted.add(what)
            self._log.warning(text, exchange=self._name, **facts)


def _fees(row: Row) -> list[tuple[Decimal, str]]:
    """Every fee of a trade: of `fees`, else of `fee`; a venue that tells none has neither a cost nor a currency."""
    several = [one for one in row.get("fees") or () if isinstance(one, Mapping) and one.get("cost") is not None]
    single = row.get("fee")
    if not several and isinstance(single, Mapping) and single.get("cost") is not None:
        several = [single]
    return [(cost, str(one.get("currency") or "")) for one in several if (cost := exact(one["cost"])) is not None]


def _side(row: Row) -> Side | None:
    return Side(row["side"]) if row.get("side") in ("buy", "sell") else None


def _liquidity(row: Row, request: OrderRequest | None) -> Liquidity:
    """Where a venue does not say, an order that may only rest made, and any other is taken to have taken."""
    word = row.get("takerOrMaker")
    if word in ("maker", "taker"):
        return Liquidity(word)
    made = request is not None and request.post_only and request.type is OrderType.LIMIT
    return Liquidity.MAKER if made else Liquidity.TAKER


def named(row: Row, text: str) -> bool:
    """Whether the venue's own fields of a row hold exactly this text: a client order id that ccxt leaves out."""
    return bool(text) and _holds(info_of(row), text)


def _holds(value: Any, text: str) -> bool:
    if isinstance(value, Mapping):
        return any(_holds(one, text) for one in value.values())
    if isinstance(value, (list, tuple)):
        return any(_holds(one, text) for one in value)
    return isinstance(value, str) and value == text


# -- history


async def all_since(
    page: Callable[[int, int, int | None], Awaitable[list[dict[str, Any]]]],
    since: int,
    now: int,
    *,
    limit: int,
    window: int | None = None,
) -> list[dict[str, Any]]:
    """Every row of at least `since` (ns), each id once, by time; of venues that give pages from either end.

    :param page: rows for a beginning and a number (ms), and an end (ms, None for none).
    :param limit: how many rows a full page has.
    :param window: the longest span that one question may ask for, ns; None for any.
    """
    found: dict[str, dict[str, Any]] = {}
    start, end = since // MILLISECOND, now // MILLISECOND + 1
    step = None if window is None else max(1, window // MILLISECOND - 1)
    while start <= end:
        until = None if step is None else min(end, start + step)
        await _window(page, start, until, limit, found)
        if until is None:
            break
        start = until + 1
    return sorted(found.values(), key=lambda row: (row.get("timestamp") or 0, _order(row)))


async def _window(
    page: Callable[[int, int, int | None], Awaitable[list[dict[str, Any]]]],
    start: int,
    until: int | None,
    limit: int,
    found: dict[str, dict[str, Any]],
) -> None:
    """All of one window: pages forward from the newest that is known, then backward from the oldest of the first page.

    The second direction costs one question where a venue counts from the beginning, and finds everything where it
    counts from the end.
    """
    begin, first = start, 0
    for number in range(_MOST_PAGES):
        rows = await page(begin, limit, until)
        fresh = [row for row in rows if _key(row) not in found]
        found |= {_key(row): row for row in fresh if (row.get("timestamp") or start) >= start}
        if not number:
            first = min((row.get("timestamp") or 0 for row in rows), default=0)
        if not fresh or len(rows) < limit:
            if number or len(rows) >= limit:
                await _backward(page, start, first, limit, found)
            return
        newest = max(row.get("timestamp") or 0 for row in rows)
        begin = newest if newest > begin else newest + 1


async def _backward(
    page: Callable[[int, int, int | None], Awaitable[list[dict[str, Any]]]],
    start: int,
    until: int,
    limit: int,
    found: dict[str, dict[str, Any]],
) -> None:
    for _ in range(_MOST_PAGES):
        rows = await page(start, limit, until)
        fresh = [row for row in rows if _key(row) not in found]
        found |= {_key(row): row for row in fresh if (row.get("timestamp") or start) >= start}
        oldest = min((row.get("timestamp") or 0 for row in fresh), default=0)
        if not fresh or len(rows) < limit or oldest <= start:
            return
        until = oldest


def _key(row: Row) -> str:
    return f"{row.get('symbol')} {row.get('id')}"


def _order(row: Row) -> tuple[int, str]:
    """Within a millisecond by the venue's number, where it is one."""
    text = str(row.get("id") or "")
    return (len(text), text)


def days(count: Any) -> int | None:
    """`untilDays` of ccxt's features in ns; None where there is no limit that matters."""
    number = exact(count)
    return None if number is None or number > 3_000 else int(number * DAY)


def by_time(executions: Iterable[Execution]) -> list[Execution]:
    """Oldest first; what happened in one moment stays in the order in which it came."""
    return sorted(executions, key=lambda one: one.ts)
