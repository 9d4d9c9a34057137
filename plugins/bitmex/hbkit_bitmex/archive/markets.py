"""The instruments that an account's executions speak of: packaged rows where there are some, else what the rows show.

Contracts come and go and change: `DOGEUSDT` was settled in bitcoin in 2021 and in USDt in 2026. So an instrument is
looked up by symbol and settlement currency, in the rows of the day nearest to the execution. Of one that no packaged
row knows, the executions themselves tell what booking them needs: the sign of a buyer's cost tells inverse from
linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cache

from hbkit.clock import parse_time
from hbkit.errors import DataError, Fault
from hbkit.model import Instrument, InstrumentKind
from hbkit_bitmex.archive.cells import ExecutionLine
from hbkit_bitmex.instruments import ERAS, currencies, load
from hbkit_bitmex.words import BookSide

EXCHANGE = "bitmex"


class Markets:
    """Symbols as instruments, each made once."""

    def __init__(self, lines: Sequence[ExecutionLine], currency: str) -> None:
        self._lines = lines
        self._currency = currencies().get(currency) if currency else None
        self._found: dict[tuple[str, str], Instrument] = {}
        self.guessed: list[str] = []
        """Symbols that no packaged row knows."""

    def of(self, line: ExecutionLine) -> Instrument:
        """The instrument of an execution. Raises DataError where nothing tells its settlement currency."""
        symbol = line.values.symbol or ""
        key = (symbol, line.settle.code if line.settle else "")
        found = self._found.get(key)
        if found is None:
            found = self._packaged(symbol, line) or self._shown(symbol, line)
            first = next((one for (name, _), one in self._found.items() if name == symbol), None)
            if first is not None and first.settle != found.settle:
                # Books are kept per exchange and symbol: two contracts of one name must not meet in one.
                found = replace(found, exchange=f"{EXCHANGE} ({found.settle.code})")
            self._found[key] = found
        return found

    def all(self) -> list[Instrument]:
        """Every instrument that was asked for."""
        return list(dict.fromkeys(self._found.values()))

    def _packaged(self, symbol: str, line: ExecutionLine) -> Instrument | None:
        eras = sorted(ERAS, key=lambda era: abs(parse_time(era) - line.ts))
        for era in eras:
            found = _rows(era).get(symbol)
            if found is not None and (line.settle is None or found.is_spot or found.settle == line.settle):
                return found
        return None

    def _shown(self, symbol: str, line: ExecutionLine) -> Instrument:
        """What the account's own rows of the symbol show."""
        settle = line.settle or self._currency
        if settle is None:
            message = (
                f"{symbol} is in none of the packaged instrument rows, and the file has no settlCurrency; say which "
                "currency it was settled in: --currency XBt"
            )
            raise DataError([Fault("HB512", message, line.row.file, line.row.line)])
        self.guessed.append(symbol)
        mine = [one for one in self._lines if one.values.symbol == symbol and one.settle == line.settle]
        trades = [one for one in mine if one.values.execCost and one.values.lastPx and one.values.lastQty]
        buys = [one for one in trades if one.values.side is not None]
        inverse = any(_is_inverse(one) for one in buys[:1])
        kind = InstrumentKind.INVERSE if inverse else InstrumentKind.LINEAR
        return Instrument(
            exchange=EXCHANGE,
            symbol=symbol,
            unified=symbol,
            kind=kind,
            base=symbol,
            quote="",
            settle=settle,
            tick_size=_step([Decimal(str(one.row.cells["lastPx"])) for one in trades]),
            lot_size=Decimal(1),
            unit_size=Decimal(1),
            multiplier=_multiplier(trades, inverse=inverse),
            maker_fee=Decimal(0),
            taker_fee=Decimal(0),
        )


def _is_inverse(line: ExecutionLine) -> bool:
    """A buyer's cost is negative on inverse contracts alone (10.1)."""
    return ((line.values.execCost or 0) < 0) == (line.values.side is BookSide.BUY)


def _multiplier(trades: Sequence[ExecutionLine], *, inverse: bool) -> Decimal:
    """Minor units for one contract (and price), from the largest trade: there rounding matters least."""
    if not trades:
        return Decimal(1)
    line = max(trades, key=lambda one: abs(one.values.execCost or 0))
    cost, units = abs(line.values.execCost or 0), abs(line.values.lastQty or 1)
    price = Decimal(str(line.row.cells["lastPx"]))
    exact = Decimal(cost) * price / units if inverse else Decimal(cost) / (units * price)
    whole = exact.to_integral_value()
    return whole if whole and abs(exact / whole - 1) < Decimal("0.001") else exact


def _step(prices: Sequence[Decimal]) -> Decimal:
    """A step that all prices lie on: 1 with as many decimals as the finest of them."""
    finest = min((price.normalize().as_tuple().exponent for price in prices), default=0)
    return Decimal(1).scaleb(min(int(finest), 0))


@cache
def _rows(era: str) -> dict[str, Instrument]:
    return {one.symbol: replace(one, exchange=EXCHANGE) for one in load(era)}
