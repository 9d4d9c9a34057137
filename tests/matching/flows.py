"""Random order flows from a seed: small markets in which orders get in each other's way all the time.

A flow is plain data: a setting and a list of `(ts, event)`, where an event is a tuple that begins with its name. Orders
are named by number, so that any event can be dropped from a flow and the rest still means something: that is how a
failing flow is made short.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from hbkit.chance import Chance
from hbkit.matching import UNKNOWN_SIZE
from hbkit.model import Currency, Instrument, InstrumentKind, PositionMode

XBT = Currency("XBT", 8)
USDT = Currency("USDT", 6)

XBTUSD = Instrument(
    "venue", "XBTUSD", "BTC/USD:BTC", InstrumentKind.INVERSE, "XBT", "USD", XBT,
    tick_size=Decimal("0.5"), lot_size=Decimal(100), unit_size=Decimal(1), multiplier=Decimal(-100_000_000),
    maker_fee=Decimal("-0.00025"), taker_fee=Decimal("0.00075"), value_per_lot=True, max_qty=Decimal(2000),
    max_price=Decimal(1_000_000), init_margin=Decimal("0.01"), maint_margin=Decimal("0.005"),
)  # fmt: skip
XBTUSD_TENTH = replace(
    XBTUSD, symbol="XBTUSD1", tick_size=Decimal("0.1"), maker_fee=Decimal("0.0005"), taker_fee=Decimal("0.0005")
)
XBTUSDT = Instrument(
    "venue", "XBTUSDT", "BTC/USDT:USDT", InstrumentKind.LINEAR, "XBT", "USDT", USDT,
    tick_size=Decimal("0.5"), lot_size=Decimal(100), unit_size=Decimal(1), multiplier=Decimal(1),
    maker_fee=Decimal("0.0002"), taker_fee=Decimal("0.0005"), value_per_lot=True, max_qty=Decimal(2000),
    init_margin=Decimal("0.01"), maint_margin=Decimal("0.005"),
)  # fmt: skip
ODD_LINEAR = replace(
    XBTUSDT, symbol="ODDUSDT", tick_size=Decimal("0.1"), lot_size=Decimal(3), multiplier=Decimal("0.37"),
    value_per_lot=False, max_qty=Decimal(60), maker_fee=Decimal("-0.0001"),
)  # fmt: skip
ETHUSD = Instrument(
    "venue", "ETHUSD", "ETH/USD:BTC", InstrumentKind.QUANTO, "ETH", "USD", XBT,
    tick_size=Decimal("0.05"), lot_size=Decimal(1), unit_size=Decimal(1), multiplier=Decimal(100),
    maker_fee=Decimal("-0.00025"), taker_fee=Decimal("0.00075"), value_per_lot=True, max_qty=Decimal(20),
    init_margin=Decimal("0.01"), maint_margin=Decimal("0.005"), hedge=False,
)  # fmt: skip
XBT_USDT = Instrument(
    "venue", "XBT_USDT", "BTC/USDT", InstrumentKind.SPOT, "XBT", "USDT", USDT,
    tick_size=Decimal("0.1"), lot_size=Decimal("0.0000001"), unit_size=Decimal("0.00000001"),
    multiplier=Decimal(1_000_000), maker_fee=Decimal("0.001"), taker_fee=Decimal("0.001"),
    max_qty=Decimal("0.000002"),
)  # fmt: skip

BASE_TICKS = {
    XBTUSD: 64_371, XBTUSD_TENTH: 321_855, XBTUSDT: 64_371, ODD_LINEAR: 1_237, ETHUSD: 60_003, XBT_USDT: 600_003,
}  # fmt: skip
"""Where each market trades, about."""
STEP = 300_000_000
"""Time goes on in steps of this many ns, so that seconds begin now and then."""
SPREAD_OF_PRICES = 4
"""Ticks to either side of the middle in which everything happens."""

Event = tuple[Any, ...]


@dataclass(frozen=True)
class Setting:
    """What a flow is played on."""

    instruments: tuple[Instrument, ...]
    feeds: tuple[str, ...]
    """Per instrument: `levels`, `quotes`, `prints` or `candles`."""
    model: str
    balances: tuple[dict[str, int], ...]
    """Per account, minor units by currency."""
    modes: tuple[PositionMode, ...]
    leverage: Decimal | None
    own_trades: bool = False
    """Whether what accounts take is the last price (with a book)."""


@dataclass(frozen=True)
class Flow:
    """A setting and what happens in it."""

    seed: int
    setting: Setting
    events: tuple[tuple[int, Event], ...]

    def text(self) -> str:
        """The flow as a listing to read."""
        setting = self.setting
        markets = ", ".join(
            f"{instrument} ({feed}, lot {instrument.lot_units}, about {BASE_TICKS[instrument]})"
            for instrument, feed in zip(setting.instruments, setting.feeds, strict=True)
        )
        head = [f"seed {self.seed}: {markets}; model {setting.model}; leverage {setting.leverage}"]
        for number, (balance, mode) in enumerate(zip(setting.balances, setting.modes, strict=True)):
            head.append(f"account {number}: {balance}, {mode}")
        return "\n".join(head + [f"{ts:4} {' '.join(str(part) for part in event)}" for ts, event in self.events])


def make_flow(seed: int) -> Flow:
    """The flow of a seed, always the same."""
    chance = Chance(seed)
    setting = _setting(chance.fork("setting"))
    return Flow(seed, setting, tuple(_Writer(setting, chance.fork("events")).write(chance.randint(20, 120))))


def _setting(chance: Chance) -> Setting:
    count = 2 if chance.random() < 0.2 else 1
    instruments = tuple(chance.sample(list(BASE_TICKS), count))
    feeds = tuple(chance.choices(("levels", "quotes", "prints", "candles"), (6, 2, 1, 1), k=count))
    accounts = chance.randint(1, 3)
    # From a few lots' margin to plenty, so that refusals for money happen but do not rule.
    rich = [10 ** chance.randint(3, 9) for _ in range(accounts)]
    balances = tuple({"XBT": chance.randint(1, 9) * money, "USDT": chance.randint(1, 9) * money} for money in rich)
    hedge = chance.random() < 0.4
    modes = tuple(PositionMode.HEDGE if hedge else PositionMode.ONE_WAY for _ in range(accounts))
    model = chance.choices(("queue", "touch", "through"), (4, 1, 1))[0]
    leverage = chance.choice((None, None, Decimal(3), Decimal(10)))
    return Setting(instruments, feeds, model, balances, modes, leverage, chance.random() < 0.5)


class _Writer:
    """Writes the events of one flow."""

    def __init__(self, setting: Setting, chance: Chance) -> None:
        self.setting = setting
        self.chance = chance
        self.ts = 1
        self.orders: list[tuple[int, int]] = []
        self.books: list[dict[int, dict[int, int]]] = [{1: {}, -1: {}} for _ in setting.instruments]
        self.tops: list[dict[int, tuple[int | None, int]]] = [{} for _ in setting.instruments]
        self.middles = [BASE_TICKS[instrument] for instrument in setting.instruments]
        self.open_since: list[int | None] = [None for _ in setting.instruments]

    def write(self, count: int) -> list[tuple[int, Event]]:
        events: list[tuple[int, Event]] = []
        for market, feed in enumerate(self.setting.feeds):
            if feed == "levels":
                events += [(1, self._level(market)) for _ in range(6)]
        for _ in range(count):
            self.ts += self.chance.choice((0, 1, 1, 2)) * STEP
            events.append((self.ts, self._event()))
        return events

    def _event(self) -> Event:
        chance = self.chance
        market = chance.randrange(len(self.setting.instruments))
        if chance.random() < 0.04:
            self.middles[market] += chance.choice((-2, -1, 1, 2))
        kind = chance.choices(("market", "submit", "amend", "cancel", "rare"), (45, 33, 11, 6, 5))[0]
        if kind == "market":
            return self._market_event(market)
        if kind == "submit" or not self.orders:
            return self._submit(market)
        if kind == "rare":
            return self._rare(market)
        account, number = chance.choice(self.orders[-12:])
        if kind == "cancel":
            return ("cancel", account, number)
        ticks = self._price(market) if chance.random() < 0.6 else None
        units = self._order_units(market) if chance.random() < 0.6 or ticks is None else None
        trigger = self._price(market) if chance.random() < 0.2 else None
        return ("amend", account, number, ticks, units, trigger)

    # -- the market

    def _market_event(self, market: int) -> Event:
        feed = self.setting.feeds[market]
        if feed == "candles":
            return self._candle(market)
        if feed == "prints" or self.chance.random() < 0.4:
            endless = self.chance.random() < 0.03
            units = UNKNOWN_SIZE if endless else self._outside_units(market)
            return ("print", market, self._price(market), units, self.chance.choice((-1, -1, 1, 1, 0)))
        return self._level(market) if feed == "levels" else self._quote(market)

    def _level(self, market: int) -> Event:
        chance, book = self.chance, self.books[market]
        sign = chance.choice((1, -1))
        if book[sign] and chance.random() < 0.5:
            ticks = chance.choice(sorted(book[sign]))
            units = 0 if chance.random() < 0.4 else self._outside_units(market)
        else:
            ticks, units = self._price(market), self._outside_units(market)
            opposite = book[-sign]
            # A book is never crossed: what is in the way of a new level went before.
            if any((ticks - other) * sign >= 0 for other in opposite):
                ticks = next(other for other in opposite if (ticks - other) * sign >= 0)
                sign, units = -sign, 0
        if chance.random() < 0.05 and ticks in book[sign]:
            units = book[sign][ticks]
        book[sign].pop(ticks, None)
        if units:
            book[sign][ticks] = units
        return ("level", market, sign, ticks, units)

    def _quote(self, market: int) -> Event:
        chance = self.chance
        ask = self._price(market)
        bid = ask - chance.choice((1, 1, 2, 3))
        top: dict[int, tuple[int | None, int]] = {}
        for sign, ticks in ((1, bid), (-1, ask)):
            units = UNKNOWN_SIZE if chance.random() < 0.03 else self._outside_units(market)
            top[sign] = (ticks, units) if chance.random() > 0.05 else (None, 0)
        if self.tops[market] and chance.random() < 0.4:
            side = chance.choice((1, -1))
            kept = self.tops[market][side][0]
            other = top[-side][0]
            if kept is None or other is None or (other - kept) * side > 0:
                top[side] = self.tops[market][side]
        self.tops[market] = top
        return ("quote", market, *top[1], *top[-1])

    def _candle(self, market: int) -> Event:
        open_since = self.open_since[market]
        if open_since is None and self.chance.random() < 0.8:
            self.open_since[market] = self.ts
            return ("open", market, self._price(market))
        self.open_since[market] = None
        low, close, high = sorted(self._price(market) for _ in range(3))
        return ("candle", market, low, high, close)

    # -- requests

    def _submit(self, market: int) -> Event:
        chance = self.chance
        account = chance.randrange(len(self.setting.balances))
        number = len(self.orders)
        if self.orders and chance.random() < 0.02:
            number = chance.choice(self.orders[-6:])[1]
        self.orders.append((account, number))
        hedge = self.setting.modes[account] is PositionMode.HEDGE
        instrument = self.setting.instruments[market]
        if chance.random() < 0.02:
            hedge = not hedge
        leg = chance.choice(("long", "short")) if hedge and instrument.hedge and not instrument.is_spot else "net"
        is_market = chance.random() < 0.15
        time_in_force = chance.choices(("gtc", "ioc", "fok", "day"), (14, 2, 2, 1))[0] if not is_market else "ioc"
        post_only, reduce_only = chance.random() < 0.12, chance.random() < 0.3
        ticks = None if is_market else self._price(market)
        if not is_market and chance.random() < 0.01:
            ticks = chance.choice((0, -3, None))
        units, sign = self._order_units(market), chance.choice((1, -1))
        display = chance.choice((0, 1, 1, 2)) * instrument.lot_units if chance.random() < 0.2 else None
        trigger = self._trigger(market, sign) if chance.random() < 0.25 else None
        if trigger is not None and reduce_only and chance.random() < 0.3:
            units, display = 0, None
        what = (sign, leg, units, ticks, time_in_force, post_only, reduce_only, is_market, display, trigger)
        return ("submit", account, market, number, *what)

    def _trigger(self, market: int, sign: int) -> tuple[str, str, int | None, int | None]:
        """Kind, by which price, at which one or how far behind it."""
        chance = self.chance
        kind, by = chance.choice(("stop", "stop", "take_profit")), chance.choice(("last", "last", "mark", "", "index"))
        if chance.random() < 0.7:
            return kind, by, self._price(market), None
        distance = chance.choice((1, 1, 2, 3)) * (sign if kind == "stop" else -sign)
        return kind, by, None, distance if chance.random() < 0.97 else -distance

    def _rare(self, market: int) -> Event:
        chance = self.chance
        kind = chance.choice(("fund", "mark", "mark", "mark", "mode"))
        if kind == "fund":
            return ("fund", market, chance.choice((0.0001, -0.000375, 0.0012, 0.0)))
        if kind == "mark":
            instrument = self.setting.instruments[market]
            # Now and then far away, so that accounts have less than their orders need.
            price = instrument.price(self._price(market)) * chance.choice((1.0, 1.0, 1.07, 0.9))
            return ("mark", market, price, chance.choice((None, price, instrument.price(self._price(market)))))
        return ("mode", chance.randrange(len(self.setting.balances)), chance.choice(("one_way", "hedge")))

    # -- numbers

    def _price(self, market: int) -> int:
        distance = min(SPREAD_OF_PRICES, int(abs(self.chance.gauss(0, 1.6))))
        return self.middles[market] + self.chance.choice((-1, 1)) * distance

    def _outside_units(self, market: int) -> int:
        lot = self.setting.instruments[market].lot_units
        units = lot * self.chance.randint(1, 6)
        return units + self.chance.randrange(lot) if self.chance.random() < 0.2 else units

    def _order_units(self, market: int) -> int:
        chance, lot = self.chance, self.setting.instruments[market].lot_units
        units = lot * chance.randint(1, 7)
        if chance.random() < 0.02:
            return chance.choice((0, -lot, lot + 1, lot * 40))
        return units
