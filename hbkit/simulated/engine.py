"""An account at our own matching engine, behind the connector contract: requests reach it after the latency.

What moves the market is added by those who know it: recorded rows in replay, a connector's feed on paper.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from hbkit.agenda import Scheduler, Turn
from hbkit.clock import Clock
from hbkit.exchange import Exchange, Listener
from hbkit.matching import Account, Engine, Market
from hbkit.model import (
    Instrument,
    OrderReport,
    OrderRequest,
    PositionMode,
    PositionModeChange,
    PositionSide,
    Wallet,
)


class EngineExchange(Exchange):
    """One account at the engine; `name` and the markets are the subclass's to fill in."""

    def __init__(
        self, name: str, account: Account, engine: Engine, *, clock: Clock, scheduler: Scheduler, latency: int = 0
    ) -> None:
        """
        :param latency: what a request needs to reach the engine, ns.
        """
        self.name = name
        self.account = account.name
        self.latency = latency
        self._engine = engine
        self._account = account
        self._clock = clock
        self._scheduler = scheduler
        self._listener: Listener | None = None
        self._markets: dict[Instrument, Market] = {}
        engine.add_account(account)

    # -- what is known

    def wallets(self) -> list[Wallet]:
        """The account's money."""
        return self._account.wallets()

    @property
    def position_mode(self) -> PositionMode:
        """The mode in force."""
        return self._account.mode

    def reference_price(self, instrument: Instrument) -> float | None:
        """Mark, else last trade, else middle."""
        return self._engine.reference_price(instrument)

    def last_price(self, instrument: Instrument) -> float | None:
        """The last print, else the reference price."""
        market = self._markets.get(instrument)
        last = market.last if market is not None else None
        return instrument.price(last) if last is not None else self.reference_price(instrument)

    def instruments(self) -> Mapping[str, Instrument]:
        """Those that have a market here."""
        return {instrument.symbol: instrument for instrument in self._markets}

    # -- acting

    def submit(self, request: OrderRequest) -> None:
        """Reaches the engine after the latency."""
        self._send(partial(self._engine.submit, self._account, request))

    def amend(self, order_id: str, *, ticks: int | None = None, units: int | None = None) -> None:
        """Reaches the engine after the latency."""
        self._send(partial(self._amend, order_id, ticks, units))

    def cancel(self, order_id: str) -> None:
        """Reaches the engine after the latency."""
        self._send(partial(self._engine.cancel, self._account, order_id))

    def set_leverage(self, instrument: Instrument, leverage: float, side: PositionSide = PositionSide.NET) -> None:
        """The leverage that order margin is reckoned with; 0 for the instrument's own rate."""
        del side
        self._account.set_leverage(instrument, leverage)

    def set_position_mode(self, mode: PositionMode) -> None:
        """Reaches the engine after the latency; refused while orders are open."""
        self._scheduler.at(self._clock.now() + self.latency, partial(self._switch, mode), Turn.REQUEST)

    # -- what the engine did

    def settle(self) -> None:
        """Tell of whatever the engine did outside a row."""
        self._drain()

    def _send(self, act: Callable[[int], None]) -> None:
        def arrive() -> None:
            act(self._clock.now())
            self._drain()

        self._scheduler.at(self._clock.now() + self.latency, arrive, Turn.REQUEST)

    def _amend(self, order_id: str, ticks: int | None, units: int | None, ts: int) -> None:
        self._engine.amend(self._account, order_id, ts, ticks=ticks, units=units)

    def _switch(self, mode: PositionMode) -> None:
        previous, before = self._account.mode, dict(self._account.cash)
        reason = self._account.switch_mode(mode)
        if self._listener is not None:
            change = PositionModeChange(
                exchange=self.name,
                account=self.account,
                mode=self._account.mode,
                previous=previous,
                requested=mode,
                origin="strategy",
                reason=reason,
                ts=self._clock.now(),
            )
            self._listener.on_position_mode(change)
            for code, cash in self._account.cash.items():
                if cash != before.get(code):  # legs that netted realized a profit
                    self._listener.on_balance(self._account.wallet(code))

    def _drain(self) -> None:
        """Hand on what the engine did, in its order, then what the account is worth if money moved."""
        events, self._engine.out = self._engine.out, []
        listener = self._listener
        if listener is None:
            return
        moved: dict[str, None] = {}
        for event in events:
            if isinstance(event, OrderReport):
                listener.on_order(event)
            else:
                moved[event.instrument.settle.code] = None
                if event.instrument.is_spot:
                    moved[event.instrument.base] = None
                listener.on_fill(event)
        for code in moved:
            listener.on_balance(self._account.wallet(code))
