"""A venue in memory over the one matching engine, with a handle on everything that can go wrong on the way to it.

Its wire has words of its own, so that FakeExchange has something to translate: rows are dicts, prices and quantities
decimal text, a position is long or short with a size, a fill made or took. A request is signed, expires, and takes from
a budget of ten a second; a stream sends the account's news by itself and the market's to whoever asks.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from itertools import count
from typing import Any

from hbkit.clock import DAY, HOUR, MINUTE, SECOND
from hbkit.exchange import Address, Holding
from hbkit.log import Secret
from hbkit.matching import Account, Engine, Queue
from hbkit.model import (
    Currency,
    Execution,
    ExecutionKind,
    Instrument,
    InstrumentKind,
    OrderReport,
    PositionMode,
    PositionSide,
    Side,
)
from hbkit.net.limits import TokenBucket
from hbkit.net.virtual import VirtualLoop
from hbkit.testing.contract.venue import Venue
from hbkit.testing.fake.rows import Row, fill_row, order_row, request, sign

HOP = 0.001
"""Seconds on the way, each way."""
MOST_LEVERAGE = 100
PAID_EVERY = 8 * HOUR
"""Fundings are eight hours apart."""
USD = Currency("USD", 4)
COIN = Instrument(
    exchange="fake",
    symbol="COIN",
    unified="COIN/USD:USD",
    kind=InstrumentKind.LINEAR,
    base="COIN",
    quote="USD",
    settle=USD,
    tick_size=Decimal("0.1"),
    lot_size=Decimal("0.01"),
    unit_size=Decimal("0.001"),
    multiplier=Decimal(10_000),
    maker_fee=Decimal("-0.0001"),
    taker_fee=Decimal("0.0005"),
    init_margin=Decimal("0.01"),
)
"""A linear contract at about 100 USD: a unit is a thousandth of a coin, a lot ten of them."""


def listing(era: str | None = None) -> list[Instrument]:
    """What is traded, whatever the era."""
    del era
    return [COIN]


class Lost(Exception):
    """The connection broke: what was asked may have been done."""


class Refused(Exception):
    """The venue says no; `word` is why in one word: key, stale, fast, order."""

    def __init__(self, word: str, text: str) -> None:
        super().__init__(text)
        self.word = word


class Stream:
    """What the venue sends by itself, message by message."""

    def __init__(self, venue: FakeVenue) -> None:
        self._venue = venue
        self._queue: deque[Row | None] = deque()
        self._wake = asyncio.Event()
        self.topics: set[str] = set()

    async def read(self) -> Row:
        """The next message; raises Lost when there will be none."""
        while not self._queue:
            self._wake.clear()
            await self._wake.wait()
        row = self._queue.popleft()
        if row is None:
            raise Lost("the stream broke")
        return row

    def subscribe(self, topic: str) -> None:
        """Ask for `trade`, `quote`, `book`, `candle`, `mark` or `funding`; a book begins with its snapshot."""
        self.topics.add(topic)
        self._venue.greet(self, topic)

    def put(self, row: Row | None) -> None:
        """On its way; None breaks the stream, and what was not read is gone."""
        if row is None:
            self._queue.clear()
        self._queue.append(row)
        self._wake.set()

    def close(self) -> None:
        """Hang up."""
        self._venue.streams.discard(self)


class FakeVenue(Venue):
    """One market, one account, any number of streams."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.instruments = {COIN.symbol: COIN}
        self.instrument = COIN
        self.address = Address("memory", "memory")
        self.key, self.secret = "fake-key", Secret("fake-secret-of-the-account")
        self.clock = loop.clock
        self.streams: set[Stream] = set()
        ids = count(1)
        self._loop = loop
        self._opened = loop.clock.now()
        self._engine = Engine(lambda: f"v{next(ids)}")
        self._account = Account("fake", {USD: 10**10}, self._engine.reference_price)
        self._engine.add_account(self._account)
        self._market = self._engine.add_market(COIN, Queue(), has_book=True)
        self._orders: dict[str, OrderReport] = {}
        self._fills: list[Execution] = []
        self._bucket = TokenBucket(10, 10, loop.clock)
        self._too_fast = 0
        self._lost: set[tuple[str, str]] = set()
        self._late: dict[str, float] = {}
        self._copies = 1
        self._early = False
        self._prints: list[tuple[int, int]] = []
        self._candles: list[Row] = []
        self._leverage = 0.0
        for away in range(5):
            self.level(Side.BUY, 990 - away, 100_000)
            self.level(Side.SELL, 1010 + away, 100_000)
        self._market.last = 1000
        self._timer = loop.call_later(60, self._minute)

    def close(self) -> None:
        """Nothing more happens."""
        self._timer.cancel()

    # -- the wire

    def connector(self) -> FakeVenue:
        """The way to the venue is the venue."""
        return self

    async def dial(self, expires: int, signature: str) -> Stream:
        """A stream of the account."""
        await asyncio.sleep(HOP)
        self._admit("stream", expires, signature)
        stream = Stream(self)
        self.streams.add(stream)
        return stream

    async def ask(self, verb: str, sent: Row, expires: int = 0, signature: str = "") -> Any:
        """One request and its answer; raises Refused, or Lost where there is no answer."""
        await asyncio.sleep(HOP)
        if ("request", verb) in self._lost:
            self._lost.discard(("request", verb))
            raise Lost("the connection broke")
        if verb == "time":
            return self.clock.now()
        self._admit(verb, expires, signature)
        answer = getattr(self, f"_do_{verb}")(sent)
        self._tell()
        if ("reply", verb) in self._lost:
            self._lost.discard(("reply", verb))
            raise Lost("the connection broke")
        await asyncio.sleep(HOP + self._late.pop(verb, 0.0))
        return answer

    def _admit(self, verb: str, expires: int, signature: str) -> None:
        if signature != sign(self.secret, verb, expires):
            raise Refused("key", "unknown key or wrong signature")
        if not self.clock.now() < expires <= self.clock.now() + 60 * SECOND:
            raise Refused("stale", "the request has expired, or expires too late")
        if not self._bucket.take():
            self._too_fast += 1
            raise Refused("fast", "too many requests")

    def _do_account(self, sent: Row) -> Row:
        del sent
        return {"id": "7", "mode": self._account.mode.value, "money": self._money()}

    def _do_submit(self, sent: Row) -> Row:
        if sent["cid"] in self._orders:
            raise Refused("duplicate", "an order has this id")
        return self._act(sent["cid"], lambda ts: self._engine.submit(self._account, request(sent, COIN), ts))

    def _do_amend(self, sent: Row) -> Row:
        ticks = COIN.ticks(sent["px"]) if sent.get("px") else None
        units = COIN.units(sent["qty"]) if sent.get("qty") else None
        stop = COIN.ticks(sent["stop"]) if sent.get("stop") else None
        cid = self._known(sent["cid"])

        def change(ts: int) -> None:
            self._engine.amend(self._account, cid, ts, ticks=ticks, units=units, trigger_ticks=stop)

        return self._act(cid, change)

    def _do_cancel(self, sent: Row) -> Row:
        cid = self._known(sent["id"])
        return self._act(cid, lambda ts: self._engine.cancel(self._account, cid, ts))

    def _do_cancel_all(self, sent: Row) -> list[Row]:
        del sent
        return [self._do_cancel({"id": cid}) for cid in list(self._account.orders)]

    def _known(self, name: str) -> str:
        """The client's id of an order, by that or by the venue's own."""
        found = next((one.id for one in self._orders.values() if name in (one.id, one.exchange_id)), None)
        if found is None:
            raise Refused("order", "no such order")
        return found

    def _act(self, cid: str, act: Any) -> Row:
        act(self.clock.now())
        refused = next((one for one in self._engine.out if isinstance(one, OrderReport) and one.refused), None)
        if refused is not None:
            self._engine.out.clear()
            raise Refused("order", refused.reason)
        self._tell()
        return order_row(self._orders[cid])

    def _do_orders(self, sent: Row) -> list[Row]:
        return [order_row(one) for one in self._orders.values() if sent.get("cid") == one.id or not one.status.is_final]

    def _do_fills(self, sent: Row) -> list[Row]:
        return [fill_row(one) for one in self._fills if one.ts >= sent["since"]]

    def _do_positions(self, sent: Row) -> list[Row]:
        del sent
        return [
            {"leg": side.value, "way": "long" if leg.units > 0 else "short", "qty": COIN.qty_text(abs(leg.units))}
            for side, leg in self._account.legs()
            if leg.units
        ]

    def _do_candles(self, sent: Row) -> list[Row]:
        """The past; before the venue was opened here nothing traded, minute by minute, at the price it opens with."""
        opened = self._opened // MINUTE * MINUTE
        first = -(-sent["start"] // MINUTE) * MINUTE
        quiet = [self._candle(at, 1000) for at in range(first, min(opened, sent["end"] - MINUTE + 1), MINUTE)]
        told = [row for row in self._candles if sent["start"] <= row["open"] and row["open"] + MINUTE <= sent["end"]]
        return quiet + told

    def _do_mode(self, sent: Row) -> str:
        reason = self._account.switch_mode(PositionMode(sent["mode"]))
        if reason:
            raise Refused("order", reason)
        self._send({"type": "mode", "mode": self._account.mode.value, "ts": self.clock.now()})
        return ""

    def _do_leverage(self, sent: Row) -> str:
        times = float(sent["times"])
        if not 0 <= times <= MOST_LEVERAGE:
            raise Refused("order", f"leverage goes from 0 (cross) to {MOST_LEVERAGE}")
        self._account.set_leverage(COIN, times)
        self._leverage = times
        return ""

    # -- what is sent

    def greet(self, stream: Stream, topic: str) -> None:
        """What a new subscriber is told first."""
        if topic == "book":
            if self._early:
                stream.put({"type": "book", "side": "buy", "px": "98.9", "qty": "1"})
            stream.put({"type": "book", "all": [self._level(*one) for one in self._levels()], "ts": self.clock.now()})

    def _levels(self) -> list[tuple[Side, int, int]]:
        return [(side, ticks, units) for side in Side for ticks, units in self.book(side).items()]

    def _level(self, side: Side, ticks: int, units: int) -> Row:
        return {"side": side.value, "px": COIN.price_text(ticks), "qty": COIN.qty_text(units)}

    def _send(self, row: Row, topic: str = "") -> None:
        for stream in self.streams:
            if not topic or topic in stream.topics:
                for _ in range(1 if topic else self._copies):
                    stream.put(row)

    def _tell(self) -> None:
        """The news of the engine, to all streams; a moment is over, so what it triggered is let in first."""
        self._engine.release()
        events, self._engine.out = self._engine.out, []
        for event in events:
            if isinstance(event, Execution):
                self._fills.append(event)
                self._send({"type": "fill", **fill_row(event)})
            else:
                self._orders[event.id] = event
                self._send({"type": "order", **order_row(event)})
        if any(isinstance(event, Execution) for event in events):
            self._send({"type": "money", **self._money()})

    def _money(self) -> Row:
        wallet = self._account.wallet(USD.code)
        return {"code": USD.code, "cash": wallet.balance, "worth": wallet.equity, "free": wallet.available}

    @staticmethod
    def _candle(opened: int, flat: int, prints: Sequence[tuple[int, int]] = ()) -> Row:
        """A minute in the venue's words; without prints it stands at `flat`."""
        ticks = [ticks for ticks, _ in prints] or [flat]
        return {
            "type": "candle", "open": opened, "o": COIN.price_text(ticks[0]), "h": COIN.price_text(max(ticks)),
            "l": COIN.price_text(min(ticks)), "c": COIN.price_text(ticks[-1]),
            "v": COIN.qty_text(sum(units for _, units in prints)), "n": len(prints),
        }  # fmt: skip

    def _minute(self) -> None:
        """A minute is over: its candle, also where nothing traded."""
        first = COIN.ticks(self._candles[-1]["c"]) if self._candles else self._market.last or 0
        row = self._candle(self.clock.now() // MINUTE * MINUTE - MINUTE, first, self._prints)
        self._candles.append(row)
        self._prints.clear()
        if self.clock.now() % DAY < MINUTE:
            self._engine.end_day(self.clock.now())
            self._tell()
        self._send(row, "candle")
        self._timer = self._loop.call_later(60, self._minute)

    # -- the handle: the market

    def quote(self, bid: int, ask: int, units: int) -> None:
        """The whole outside book moves: five levels of this size on each side, from these best prices on."""
        self._engine.at(self.clock.now())
        for side, ticks, _ in self._levels():
            self._market.level(side, ticks, 0)
        for away in range(5):
            self._market.level(Side.BUY, bid - away, units)
            self._market.level(Side.SELL, ask + away, units)
        self._tell()
        now = self.clock.now()
        self._send({"type": "book", "all": [self._level(*one) for one in self._levels()], "ts": now}, "book")
        self._send({"type": "quote", "top": [self._level(*one) for one in self._top()], "ts": now}, "quote")

    def level(self, side: Side, ticks: int, units: int) -> None:
        """An outside level."""
        before = self._top()
        self._engine.at(self.clock.now())
        self._market.level(side, ticks, units)
        self._tell()
        self._send({"type": "book", **self._level(side, ticks, units), "ts": self.clock.now()}, "book")
        if self._top() != before:
            self._send(
                {"type": "quote", "top": [self._level(*one) for one in self._top()], "ts": self.clock.now()}, "quote"
            )

    def _top(self) -> list[tuple[Side, int, int]]:
        book = self._market.book
        tops = ((Side.BUY, book.best_bid_ticks), (Side.SELL, book.best_ask_ticks))
        return [(side, ticks, book.size(side, ticks)) for side, ticks in tops if ticks is not None]

    def trade(self, side: Side, ticks: int, units: int) -> None:
        """A print."""
        self._engine.at(self.clock.now())
        self._prints.append((ticks, units))
        self._market.print(ticks, units, side.sign)
        self._send(
            {"type": "trade", "took": side.value, **self._level(side, ticks, units), "ts": self.clock.now()}, "trade"
        )
        self._tell()

    def book(self, side: Side) -> dict[int, int]:
        """Outside units by ticks."""
        book = self._market.book
        return {ticks: book.size(side, ticks) for ticks in book.prices(side)}

    def mark(self, price: float) -> None:
        """The mark."""
        self._engine.at(self.clock.now())
        self._market.marked(price)
        self._send({"type": "mark", "px": str(price), "ts": self.clock.now()}, "mark")
        self._tell()

    def fund(self, rate: float) -> None:
        """A funding: paid by whoever holds a position, then told."""
        now = self.clock.now()
        self._engine.fund(COIN, rate, now)
        self._tell()
        self._send({"type": "funding", "rate": repr(rate), "next": now + PAID_EVERY, "ts": now}, "funding")

    # -- the handle: the truth

    def orders(self) -> list[OrderReport]:
        """As the engine told of them."""
        return list(self._orders.values())

    def executions(self) -> list[Execution]:
        """As the engine told of them."""
        return [one for one in self._fills if one.kind is ExecutionKind.TRADE]

    def positions(self) -> list[Holding]:
        """The legs."""
        return [Holding(COIN, side, leg.units, leg.cost) for side, leg in self._account.legs() if leg.units]

    @property
    def connections(self) -> int:
        """Open streams."""
        return len(self.streams)

    @property
    def too_fast(self) -> int:
        """Refused for coming too fast."""
        return self._too_fast

    @property
    def mode(self) -> PositionMode:
        """The account's."""
        return self._account.mode

    def shown(self, side: Side, ticks: int) -> int:
        """Outside size, and what the account's orders show."""
        return self._market.available(side, ticks) + self._market.inside_at(side, ticks)

    def leverage(self, side: PositionSide = PositionSide.NET) -> float:
        """The same for both legs."""
        del side
        return self._leverage

    def set_mode(self, mode: PositionMode) -> None:
        """As if by hand."""
        self._do_mode({"mode": mode.value})

    # -- the handle: what goes wrong

    def cut(self) -> None:
        """All streams."""
        for stream in self.streams:
            stream.put(None)
        self.streams.clear()

    def lose_reply(self, request: str) -> None:
        """Done, and then the line breaks."""
        self._lost.add(("reply", request))

    def lose_request(self, request: str) -> None:
        """The line breaks before."""
        self._lost.add(("request", request))

    def late_reply(self, request: str, seconds: float) -> None:
        """The answer takes its time."""
        self._late[request] = seconds

    def repeat(self) -> None:
        """News of the account, twice."""
        self._copies = 2

    def early_update(self) -> None:
        """An update before each snapshot."""
        self._early = True

    def cross(self) -> None:
        """A bid above the best offer."""
        ask = min(self.book(Side.SELL))
        self._send({"type": "book", **self._level(Side.BUY, ask + 1, 1000), "ts": self.clock.now()}, "book")
