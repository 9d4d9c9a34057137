"""The live view of a run: book with own orders marked, position, profit, what happened, connection, limits, lag.

It reads what the run keeps anyway and asks for nothing: of a market it shows what the strategies listen to. `lines`
yields a picture from the top, to be drawn by a `Screen`.
"""

from __future__ import annotations

import textwrap
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from math import isnan

from rich.text import Text

from hbkit.cli.asking import clean, grid_text
from hbkit.cli.screen import Cost, Tell, drawing
from hbkit.clock import SECOND, iso, monotonic
from hbkit.model import Instrument, Order, OrderBook, OrderStatus, Quote, Side
from hbkit.report.result import MoneyRow
from hbkit.report.wording import percent, plural, signed
from hbkit.run.live import LiveRun
from hbkit.run.news import Item
from hbkit.runtime.host import Host
from hbkit.runtime.money import Money
from hbkit.trading.view import MarketView

DEPTH = 5
"""Levels of each side where there is room."""
NEWS = 4
"""Lines of news that there should be room for at least."""
NARROW, LOW = 64, 14
_UP, _DOWN, _OWN, _DIM = "green", "red", "bold yellow", "dim"
_ALARM, _CARE = "bold white on red", "bold black on yellow"
_STYLES = {
    "buy": _UP, "sell": _DOWN, "money": "cyan", "alarm": _ALARM, "placed": _DIM, "ended": _DIM, "refused": "yellow",
    "warning": "yellow", "error": "bold red", "print": "",
}  # fmt: skip
_FILLS = ("buy", "sell")
_LONG = ("refused", "ended", "warning", "error", "print")
_TOLD = ("warning", "error", "print")
_MARGIN = 9
_MOST_LINES = 3
_WORDS = {"buy": "bought", "sell": "sold", "money": "", "alarm": "", "ended": "", "print": ""}

Level = tuple[int, int | None]
"""Ticks, and units where they are known."""


@asynccontextmanager
async def watch(run: LiveRun) -> AsyncIterator[None]:
    """Draw `run` while the block runs."""
    async with drawing(View(run).lines, teller(run)):
        yield


def teller(run: LiveRun) -> Tell:
    """Puts what is logged or printed among the news of a run."""

    def tell(kind: str, text: str) -> None:
        run.news.items.append(Item(run.clock.now(), kind, text))

    return tell


@dataclass
class View:
    """One run as it is shown."""

    run: LiveRun
    _since: float = field(default_factory=monotonic)
    _down: dict[str, float] = field(default_factory=dict)

    def lines(self, columns: int, rows: int, cost: Cost) -> Iterator[Text]:
        """The picture as it stands now, at most `rows` lines of at most `columns`."""
        return islice(self._lines(columns, rows, cost), rows)

    def _lines(self, columns: int, rows: int, cost: Cost) -> Iterator[Text]:
        run = self.run
        top = [self._head(columns), *self._alarms(columns)]
        yield from map(_cropped(columns), top)
        stage = run.stage
        if not run.hosts or run.money is None:
            yield _cropped(columns)(Text(f"{stage} ... {monotonic() - self._since:.0f} s"))
            yield from self._news(rows - len(top) - 1, columns)
            return
        settled = {view.instrument.settle.code for host in run.hosts for view in host.desk.markets}
        money = list(_money([row for row in run.money.rows() if not row.is_idle or row.currency in settled], columns))
        money += _together(run.money, columns)
        foot = list(self._foot(columns, cost)) if rows >= LOW else []
        left = rows - len(top) - len(money) - len(foot) - bool(stage)
        if stage:
            yield _cropped(columns)(Text(stage, style="bold"))
        yield from map(_cropped(columns), money)
        views = [(host, view, self._price(view)) for host in run.hosts for view in host.desk.markets]
        for line in _markets(views, columns, left - NEWS - 1):
            left -= 1
            yield _cropped(columns)(line)
        yield from self._news(left, columns)
        yield from map(_cropped(columns), foot)

    def _price(self, view: MarketView) -> float | None:
        return self.run.exchanges[view.instrument.exchange].reference_price(view.instrument)

    # -- the top

    def _head(self, columns: int) -> Text:
        run = self.run
        text = Text()
        text.append(run.name, style="bold")
        speed = f" ×{run.speed:g}" if run.speed != 1 else ""
        moment = iso(run.clock.now())[:19].replace("T", " ")
        parts = [f"{run.mode}{speed}", f"{moment} UTC" if columns >= NARROW else moment[11:]]
        if run.stage == "" and run.money is not None:
            left = run.seconds_left
            ran = f"{_clock_text(run.seconds)} on"
            parts += [ran] if left is None else [f"{_clock_text(left)} left", ran]
        text.append(" " + " · ".join(_fitting(parts, columns - len(text) + 2)), style=_DIM)
        return text

    def _alarms(self, columns: int) -> Iterator[Text]:
        """What a person must see first: an exchange out of reach, a strategy that failed."""
        unseen = self.run.unseen
        for name in list(self._down):
            if name not in unseen:
                del self._down[name]
        for name, reachable in unseen.items():
            if reachable:
                yield _bar(f" {name}: comparing the books, no new orders ", _CARE, columns)
                continue
            now = monotonic()
            seconds = now - self._down.setdefault(name, now)
            yield _bar(f" {name} OUT OF REACH for {seconds:.0f} s: no new orders, connecting again ", _ALARM, columns)
        for host in self.run.hosts:
            yield from _failure(host, columns)

    # -- what happened

    def _news(self, room: int, columns: int) -> Iterator[Text]:
        """A heading and as many of the newest lines as there is room for, blank ones below: the foot stays in place."""
        if room < 2:
            return
        yield _rule("orders, fills, warnings", columns)
        markets = {view.instrument for host in self.run.hosts for view in host.desk.markets}
        only = markets.pop().symbol if len(markets) == 1 else ""
        newest: list[Text] = []
        for item in reversed(self.run.news.items):
            newest[:0] = _item(item, columns, only)
            if len(newest) >= room - 1:
                break
        yield from newest[max(0, len(newest) - room + 1) :]
        for _ in range(room - 1 - len(newest)):
            yield Text()

    # -- the foot

    def _foot(self, columns: int, cost: Cost) -> Iterator[Text]:
        run = self.run
        unseen = run.unseen
        yield _rule("", columns)
        for name, exchange in run.exchanges.items():
            state = "up" if name not in unseen else "comparing books" if unseen[name] else "out of reach"
            health = [clean(f"{key} {value}") for key, value in exchange.health().items()]
            lines = _packed([f"{clean(name)} {state}", *health], columns)
            yield from (Text(line, style=_DIM if state == "up" else "bold red") for line in lines)
        news = run.news
        counts = f"{plural(news.placed, 'order')}, {plural(len(news.fills), 'fill')}, {news.refused:,} refused"
        lag = f"loop lag {run.lag_ns / SECOND * 1000:.1f} ms"
        facts = [lag, counts, f"drawing {cost.seconds * 1000:.1f} ms", "Ctrl-C stops"]
        yield from (Text(line, style=_DIM) for line in _packed(facts, columns))


# -- money


def _money(rows: Sequence[MoneyRow], columns: int) -> Iterator[Text]:
    """Equity by the books, at the price of this moment, and what the run made of it."""
    equities = [row.equity + row.gap for row in rows]  # the gap is what the exchange has not told yet
    texts = [row.unit.text(equity) for row, equity in zip(rows, equities, strict=True)]
    wide, code_wide = max(map(len, texts), default=0), max((len(row.currency) for row in rows), default=0)
    for row, equity, shown in zip(rows, equities, texts, strict=True):
        profit = equity - row.starting_balance - row.transfers
        text = _styled("equity " if columns >= NARROW else "", _DIM)
        text.append(f"{shown:>{wide}}", style="bold")
        text.append(f" {row.currency:<{code_wide}}", style=_DIM)
        share = f" {percent(profit / row.starting_balance, signed=True)}" if row.starting_balance else ""
        text.append("  profit " if columns >= NARROW else "  ", style=_DIM)
        text.append(f"{signed(row.unit.text(profit))}{share}", style=_UP if profit > 0 else _DOWN if profit else "")
        facts = [f"fees {row.unit.text(row.fees)}"]
        if row.funding:
            facts.append(f"funding {signed(row.unit.text(row.funding))}")
        for fact in _fitting(facts, columns - len(text)):
            text.append(f" · {fact}", style=_DIM)
        yield text


def _together(money: Money, columns: int) -> Iterator[Text]:
    """Everything in the reporting currency, where there is one and it can be valued."""
    booked = money.booked_equity()
    worth = money.reported(booked)
    if worth is None or money.valuation is None or money.valuation.started is None:
        return
    paid = money.transfers()
    profit = worth - (money.reported(paid) or 0.0 if paid else 0.0) - money.valuation.started
    unit = money.valuation.unit(money.rows())
    equity, gained = (unit.text(round(amount * 10**unit.scale)) for amount in (worth, profit))
    text = _styled("everything " if columns >= NARROW else "all ", _DIM)
    text.append(equity, style="bold").append(f" {unit}", style=_DIM)
    text.append("  profit " if columns >= NARROW else "  ", style=_DIM)
    yield text.append(signed(gained), style=_UP if profit > 0 else _DOWN if profit else "")


# -- markets


Seen = tuple[Host, MarketView, float | None]
"""A market, who trades there, and the price that positions are valued at."""


def _markets(views: Sequence[Seen], columns: int, room: int) -> Iterator[Text]:
    """Every market that there is room for, all alike."""
    names = len({view.instrument.exchange for _, view, _ in views}) > 1
    # A title and a heading for each, and its part of what is left.
    depth = max(1, min(DEPTH, room // max(1, len(views)) - 2))
    for at, (host, view, price) in enumerate(views):
        title = list(_title(host, view, price, names, columns))
        rungs = _rungs(view, depth)
        room -= len(title) + (1 + len(rungs) if rungs else 0)
        if room < 0 and at:
            yield Text(f"and {len(views) - at} more markets", style=_DIM)
            return
        yield from title
        if rungs and room >= 0:
            yield from _ladder(view.instrument, rungs, columns)


def _title(host: Host, view: MarketView, price: float | None, names: bool, columns: int) -> Iterator[Text]:
    """Market, position and what it is worth, in as many lines as that takes."""
    market = view.instrument
    parts = [Text(f"{market.exchange} {market}" if names else str(market), style="bold")]
    if host.stopped:
        parts.append(Text("strategy stopped", style="bold red"))
    held = view.held()
    if not held:
        parts.append(Text("flat", style=_DIM))
    for position in held:
        side, style = ("long", _UP) if position.qty > 0 else ("short", _DOWN)
        qty = grid_text(abs(position.qty), market.lot_size)
        parts.append(_styled(f"{side} {qty}", style).append(f" at {_mean(position.entry_price, market)}"))
        profit = market.settle.text(round(position.unrealized_pnl * 10**market.settle.scale))
        style = _UP if position.unrealized_pnl > 0 else _DOWN if position.unrealized_pnl else ""
        parts.append(_styled("open ", _DIM).append(f"{signed(profit)} {market.settle.code}", style))
    parts.append(Text(f"mark {_mean(price, market)}" if price is not None else "no price yet", style=_DIM))
    line = Text()
    for part in parts:
        if line and len(line) + 2 + len(part) > columns:
            yield line
            line = Text("  ")
        elif line:
            line.append("  ")
        line.append_text(part)
    yield line


@dataclass
class _Rung:
    """One row of a ladder: a level of each side, with our quantity in it."""

    bid: Level | None
    bid_own: str
    ask: Level | None
    ask_own: str


def _rungs(view: MarketView, depth: int) -> list[_Rung]:
    bids, bid_own = _side(view, Side.BUY, depth)
    asks, ask_own = _side(view, Side.SELL, depth)
    rungs = []
    for at in range(max(len(bids), len(asks))):
        bid = bids[at] if at < len(bids) else None
        ask = asks[at] if at < len(asks) else None
        rungs.append(_Rung(bid, bid_own.get(bid[0], "") if bid else "", ask, ask_own.get(ask[0], "") if ask else ""))
    return rungs


def _side(view: MarketView, side: Side, depth: int) -> tuple[list[Level], dict[int, str]]:
    """The best levels of one side and every own order, best first; our quantity by ticks."""
    market = view.instrument
    own = _own(view.orders, market, side)
    levels: dict[int, int | None] = dict.fromkeys(own)
    best = _told(view, side, depth)
    book: OrderBook | None = view.fed("book")
    for ticks in own:
        if book is not None and (size := book.size(side, ticks)):
            levels[ticks] = size
    for ticks, units in best[: max(1, depth - len(own.keys() - {ticks for ticks, _ in best}))]:
        levels[ticks] = units
    ordered = sorted(levels.items(), reverse=side is Side.BUY)
    return ordered[:depth], own


def _told(view: MarketView, side: Side, depth: int) -> list[tuple[int, int | None]]:
    """What the strategy hears of the market: its book, else the best quote."""
    book: OrderBook | None = view.fed("book")
    if book is not None and (prices := book.prices(side)):
        best = prices[: -depth - 1 : -1] if side is Side.BUY else prices[:depth]
        return [(ticks, book.size(side, ticks)) for ticks in best]
    quote: Quote | None = view.fed("last_quote")
    if quote is None:
        return []
    price, qty = (quote.bid, quote.bid_qty) if side is Side.BUY else (quote.ask, quote.ask_qty)
    if isnan(price):
        return []
    return [(view.instrument.ticks(price), None if isnan(qty) else view.instrument.units(qty))]


def _own(orders: Sequence[Order], market: Instrument, side: Side) -> dict[int, str]:
    """What we have at each price; a question mark where it is not known whether the order stands."""
    found: dict[int, float] = {}
    doubt: set[int] = set()
    for order in orders:
        if order.side is side and order.price is not None:
            ticks = market.ticks(order.price)
            found[ticks] = found.get(ticks, 0) + order.remaining
            if order.status is OrderStatus.UNKNOWN:
                doubt.add(ticks)
    return {ticks: grid_text(qty, market.lot_size) + "?" * (ticks in doubt) for ticks, qty in found.items()}


def _ladder(market: Instrument, rungs: Sequence[_Rung], columns: int) -> Iterator[Text]:
    """Bids left, asks right; our quantity stands outside, and the price of an own order is marked."""
    rows = []
    for rung in rungs:
        bid, bid_qty = _level(market, rung.bid)
        ask, ask_qty = _level(market, rung.ask)
        rows.append((rung.bid_own, bid_qty, bid, ask, ask_qty, rung.ask_own))
    heads = ("own", "qty", "bid", "ask", "qty", "own")
    wide = [max(len(head), *(len(row[at]) for row in rows)) for at, head in enumerate(heads)]
    gap = "  " if columns >= NARROW else " "
    if columns >= NARROW:
        wide = [max(least, one) for least, one in zip((8, 11, 9, 9, 11, 8), wide, strict=True)]
    yield Text(_row(heads, wide, gap), style=_DIM)
    for row in rows:
        text = Text(_row(row, wide, gap))
        starts = [sum(wide[:at]) + at * len(gap) for at in range(7)]
        for own, price in ((0, 2), (5, 3)):
            if row[own]:
                text.stylize(_OWN, starts[own], starts[own] + wide[own])
                text.stylize(_OWN, starts[price], starts[price] + wide[price])
            elif row[price]:
                text.stylize(_UP if price == 2 else _DOWN, starts[price], starts[price] + wide[price])
        yield text


def _row(cells: Sequence[str], wide: Sequence[int], gap: str) -> str:
    """One row, every cell flush right: digits of one column stand under each other."""
    return gap.join(f"{cell:>{size}}" for cell, size in zip(cells, wide, strict=True))


def _level(market: Instrument, level: Level | None) -> tuple[str, str]:
    if level is None:
        return "", ""
    ticks, units = level
    qty = "" if units is None else grid_text(market.unit_size * units, market.lot_size)
    return grid_text(market.tick_size * ticks, market.tick_size), qty


def _mean(price: float, market: Instrument) -> str:
    """A price that need not be on the grid, with a digit more than the grid has."""
    if isnan(price):
        return "?"
    return grid_text(price, market.tick_size) if market.is_on_tick(price) else grid_text(price, market.tick_size / 10)


# -- pieces


def _failure(host: Host, columns: int) -> Iterator[Text]:
    if host.failure is None:
        return
    state = "STOPPED" if host.stopped else f"failed {host.failures} times, goes on"
    message = clean(f"{host.name} {state}: {host.failure.message.removeprefix(f'strategy {host.name}: ')}")
    for line in textwrap.wrap(message, columns - 2, max_lines=_MOST_LINES, placeholder=" ..."):
        yield _bar(f" {line} ", _ALARM if host.stopped else _CARE, columns)


def _item(item: Item, columns: int, only: str) -> list[Text]:
    """One line; what was refused, logged or printed goes on in the next ones where it is long.

    :param only: the symbol of the only market there is, which need not be said each time.
    """
    said, word = clean(item.text), _WORDS.get(item.kind, item.kind)
    if said.startswith(f"{word}["):
        word = ""  # an error of hbkit's own says what it is
    if only and item.kind not in _TOLD:
        said = said.replace(f" {only}", "", 1)
    text = _styled(f"{iso(item.ts)[11:19]} ", _DIM)
    style = _STYLES.get(item.kind, "")
    if item.kind in _LONG:
        room = columns - _MARGIN
        whole = textwrap.wrap(f"{word} {said}".lstrip(), room, max_lines=_MOST_LINES, placeholder=" ...")
        first, *rest = whole or [""]
        return [text.append(first, style=style), *(Text(" " * _MARGIN).append(one, style=style) for one in rest)]
    text.append(f"{word} " if word else "", style=style)
    text.append(said, style="" if item.kind in _FILLS else style)
    for part in _fitting(item.more, columns - len(text)):
        text.append(f" · {part}", style=_UP if part.startswith("realized") and "-" not in part else _DIM)
    return [_cropped(columns)(text)]


def _styled(text: str, style: str) -> Text:
    """The beginning of a line: its style is not that of what is put behind it."""
    return Text().append(text, style=style)


def _rule(title: str, columns: int) -> Text:
    text = f"─ {title} " if title else ""
    return Text(text + "─" * (columns - len(text)), style=_DIM)


def _bar(text: str, style: str, columns: int) -> Text:
    return Text(f"{text:<{columns}}"[:columns], style=style)


def _cropped(columns: int) -> Callable[[Text], Text]:
    def crop(text: Text) -> Text:
        text.no_wrap = True
        text.truncate(columns, overflow="crop")
        return text

    return crop


def _fitting(parts: Sequence[str], room: int) -> Iterator[str]:
    """The first parts that fit, each with a separator of three before it."""
    for part in parts:
        room -= len(part) + 3
        if room < 0:
            return
        yield part


def _packed(parts: Sequence[str], columns: int) -> list[str]:
    """All parts, in two lines at most."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + 3 + len(part) <= columns:
            lines[-1] += f" · {part}"
        else:
            lines.append(part)
    return lines[:2]


def _clock_text(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
