"""One exchange looked at by hand: no strategy, no journal, nothing kept; opened, asked, and let go of.

    plan = plan_visit("bitmex_perpetual", Plugins(), url="http://127.0.0.1:8080")
    async with visit(plan) as there:
        book = await there.book(await there.market("XBTUSD"))

It is reached as a run would reach it: by its block of a config, at a simulator that runs, or at one that is started for
as long as the visit lasts.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from hbkit.chance import Chance
from hbkit.clock import ShiftedClock, parse_duration
from hbkit.config import Config
from hbkit.config.settings import Exchange as Settings
from hbkit.config.settings import State, implied_mode
from hbkit.data.candles import inner_interval, resampled
from hbkit.errors import ConfigError, ExchangeError, HbkitError, UsageError, did_you_mean
from hbkit.exchange import Channel, Exchange, unheard
from hbkit.model import Candle, Instrument, Mark, OrderBook, PositionMode, PositionModeChange, Side
from hbkit.model.symbols import meant
from hbkit.plugins import Plugins
from hbkit.run.connections import Connections
from hbkit.run.ground import Ground, RealGround
from hbkit.run.listing import FOLDER, Asking, ambiguous, by_symbol, instruments_of, unknown
from hbkit.run.market_clock import read_clock
from hbkit.run.needs import no_mode
from hbkit.run.plan import ExchangePlan

ANSWER_SECONDS = 10.0
"""How long the first word of a channel may take."""


@dataclass(frozen=True)
class BookTop:
    """The best levels of a book at one moment, in ticks and units, best first."""

    ts: int
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]


# -- what is visited


def plan_visit(
    name: str,
    plugins: Plugins,
    config: Config | None = None,
    url: str | None = None,
    *,
    afresh: bool = False,
    warn: Callable[[str], None] = unheard,
) -> ExchangePlan:
    """Where and how `name` is reached. Raises ConfigError with the mend, ExchangeError where it tells no instruments.

    :param config: its block of that name is used, or the only one that has it as its plugin.
    :param url: base of a simulator that runs. With neither, one is started.
    :param afresh: an exchange whose instruments have to be asked for is asked now, whatever is kept of it.
    :param warn: told what the user should know of that.
    """
    block = Settings() if config is None else _block(name, config, plugins)
    spec = plugins.exchange(block.plugin or name)
    if url is not None:
        mode, block = "simulator", Settings.model_validate({"simulator": {"url": url}})
    else:
        # Before a run chooses it takes the same steps: the block's word, the name's, the plugin's.
        mode = block.mode or implied_mode(name) or ("simulator" if "simulator" in spec.modes else spec.modes[0])
        if mode not in spec.modes:
            raise ConfigError(no_mode(spec, mode), code="HB205")
    plan = ExchangePlan(name, block, spec, mode)
    feed, host = plan.listed_at
    folder = Path(config.settings.state.dir if config is not None else State().dir) / FOLDER
    asking = Asking(folder=folder, now=afresh, warn=warn)
    plan.instruments = by_symbol(name, instruments_of(spec, feed=feed, rest_url=host, asking=asking))
    return plan


def served(plan: ExchangePlan) -> list[Instrument]:
    """The instruments of this name: spot here, contracts there."""
    serves = plan.spec.serves
    return [one for one in plan.instruments.values() if serves is None or serves(one)]


def instrument_of(plan: ExchangePlan, symbol: str) -> Instrument:
    """The instrument of a native or unified symbol. Raises UsageError with the nearest one, or the name to use."""
    mine = served(plan)
    alike = meant(symbol, plan.instruments.values())
    alike = [one for one in alike if one in mine] or alike
    if len(alike) > 1:
        raise UsageError(ambiguous(plan.name, symbol, alike), code="HB401")
    if not alike:
        raise UsageError(unknown(plan.name, symbol, mine), code="HB401")
    (found,) = alike
    if found not in mine:
        kind = "spot" if found.is_spot else "a contract"
        raise UsageError(f"{symbol} is {kind}; use the exchange {plan.spec.elsewhere} for it", code="HB403")
    return found


def check_visit(plan: ExchangePlan, *, account: bool) -> None:
    """Whether there is somebody to ask. Raises UsageError with the mend.

    :param account: the account is going to be asked for.
    """
    name = plan.name
    if not plan.spec.connector:
        raise UsageError(f"{name} can only be replayed: its plugin brings nothing that speaks to an exchange")
    if plan.mode == "replay":
        raise UsageError(f"{name} is in mode replay, which has no exchange to ask; leave --config out, or give --url")
    if plan.mode == "paper" and account:
        raise UsageError(f"the account of {name} is kept by its run (mode paper): there is none to ask outside of it")


def _block(name: str, config: Config, plugins: Plugins) -> Settings:
    for wanted in config.settings.plugins.load:
        plugins.load(str(config.resolve(wanted)) if wanted.endswith(".py") else wanted)
    blocks = config.settings.exchanges
    named = [one for one in blocks.values() if one.plugin == name]
    block = blocks.get(name) or (named[0] if len(named) == 1 else None)
    if block is None:
        mend = did_you_mean(name, config.settings.exchanges, what="it has")
        raise UsageError(f'{config.path} has no exchange "{name}"; {mend}')
    return block


# -- the visit


class Visit:
    """An exchange that is open; see `visit`."""

    def __init__(self, plan: ExchangePlan, exchange: Exchange, ear: _Ear, clock: ShiftedClock) -> None:
        self.plan = plan
        self.exchange = exchange
        self.clock = clock
        """The market's time."""
        self._ear = ear

    async def market(self, symbol: str) -> Instrument:
        """An instrument that is listed there now. Raises UsageError with those that are."""
        instrument = instrument_of(self.plan, symbol)
        listed = await self.exchange.listed()
        if instrument.symbol not in listed:
            here = [one.symbol for one in served(self.plan) if one.symbol in listed]
            raise UsageError(
                f"{instrument} is not listed at {self.plan.name} now; listed: {', '.join(here) or 'none'}", code="HB401"
            )
        return instrument

    async def book(self, instrument: Instrument, depth: int) -> BookTop:
        """The book as it is told first."""
        self.exchange.subscribe(instrument, Channel.BOOK)
        book: OrderBook = await self._ear.first(Channel.BOOK, instrument)
        return BookTop(self.clock.now(), _levels(book, Side.BUY, depth), _levels(book, Side.SELL, depth))

    async def candles(
        self, instrument: Instrument, interval: str, *, start: int | None, end: int | None, last: int
    ) -> list[Candle]:
        """Closed candles, oldest first: from `start` to `end` (None for now), or the `last` ones before `end`.

        An interval that the exchange does not offer is put together from one that it does.
        """
        length = parse_duration(interval)
        stop = self.clock.now() if end is None else end
        stop -= stop % length
        if start is None:
            start = stop - last * length
        first = -(-start // length) * length
        inner = inner_interval(interval, self.exchange.capabilities.candle_intervals)
        found = await self.exchange.candles(instrument, inner, first, stop)
        return resampled(found, instrument, inner, interval)

    async def switch_mode(self, mode: PositionMode) -> PositionModeChange:
        """Ask for a position mode; returns the exchange's answer. Raises ExchangeError when none comes."""
        answer = self._ear.next_change()
        self.exchange.set_position_mode(mode)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answer
        except TimeoutError:
            raise ExchangeError(
                f"{self.plan.name} told nothing of its position mode within {ANSWER_SECONDS:g} s", code="HB432"
            ) from None

    async def price(self, instrument: Instrument) -> float | None:
        """What positions are valued at now; None where the exchange does not tell."""
        if self.exchange.reference_price(instrument) is None and not instrument.is_spot:
            self.exchange.subscribe(instrument, Channel.MARK)
            with contextlib.suppress(ExchangeError):
                await self._ear.first(Channel.MARK, instrument)
        return self.exchange.reference_price(instrument)


@contextlib.asynccontextmanager
async def visit(plan: ExchangePlan, *, account: bool = False, ground: Ground | None = None) -> AsyncIterator[Visit]:
    """Open the exchange of `plan`; all that was started or connected for it ends with the block.

    :param account: the account is going to be asked for, so there must be a key.
    """
    check_visit(plan, account=account)
    ground = ground or RealGround()
    clock = ShiftedClock(ground.clock, ground.clock.now())
    ear = _Ear(plan.name)
    async with AsyncExitStack() as stack:
        connections = Connections({plan.name: plan}, ground, Chance(ground.clock.now()), clock, ear.lost, seed=0)
        address = (await connections.open(stack))[plan.name]
        if plan.feed == "simulator":
            base = address.rest.removesuffix(plan.spec.simulator_routes[0])
            async with aiohttp.ClientSession(connector=ground.connector()) as http:
                await read_clock(http, base, clock)
        exchange = connections.connector(plan, address, silent=not account)
        stack.push_async_callback(exchange.shut)
        await exchange.open(ear)
        yield Visit(plan, exchange, ear, clock)


def _levels(book: OrderBook, side: Side, depth: int) -> list[tuple[int, int]]:
    prices = book.prices(side)
    best: Sequence[int] = prices[: -depth - 1 : -1] if side is Side.BUY else prices[:depth]
    return [(ticks, book.size(side, ticks)) for ticks in best]


class _Ear:
    """A listener that waits for the first word of a channel and passes over all else."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: dict[tuple[Channel, str], asyncio.Future[Any]] = {}
        self._lost: HbkitError | None = None
        self._change: asyncio.Future[PositionModeChange] | None = None

    async def first(self, channel: Channel, instrument: Instrument) -> Any:
        """The next value of a channel. Raises ExchangeError when none comes, or the connection is lost."""
        if self._lost is not None:
            raise self._lost
        answer = self._waiting.setdefault((channel, instrument.symbol), asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answer
        except TimeoutError:
            raise ExchangeError(
                f"{self._name} told no {channel} of {instrument} within {ANSWER_SECONDS:g} s", code="HB432"
            ) from None
        finally:
            self._waiting.pop((channel, instrument.symbol), None)

    def next_change(self) -> asyncio.Future[PositionModeChange]:
        """The next word on the position mode."""
        if self._lost is not None:
            raise self._lost
        self._change = asyncio.get_running_loop().create_future()
        return self._change

    def lost(self, error: HbkitError) -> None:
        """The connection is gone for good: nobody waits any longer."""
        self._lost = error
        for answer in (*self._waiting.values(), *((self._change,) if self._change is not None else ())):
            if not answer.done():
                answer.set_exception(error)

    def on_book(self, book: OrderBook) -> None:
        """The book changed."""
        self._tell(Channel.BOOK, book.instrument, book)

    def on_mark(self, mark: Mark) -> None:
        """The mark price changed."""
        self._tell(Channel.MARK, mark.instrument, mark)

    def on_position_mode(self, change: PositionModeChange) -> None:
        """The account's position mode changed, or did not."""
        if self._change is not None and not self._change.done():
            self._change.set_result(change)

    def _tell(self, channel: Channel, instrument: Instrument, value: Any) -> None:
        answer = self._waiting.get((channel, instrument.symbol))
        if answer is not None and not answer.done():
            answer.set_result(value)

    def _pass_over(self, *_: Any) -> None:
        """Nobody asked."""

    on_trade = on_quote = on_candle = on_funding = on_order = on_fill = on_balance = _pass_over
    on_connected = on_disconnected = _pass_over
