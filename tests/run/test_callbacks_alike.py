"""Every callback there is, in replay, on paper and against the simulator: which fired, in which order, with what.

Market data is compared row by row in test_modes_alike.py; here it counts which callbacks came, what the account's told,
and how a run begins and ends, for two instruments on two exchanges.
"""

from collections import defaultdict

from hbkit.hookspecs import hookimpl
from hbkit.trading.strategy import CALLBACKS, Strategy
from tests.run.alike import MODES, note, play

START = "2019-05-28T19:59:00Z"
CONFIG = f"""
exchanges:
  bitmex_perpetual: {{{{mode}}, simulator: {{start: {START}}}, replay: {{from: {START}}}}}
  bitmex: {{{{mode}}, simulator: {{start: {START}}}, replay: {{from: {START}}}}}
strategies:
  - use: listener
    exchange: bitmex_perpetual
    on_error: continue
    instruments: [XBTUSD, {{exchange: bitmex, symbol: XBT_USDT}}]
    candles: [1m]
run: {{duration: 70s}}
"""


class Listener(Strategy):
    """Hears everything, and does a little of everything."""

    def on_start(self) -> None:
        self.note("on_start", *(view.instrument.symbol for view in (self.market("XBTUSD"), self.market("XBT_USDT"))))
        self.begun = self.now
        self.every(20, lambda: self.note("every", (self.now - self.begun) // 10**9))
        self.at(self.now + 5 * 10**9, self.act)
        self.at(self.now + 30 * 10**9, self.fail)

    def act(self) -> None:
        self.buy(200, tag="first")
        self.market("XBT_USDT").buy(0.001)
        self.buy(100, self.last_quote.bid - 500, tag="rests")

    def fail(self) -> None:
        self.cancel_all()
        self.market("XBTUSD").close_position()
        raise ValueError("on purpose")

    def note(self, *what: object) -> None:
        note(*what)

    @hookimpl
    def hbkit_position_mode_changed(self, change) -> None:
        self.note("hook", change.exchange, change.mode)

    def on_stop(self) -> None:
        self.note("on_stop")

    def on_order(self, order) -> None:
        self.note("on_order", order.instrument, order.side, order.qty, order.status, order.tag)

    def on_fill(self, fill) -> None:
        self.note("on_fill", fill.instrument, fill.side, fill.price, fill.qty, fill.fee, fill.liquidity)

    def on_position(self, position) -> None:
        self.note("on_position", position.instrument, position.side, position.qty, position.entry_price)

    def on_position_mode(self, change) -> None:
        self.note("on_position_mode", change.exchange, change.mode, change.requested, change.origin)

    def on_connected(self, exchange) -> None:
        self.note("on_connected", exchange)

    def on_disconnected(self, exchange) -> None:
        self.note("on_disconnected", exchange)

    def on_error(self, error) -> None:
        self.note("on_error", error)

    def on_candle(self, candle) -> None:
        self.note("on_candle", candle.instrument, candle.ts, candle.close)

    def on_trade(self, trade) -> None:
        self.note("on_trade", trade.instrument)

    def on_quote(self, quote) -> None:
        self.note("on_quote", quote.instrument)

    def on_book(self, book) -> None:
        self.note("on_book", book.instrument)

    def on_mark(self, mark) -> None:
        self.note("on_mark", mark.instrument)

    def on_funding(self, funding) -> None:
        self.note("on_funding", funding.instrument, funding.rate, funding.amount)

    def on_liquidation(self, fill) -> None:
        self.note("on_liquidation", fill.instrument)

    def on_balance(self, balance) -> None:
        self.note("on_balance", balance.currency)


ONLY_ELSEWHERE = {"on_disconnected", "on_liquidation"}
"""Nothing is cut and nobody is liquidated in this minute, in which a funding is due: see test_contract_alike."""
MARKET = {"on_trade", "on_quote", "on_book", "on_mark"}


def test_the_same_callbacks_fire_with_the_same_values_in_every_mode(bench) -> None:
    told = {mode: play(mode, CONFIG, listener=Listener).notes for mode in MODES}
    seen = {mode: {what[0] for what in notes} for mode, notes in told.items()}
    assert seen["replay"] == seen["paper"] == seen["simulator"]
    assert seen["replay"] == {*CALLBACKS, "every", "hook"} - ONLY_ELSEWHERE
    for mode, notes in told.items():
        by_name = defaultdict(list)
        for what in notes:
            by_name[what[0]].append(what[1:])
        for name in seen["replay"] - MARKET - {"on_balance"}:
            # Two exchanges are two sockets: which of them is heard first within a moment is open.
            expected = sorted((what[1:] for what in told["replay"] if what[0] == name), key=lambda what: what[:1])
            assert sorted(by_name[name], key=lambda what: what[:1]) == expected, (mode, name)
        for name in MARKET | {"on_balance"}:
            assert set(by_name[name]) == {what[1:] for what in told["replay"] if what[0] == name}, (mode, name)
    for mode, notes in told.items():
        beginning = [what[0] for what in notes if what[0] not in MARKET | {"on_balance", "on_candle"}][:7]
        assert beginning[0] == "on_start", mode
        assert sorted(beginning[1:]) == sorted(["on_connected", "on_position_mode", "hook"] * 2), mode
        first = min(at for at, what in enumerate(notes) if what[0] in MARKET)
        assert first > max(at for at, what in enumerate(notes) if what[0] == "on_position_mode"), mode
        assert [what[0] for what in notes].count("on_stop") == 1, mode
