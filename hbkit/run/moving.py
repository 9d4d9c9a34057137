"""What would change if an exchange block of a config were another exchange's: found out before any money moves.

    move = moved(plan, "main", plugins.exchange("ccxt:okx"), Asking(may_ask=False))
    move.markets[0].there          # BTC-USD-SWAP, found by its unified symbol
    move.faults                    # what makes it impossible, each with its place in the config

Nothing is sent, except that an exchange which has to be asked for its instruments is asked where it may be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hbkit.clock import HOUR, parse_duration
from hbkit.config.settings import Margin, Paper, Replay, Simulator
from hbkit.errors import ExchangeError, Fault
from hbkit.exchange import Channel, ExchangeSpec
from hbkit.model import Instrument
from hbkit.model.instrument import plain
from hbkit.model.symbols import common_code, meant, nearest_market, parse_unified
from hbkit.run.listing import Asking, ambiguous, by_symbol, instruments_of, unknown
from hbkit.run.needs import REAL, missing_orders
from hbkit.run.plan import ExchangePlan, Plan, StrategyPlan
from hbkit.run.terms import check_terms
from hbkit.trading.limits import least_qty

_QUANTITY = re.compile(r"(?:^|_)(?:qty|quantity|size|amount|contracts|lots|inventory|position)(?:_|$)")
"""Parameters that are quantities by their name."""


@dataclass(frozen=True)
class Row:
    """One thing of a market, here and there."""

    name: str
    here: str
    there: str

    @property
    def changes(self) -> bool:
        """Whether the two differ."""
        return self.here != self.there


@dataclass(frozen=True)
class Quantity:
    """A number in the config that is a quantity: what it means here, and what it would mean there."""

    path: str
    """Where it stands: `strategies.maker.params.qty`."""
    value: str
    here: str
    there: str
    alike: str
    """What to write there for as much as here: a number, or how to work it out; empty where it is the same."""
    problem: str = ""
    """Why it could not be ordered there as it is."""


@dataclass(frozen=True)
class Market:
    """An instrument of a strategy, and what would be traded in its place."""

    strategy: str
    here: Instrument
    there: Instrument | None
    is_same: bool
    """Whether it is there under its unified symbol; otherwise `there` only comes closest."""
    rows: tuple[Row, ...] = ()
    quantities: tuple[Quantity, ...] = ()


@dataclass
class Move:
    """An exchange block and another exchange in its place."""

    block: str
    here: ExchangePlan
    there: ExchangePlan
    markets: list[Market] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    """What has to be changed in the config, and what to know, sentence by sentence."""
    faults: list[Fault] = field(default_factory=list)
    """What makes it impossible."""


def moved(plan: Plan, block: str, spec: ExchangeSpec, asking: Asking) -> Move:
    """What would change if `block` were `spec`.

    Raises ExchangeError where the other exchange's instruments are neither known nor may be asked for.
    """
    here = plan.exchanges[block]
    mode = here.mode if here.mode in spec.modes else _likest(here.mode, spec)
    # What belongs to the old venue is left out: `_keys` tells of it.
    gone = {"rest_url": None, "ws_url": None, "simulator": Simulator(), "paper": Paper(), "replay": Replay()}
    there = ExchangePlan(block, here.settings.model_copy(update={**gone, "plugin": spec.name}), spec, mode)
    feed, host = there.listed_at
    if there.is_closed and feed != "simulator":
        raise ExchangeError(f"{spec.advice} Nothing was sent.", code="HB437")
    there.instruments = by_symbol(block, instruments_of(spec, feed=feed, rest_url=host, asking=asking))
    return _Mover(plan, Move(block, here, there)).move()


def _likest(mode: str, spec: ExchangeSpec) -> str:
    """The mode that stands for one which is not there: none that takes more of the user than the one it had."""
    order = {"simulator": ("paper", "testnet", "replay"), "testnet": ("paper", "replay")}.get(mode, ("paper", "replay"))
    return next((one for one in order if one in spec.modes), spec.modes[0])


class _Mover:
    def __init__(self, plan: Plan, move: Move) -> None:
        self._plan = plan
        self._config = plan.config
        self._move = move
        self._spec = move.there.spec
        serves = self._spec.serves
        every = list(move.there.instruments.values())
        self._every = every
        self._served = [one for one in every if serves is None or serves(one)]

    def move(self) -> Move:
        move = self._move
        self._modes()
        strategies = [(at, one) for at, one in enumerate(self._plan.strategies) if self._markets_of(one)]
        for at, strategy in strategies:
            found = [self._market(at, strategy, market) for market in self._markets_of(strategy)]
            move.markets += found
            if any(one.there is not None for one in found):
                self._needs(at, strategy)
        self._terms()
        self._keys()
        self._money()
        return move

    def _markets_of(self, strategy: StrategyPlan) -> list[Instrument]:
        return [one for one in strategy.markets if one.exchange == self._move.block]

    def _fault(self, code: str, message: str, *keys: str | int) -> None:
        self._move.faults.append(self._config.fault(code, message, *keys))

    def _say(self, text: str) -> None:
        if text not in self._move.changes:
            self._move.changes.append(text)

    # -- markets

    def _market(self, at: int, strategy: StrategyPlan, here: Instrument) -> Market:
        there, is_same = self._found(at, here)
        if there is None:
            return Market(strategy.name, here, None, False)
        self._symbols(at, here, there, is_same)
        if here.is_spot != there.is_spot:
            what = "spot: nothing can be sold that is not owned, and there is no leverage"
            self._say(f"{there.unified} is {what if there.is_spot else 'a contract: positions, margin and funding'}")
        elif here.settle.code != there.settle.code and not _alias(here.settle.code, there):
            self._say(
                f"{there.unified} settles in {there.settle.code}, {here.unified} in {here.settle.code}: "
                f"profit, fees and margin are counted in {there.settle.code}"
            )
        if here.is_inverse != there.is_inverse:
            word = {True: "inverse", False: there.kind.value if not there.is_spot else "no contract"}[there.is_inverse]
            self._say(f"{there.unified} is {word}, {here.unified} is {here.kind.value}: its value moves otherwise")
        quantities = tuple(self._quantities(at, here, there))
        for one in quantities:
            if one.alike:
                self._say(f"{one.path}: {one.value} is {one.there} there; for as much as here write {one.alike}")
            if one.problem:
                self._say(f"{one.path}: {one.value} is {one.problem}")
        rows = tuple(row for row in _rows(here, there) if row.here or row.there)
        return Market(strategy.name, here, there, is_same, rows, quantities)

    def _found(self, at: int, here: Instrument) -> tuple[Instrument | None, bool]:
        """What would be traded there: by the unified symbol, else what comes closest on the same asset."""
        keys = ("strategies", at, "instruments", self._index(at, here))
        name = self._spec.name
        found = meant(here.unified, self._served)
        if len(found) > 1:
            self._fault("HB401", ambiguous(name, here.unified, found), *keys)
            return None, False
        if found:
            return found[0], True
        if meant(here.unified, self._every) and self._spec.elsewhere:
            kind = "spot" if here.is_spot else "a contract"
            self._fault("HB403", f"{here.unified} is {kind}; use the exchange {self._spec.elsewhere} for it", *keys)
            return None, False
        wanted = parse_unified(here.unified)
        near = nearest_market(wanted, self._served) if wanted is not None else None
        if near is None:
            self._fault("HB401", unknown(name, here.unified, self._served), *keys)
        elif near.is_spot and not here.is_spot and not any(not one.is_spot for one in self._served):
            self._fault("HB401", unknown(name, here.unified, self._served), *keys)
            near = None
        return near, False

    def _index(self, at: int, market: Instrument) -> int:
        """Which entry of `instruments` named it."""
        chosen = self._plan.strategies[at].settings.instruments
        return next((index for index, one in enumerate(chosen) if one.symbol in (market.symbol, market.unified)), 0)

    def _symbols(self, at: int, here: Instrument, there: Instrument, is_same: bool) -> None:
        written = self._plan.strategies[at].settings.instruments[self._index(at, here)].symbol
        name = self._plan.strategies[at].name
        if not is_same:
            self._say(f"{name}: {here.unified} is not there; {there.unified} comes closest: write it in instruments")
        elif written not in (there.symbol, there.unified):
            self._say(f"{name}: write instruments: [{there.unified}] in place of {written}")

    def _quantities(self, at: int, here: Instrument, there: Instrument) -> Iterator[Quantity]:
        strategy = self._plan.strategies[at]
        named = {f"strategies.{strategy.name}.params.{name}": value for name, value in strategy.values.items()
                 if _QUANTITY.search(name)}  # fmt: skip
        risk = self._config.settings.risk
        named |= {"risk.max_position": risk.max_position, "risk.max_order_qty": risk.max_order_qty}
        block = self._config.settings.exchanges.get(here.exchange)
        if block is not None:
            above = f"exchanges.{here.exchange}.risk"
            named |= {
                f"{above}.max_position": block.risk.max_position, f"{above}.max_order_qty": block.risk.max_order_qty,
            }  # fmt: skip
        for path, value in named.items():
            if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
                continue
            qty = Decimal(str(value))
            if qty.is_finite() and qty > 0:
                problem = "" if path.startswith(("risk.", "exchanges.")) else _problem(qty, there)
                yield Quantity(
                    path, plain(qty), _worth(qty, here), _worth(qty, there), _alike(qty, here, there), problem
                )

    # -- what strategies ask for

    def _needs(self, at: int, strategy: StrategyPlan) -> None:
        offered = self._spec.capabilities
        name, there = self._spec.name, self._move.there
        if there.mode != "replay":
            wanted = frozenset().union(*(strategy.channels_of(one) for one in self._markets_of(strategy)))
            for channel in sorted(wanted - offered.channels):
                message = f"{strategy.name} listens to {channel}, which {name} does not tell"
                self._fault("HB506", message, "strategies", at, "use")
            native = offered.candle_intervals
            for interval in strategy.intervals if Channel.CANDLE in strategy.needs and native else ():
                if not any(parse_duration(interval) % parse_duration(one) == 0 for one in native):
                    message = f"{strategy.name} needs {interval} candles, {name} has {', '.join(native)}"
                    self._fault("HB506", message, "strategies", at, "candles")
        for what, words, certain in missing_orders(self._spec, strategy.cls, strategy.values):
            self._lack(at, strategy, what, words, certain)
        if not offered.amend and self._move.here.spec.capabilities.amend and there.mode in REAL:
            self._say(f"{name} cannot amend: quotes move by a cancel and a new order")

    def _lack(self, at: int, strategy: StrategyPlan, what: str, words: str, certain: bool) -> None:
        name, mode = self._spec.name, self._move.there.mode
        if what == "leverage" and all(one.is_spot for one in self._markets_of(strategy)):
            return
        if certain and mode in REAL:
            self._fault("HB414", f"{strategy.name} uses {words}, which {name} does not have", "strategies", at, "use")
        elif certain:
            self._say(f"{strategy.name} uses {words}: mode {mode} has them, {name} itself has not")
        else:
            self._say(f"{strategy.name} may use {words}, which {name} has not: such orders are refused")

    # -- the block

    def _modes(self) -> None:
        here, there = self._move.here, self._move.there
        name, block = self._spec.name, self._move.block
        written = here.settings.mode
        if block != name or here.settings.plugin is not None:
            self._say(f"exchanges.{block}: write plugin: {name}")
        if here.mode == there.mode:
            default = "simulator" if "simulator" in self._spec.modes else self._spec.modes[0]
            if written is None and default != there.mode:
                self._say(f"exchanges.{block}: write mode: {there.mode}; {name} would choose {default}")
            return
        what = "no sandbox (mode testnet)" if here.mode == "testnet" else f"no mode {here.mode}"
        engine = "; orders are then filled by hbkit's own engine" if there.mode == "paper" else ""
        self._say(f"exchanges.{block}: {name} has {what}; write mode: {there.mode}{engine}")

    def _terms(self) -> None:
        """Position mode, margin and leverage, against what is there in place of each market."""
        block, spec = self._move.there.settings, self._spec
        at = ("exchanges", self._move.block)
        markets = [one.there for one in self._move.markets if one.there is not None]
        for code, message, keys in check_terms(block, markets):
            self._fault(code, message, *at, *keys)
        if self._move.there.mode not in REAL:
            return
        if block.position_mode == "hedge" and not spec.capabilities.hedge_mode:
            self._fault("HB420", f"{spec.name} has no hedge mode; leave position_mode out", *at, "position_mode")
        if block.margin != Margin() and not spec.capabilities.leverage and any(not one.is_spot for one in markets):
            self._fault("HB414", f"{spec.name} takes no margin mode or leverage; leave margin out", *at, "margin")

    def _keys(self) -> None:
        """Keys of the block that mean something of the old venue, or nothing at the new one."""
        block, there = self._move.here.settings, self._move.there
        place = f"exchanges.{self._move.block}"
        for key in ("rest_url", "ws_url"):
            if getattr(block, key) is not None:
                self._say(f"{place}.{key} is an address of {self._move.here.spec.name}: leave it out")
        if block.simulator != Simulator() and not self._spec.simulator:
            self._say(f"{place}.simulator: {self._spec.name} has no simulator: leave it out")
        if block.paper.feed is not None and block.paper.feed not in ("live", "testnet") and not self._spec.simulator:
            self._say(f"{place}.paper.feed: {self._spec.name} has no simulator: leave it out")
        if block.replay.data or there.mode == "replay":
            self._data(place)
        if there.mode in ("testnet", "live"):
            kept = " (hbkit connect keeps one)" if self._spec.prompts else ""
            if block.api_key is not None:
                self._say(f"{place}.api_key: {self._spec.name} needs a key of its own{kept}")
            elif self._move.here.mode not in ("testnet", "live") or there.spec.prompts:
                self._say(f"{place}: {self._spec.name} needs a key: hbkit connect {self._spec.name}")
            wanted = {one.field for one in self._spec.prompts if not one.optional} - {"api_key", "api_secret"}
            for name in sorted(wanted):
                self._say(f"{place}: {self._spec.name} wants {name} with the key")

    def _data(self, place: str) -> None:
        data = self._move.here.settings.replay.data
        if isinstance(data, dict):
            names = {one.here.symbol: one.there.symbol for one in self._move.markets if one.there is not None}
            for symbol in data:
                if names.get(symbol, symbol) != symbol:
                    self._say(f"{place}.replay.data: write {names[symbol]} in place of {symbol}")
        elif not data and not self._spec.default_data:
            self._say(f"{place}: {self._spec.name} brings no recorded data; name a file: replay: {{data: FILE}}")

    def _money(self) -> None:
        """Starting balances of replay and paper, in the currencies of the new markets."""
        there = self._move.there
        if there.mode not in ("paper", "replay", "simulator"):
            return
        known = {one.settle.code for one in there.instruments.values()} | {
            one.base for one in there.instruments.values() if one.is_spot
        }
        place = f"exchanges.{self._move.block}.balances"
        given: Mapping[str, Any] = there.settings.balances
        for code in given:
            if code not in known:
                other = f"is {common_code(code)} there" if common_code(code) in known else "is not known there"
                self._say(f"{place}: {code} {other}")
        money = {common_code(code) for code in given} or set(there.spec.starting_balances)
        wanted = {one.there.settle.code for one in self._move.markets if one.there is not None}
        for code in sorted(wanted - money):
            self._say(f"{place}: trading there takes {code}; write balances: {{{code}: AMOUNT}}")


# -- one market


def _rows(here: Instrument, there: Instrument) -> Iterator[Row]:
    def pair(name: str, text: Any) -> Row:
        return Row(name, text(here), text(there))

    yield pair("symbol", lambda one: one.symbol)
    yield pair("unified", lambda one: one.unified)
    yield pair("qty counts", lambda one: one.unit_text)
    yield pair("tick", lambda one: plain(one.tick_size))
    yield pair("lot", lambda one: plain(one.lot_size))
    yield pair("least order", lambda one: one.least_text)
    yield pair("largest order", lambda one: "" if one.max_qty is None else plain(one.max_qty))
    yield pair("maker fee", lambda one: f"{plain(one.maker_fee * 100)} %")
    yield pair("taker fee", lambda one: f"{plain(one.taker_fee * 100)} %")
    yield pair("highest leverage", _leverage)
    yield pair("funding", lambda one: "" if one.is_spot or one.expiry else f"every {one.funding_interval / HOUR:g} h")


def _leverage(one: Instrument) -> str:
    return "" if one.is_spot or not one.init_margin else f"{float(1 / Fraction(one.init_margin)):g}"


def _worth(qty: Decimal, market: Instrument) -> str:
    """A quantity in words: `100 contracts of 1 USD, 100 USD`."""
    if market.is_spot:
        return f"{plain(qty)} {market.base}"
    many = f"{plain(qty)} {market.unit_text.replace('contract', 'contracts' if qty != 1 else 'contract', 1)}"
    size = _size(market)
    return many if size is None or size == 1 else f"{many}: {plain(qty * size)} {_counted(market)}"


def _size(market: Instrument) -> Decimal | None:
    """How much of a currency a quantity of 1 is; None for a quanto contract, whose worth is in neither of its two."""
    if market.is_spot:
        return Decimal(1)
    if market.kind.value == "quanto":
        return None
    return abs(market.multiplier).scaleb(-market.settle.scale)


def _counted(market: Instrument) -> str:
    return market.quote if market.is_inverse else market.base


def _alike(qty: Decimal, here: Instrument, there: Instrument) -> str:
    """What to write there for as much as `qty` is here."""
    mine, theirs = _size(here), _size(there)
    if mine is None or theirs is None or not theirs:
        return "" if here.unit_text == there.unit_text else "(a quanto contract has no size of its own)"
    if here.is_inverse == there.is_inverse:
        return "" if mine == theirs else plain(_short(qty * mine / theirs))
    if here.is_inverse:
        return f"{plain(qty * mine)} / (price * {plain(theirs)})"
    return f"{plain(_short(qty * mine / theirs))} * price"


def _problem(qty: Decimal, there: Instrument) -> str:
    least = least_qty(there)
    if qty < least:
        return f"below the least order of {plain(least)}"
    rest = qty % there.lot_size
    return f"no multiple of the lot of {plain(there.lot_size)}: sent as {plain(qty - rest)}" if rest else ""


def _short(number: Decimal) -> Decimal:
    """At most twelve digits: what a division leaves behind them is noise."""
    return Decimal(f"{number:.12g}")


def _alias(code: str, there: Instrument) -> bool:
    """Whether a currency has only another name there: XBT is BTC."""
    return common_code(code) == common_code(there.settle.code)


def block_of(plan: Plan, text: str) -> tuple[str, str]:
    """Block and exchange that `--exchange` names: `ccxt:okx` where there is one block, else `BLOCK=ccxt:okx`.

    Raises ValueError with what is there.
    """
    block, equals, name = text.partition("=")
    if not equals:
        if len(plan.exchanges) == 1:
            return next(iter(plan.exchanges)), text
        known = ", ".join(f"{one}={text}" for one in plan.exchanges)
        raise ValueError(f"this config has {len(plan.exchanges)} exchange blocks; say which one: {known}")
    if block not in plan.exchanges:
        raise ValueError(f'this config has no exchange block "{block}"; it has {", ".join(plan.exchanges)}')
    return block, name
