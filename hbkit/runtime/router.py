"""From an exchange's events to book-keeping, callbacks and journal: the one listener of every run.

Who hears what is settled before the first event; after that an event costs a table lookup and a direct call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from hbkit.data.journal import Journal
from hbkit.exchange import Channel, Exchange, Listener
from hbkit.model import (
    Balance,
    Candle,
    Execution,
    ExecutionKind,
    Fill,
    Funding,
    Instrument,
    Mark,
    Order,
    OrderBook,
    OrderReport,
    Position,
    PositionModeChange,
    Quote,
    Trade,
    Wallet,
)
from hbkit.runtime.division import divided
from hbkit.runtime.host import RAISED, Host
from hbkit.trading.ledger import Ledger
from hbkit.trading.seen import Seen
from hbkit.trading.view import MarketView

_CALLBACKS = {
    Channel.TRADE: "on_trade",
    Channel.QUOTE: "on_quote",
    Channel.BOOK: "on_book",
    Channel.CANDLE: "on_candle",
    Channel.MARK: "on_mark",
    Channel.FUNDING: "on_funding",
}


class _Seat:
    """One strategy's place at one market."""

    __slots__ = ("call", "host", "view")

    def __init__(self, host: Host, view: MarketView, call: Callable[[Any], None] | None) -> None:
        self.host = host
        self.view = view
        self.call = call


class Record(Protocol):
    """Who keeps what a report will show."""

    def order(self, ts: int, host: Host, order: Order) -> None:
        """News of an order."""

    def execution(self, host: Host | None, execution: Execution, realized: int) -> None:
        """A movement of position or money."""


class _Ear:
    """The Listener that one exchange talks to: the router's own methods, and whose balance it is that changed."""

    def __init__(self, router: Router, exchange: str) -> None:
        self.on_trade = router.on_trade
        self.on_quote = router.on_quote
        self.on_book = router.on_book
        self.on_candle = router.on_candle
        self.on_mark = router.on_mark
        self.on_funding = router.on_funding
        self.on_order = router.on_order
        self.on_fill = router.on_fill
        self.on_position_mode = router.on_position_mode
        self.on_connected = router.on_connected
        self.on_disconnected = router.on_disconnected
        self._router = router
        self._exchange = exchange

    def on_balance(self, wallet: Wallet) -> None:
        """One currency of this exchange's account changed."""
        self._router.on_balance(self._exchange, wallet)


class Router:
    """Hands on what the exchanges of a run tell."""

    def __init__(
        self, exchanges: Mapping[str, Exchange], journal: Journal, record: Record, mode_hook: Callable[..., Any]
    ) -> None:
        self.ledgers = {name: Ledger() for name in exchanges}
        """The books of each account, kept from every execution on it."""
        self.begun = True
        """False until the strategies begin: what is booked before is of an earlier run, written down and not told."""
        self.blind: set[str] = set()
        """Exchanges that cannot be seen at the moment, or whose books are being compared: no new exposure there."""
        self.on_money: Callable[[], None] | None = None
        """Called after each movement of money; the session watches the drawdown here."""
        self.on_lost: Callable[[OrderReport], None] | None = None
        """Called with the report of a request whose answer was lost; somebody has to look it up."""
        self.is_next_candle: Callable[[Candle], bool] | None = None
        """Asked of each candle over a network: whether it follows the one before, or has to wait, or was told."""
        self.on_connection: Callable[[str, bool], None] | None = None
        """Called when an exchange is there again (True) or is gone; strategies hear of it by `tell_connected`."""
        self._exchanges = dict(exchanges)
        self._journal = journal
        self._record = record
        self._mode_hook = mode_hook
        self._seen = Seen()
        self._hosts: list[Host] = []
        self._owners: dict[str, Host] = {}
        self._seats: dict[Channel, dict[Instrument, list[_Seat]]] = {channel: {} for channel in Channel}
        self._trade_seats, self._candle_seats = self._seats[Channel.TRADE], self._seats[Channel.CANDLE]

    # -- seating

    def seat(self, host: Host, views: Sequence[MarketView], needs: frozenset[Channel], prefix: str) -> None:
        """Give a strategy its places; order ids that begin with `prefix` are its own."""
        self._hosts.append(host)
        self._owners[prefix] = host
        for view in views:
            for channel in needs:
                name = _CALLBACKS[channel]
                call = getattr(host.strategy, name) if host.defines(name) else None
                self._seats[channel].setdefault(view.instrument, []).append(_Seat(host, view, call))

    def unseat(self, host: Host) -> None:
        """A stopped strategy hears no market data any more."""
        for table in self._seats.values():
            for instrument, seats in table.items():
                table[instrument] = [seat for seat in seats if seat.host is not host]

    def listener(self, exchange: str) -> Listener:
        """What an exchange of that name is to be connected to."""
        return _Ear(self, exchange)

    # -- market data

    def on_trade(self, trade: Trade) -> None:
        """A public trade."""
        for seat in self._trade_seats.get(trade.instrument, ()):
            seat.view.last_trade = trade
            # As `_tell`, which would be one call more for each of a million rows; so with candles.
            if seat.call is not None and not seat.host.stopped:
                try:
                    seat.call(trade)
                except RAISED as error:
                    seat.host.failed("on_trade", trade, error)

    def on_quote(self, quote: Quote) -> None:
        """The best bid or ask changed."""
        for seat in self._seats[Channel.QUOTE].get(quote.instrument, ()):
            seat.view.last_quote = quote
            if seat.call is not None:
                self._tell(seat, seat.call, "on_quote", quote)

    def on_book(self, book: OrderBook) -> None:
        """The book changed."""
        for seat in self._seats[Channel.BOOK].get(book.instrument, ()):
            shown = seat.view.follow(book)
            if seat.call is not None:
                self._tell(seat, seat.call, "on_book", shown)

    def on_candle(self, candle: Candle) -> None:
        """A candle closed."""
        if self.is_next_candle is None or self.is_next_candle(candle):
            self.tell_candle(candle)

    def tell_candle(self, candle: Candle) -> None:
        """Hand a candle on, the next one of its row: to what follows it, then to on_candle."""
        for seat in self._candle_seats.get(candle.instrument, ()):
            try:
                if not seat.view.remember(candle):
                    continue
            except RAISED as error:  # an indicator of the user's own
                seat.host.failed("indicator", candle, error)
            if seat.call is not None and not seat.host.stopped:
                try:
                    seat.call(candle)
                except RAISED as error:
                    seat.host.failed("on_candle", candle, error)

    def on_mark(self, mark: Mark) -> None:
        """The mark price changed."""
        for seat in self._seats[Channel.MARK].get(mark.instrument, ()):
            seat.view.mark_price = mark.price
            if seat.call is not None:
                self._tell(seat, seat.call, "on_mark", mark)

    def on_funding(self, funding: Funding) -> None:
        """A funding took place."""
        for seat in self._seats[Channel.FUNDING].get(funding.instrument, ()):
            if seat.call is not None:
                self._tell(seat, seat.call, "on_funding", funding)

    # -- orders and money

    def on_order(self, report: OrderReport) -> None:
        """News of an order of ours."""
        host = self._owner(report.id)
        if host is None:
            return
        if report.lost and self.on_lost is not None:
            self.on_lost(report)
        order = host.trader.on_report(report)
        if order is not None:
            self._news(report.ts, host, order)

    def on_fill(self, execution: Execution) -> None:
        """An execution of ours."""
        if not self._seen.is_new((execution.instrument, execution.id)):
            return
        if not execution.order_id:
            self._on_system(execution)
            return
        host = self._owner(execution.order_id)
        news: Order | None = None
        if host is not None:
            applied = host.trader.on_execution(execution)
            if applied is None:
                return
            news, _ = applied
        realized = self.ledgers[execution.instrument.exchange].apply(execution)
        self._write(host, execution)
        if not self.begun:
            return
        self._record.execution(host, execution, realized)
        if host is not None and execution.kind.moves_position:
            self._tell_fill(host, execution, news)
        if self.on_money is not None:
            self.on_money()

    def _on_system(self, execution: Execution) -> None:
        """A funding or a liquidation: of the account, and of the strategies whose positions it is about."""
        parts = self._parts(execution)
        applied = [(host, part, host.trader.on_execution(part)) for host, part in parts]
        realized = self.ledgers[execution.instrument.exchange].apply(execution)
        whole = parts[0][0] if len(parts) == 1 and parts[0][1] is execution else None
        self._write(whole, execution)
        if not self.begun:
            return
        self._record.execution(whole, execution, realized)
        for host, part, news in applied:
            if news is not None and execution.kind is not ExecutionKind.FUNDING:
                self._tell_fill(host, part, news[0])
        if self.on_money is not None:
            self.on_money()

    def on_balance(self, exchange: str, wallet: Wallet) -> None:
        """One currency of an exchange's account changed: news for those who trade there."""
        currency = wallet.currency
        balance = Balance(currency.code, currency.amount(wallet.equity), currency.amount(wallet.available))
        for host in self._hosts_at(exchange):
            host.call("on_balance", balance)

    def on_position_mode(self, change: PositionModeChange) -> None:
        """The account's position mode changed, or a change was refused."""
        switched = change.mode is not change.previous
        if switched:
            self.ledgers[change.exchange].rekey(change.mode)
        for host in self._hosts_at(change.exchange):
            if switched:
                host.trader.ledger.rekey(change.mode)
            host.call("on_position_mode", change)
        self._mode_hook(change=change)
        if switched:
            for host in self._hosts_at(change.exchange):
                for position in self._positions(host, change.exchange):
                    host.call("on_position", position)

    def on_connected(self, exchange: str) -> None:
        """An exchange is there, for the first time or again."""
        if self.on_connection is not None:
            self.on_connection(exchange, True)
        else:
            self.tell_connected(exchange)

    def tell_connected(self, exchange: str) -> None:
        """An exchange is ready, and the books agree with it: tell the strategies."""
        self.blind.discard(exchange)
        for host in self._hosts_at(exchange):
            host.call("on_connected", exchange)

    def on_disconnected(self, exchange: str) -> None:
        """An exchange is out of reach; strategies that were told so and have not heard otherwise are not told again."""
        known = exchange in self.blind
        self.blind.add(exchange)
        if self.on_connection is not None:
            self.on_connection(exchange, False)
        for host in () if known else self._hosts_at(exchange):
            host.call("on_disconnected", exchange)

    def refused(self, host: Host, order: Order, ts: int) -> None:
        """An order that hbkit itself held back."""
        self._news(ts, host, order)

    def skip(self, executions: Iterable[tuple[Instrument, str]]) -> None:
        """Executions that are in the books by another way: never to be booked."""
        for key in executions:
            self._seen.is_new(key)

    def restore(self, execution: Execution, strategy: str) -> None:
        """Book an execution of an earlier run: positions as they were left, nothing told and nothing written."""
        if not self._seen.is_new((execution.instrument, execution.id)):
            return
        if strategy or execution.order_id:
            parts = [(host, execution) for host in self._hosts if host.name == strategy]
        else:
            parts = self._parts(execution)
        self.ledgers[execution.instrument.exchange].apply(execution)
        for host, part in parts:
            host.trader.restore(part)

    # -- inside

    def _tell(self, seat: _Seat, call: Callable[[Any], None], name: str, event: Any) -> None:
        if seat.host.stopped:
            return
        try:
            call(event)
        except RAISED as error:
            seat.host.failed(name, event, error)

    def _news(self, ts: int, host: Host, order: Order) -> None:
        self._record.order(ts, host, order)
        host.call("on_order", order)

    def _tell_fill(self, host: Host, execution: Execution, news: Order | None) -> None:
        instrument = execution.instrument
        fill = Fill(
            ts=execution.ts,
            id=execution.id,
            order_id=execution.order_id,
            instrument=instrument,
            side=execution.side,
            position_side=execution.position_side,
            price=execution.price,
            qty=instrument.qty(execution.units),
            fee=instrument.settle.amount(execution.fee),
            fee_currency=instrument.settle.code,
            liquidity=execution.liquidity,
        )
        liquidated = execution.kind is ExecutionKind.LIQUIDATION
        host.call("on_liquidation" if liquidated else "on_fill", fill)
        if news is not None:
            self._news(execution.ts, host, news)
        if host.defines("on_position") and not host.stopped:
            host.call("on_position", host.desk.market(instrument).leg(execution.position_side))

    def _write(self, host: Host | None, execution: Execution) -> None:
        instrument = execution.instrument
        self._journal.execution(
            execution.ts, execution.id, execution.order_id, host.name if host is not None else "",
            execution.kind.value, instrument.exchange, instrument.symbol, execution.side.value,
            execution.position_side.value, repr(execution.price), instrument.qty_text(execution.units),
            execution.cost, execution.fee, instrument.settle.code, execution.liquidity.value,
        )  # fmt: skip

    def _owner(self, order_id: str) -> Host | None:
        """The strategy whose prefix the id bears."""
        return next((host for prefix, host in self._owners.items() if order_id.startswith(prefix)), None)

    def _parts(self, execution: Execution) -> list[tuple[Host, Execution]]:
        """The strategies that a system execution (funding, liquidation) is about, each with its part of it.

        One that owns its instrument has the whole; those that share theirs have it divided.
        """
        instrument, side = execution.instrument, execution.position_side
        holders = [
            host for host in self._hosts if any(leg.instrument is instrument for _, leg in host.trader.ledger.legs)
        ]
        if not any(host.trader.shares(instrument) for host in holders):
            return [(host, execution) for host in holders[:1]]
        account = self.ledgers[instrument.exchange].legs.get(instrument, side).units
        units = [(host, host.trader.ledger.legs.get(instrument, side).units) for host in holders]
        return divided(execution, units, account)

    def _hosts_at(self, exchange: str) -> list[Host]:
        return [
            host
            for host in self._hosts
            if any(view.instrument.exchange == exchange for view in host.desk.markets)
        ]

    def _positions(self, host: Host, exchange: str) -> Iterator[Position]:
        for side, leg in host.trader.ledger.legs:
            if leg.instrument.exchange == exchange:
                yield host.desk.market(leg.instrument).leg(side)
