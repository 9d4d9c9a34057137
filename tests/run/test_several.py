"""Two exchanges in one run: nothing of one is taken for the other's, and what befalls one leaves the other alone."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hbkit.data.journal import read_rows
from hbkit.errors import ExchangeError, StrategyError, Unsupported
from hbkit.exchange import Channel
from hbkit.model import Fill, Instrument, Order, Quote, Side, Trade
from hbkit.trading.strategy import Strategy
from tests.several import Placed, Town, in_town


class Both(Strategy):
    """Bids at the first, offers at the second, and writes down what it hears."""

    def on_start(self) -> None:
        self.heard: list[Any] = []
        self.first, self.second = (self.market(one) for one in self.instruments)

    def on_connected(self, exchange: str) -> None:
        self.heard.append(("up", exchange))

    def on_disconnected(self, exchange: str) -> None:
        self.heard.append(("down", exchange))

    def on_quote(self, quote: Quote) -> None:
        self.heard.append((quote.instrument.exchange, quote.bid))
        if quote.instrument.exchange == "alpha":
            self.first.quote(bids=[(quote.bid - 1, 1)])
        else:
            self.second.quote(asks=[(quote.ask + 1, 2)])

    def on_trade(self, trade: Trade) -> None:
        self.heard.append(("trade", trade.instrument.exchange, trade.price))

    def on_fill(self, fill: Fill) -> None:
        self.heard.append(("fill", fill.instrument.exchange, fill.side.value, fill.qty))

    def on_order(self, order: Order) -> None:
        if order.status in ("rejected", "unknown"):
            self.heard.append((order.status.value, order.instrument.exchange, order.reason))


def test_one_symbol_on_two_exchanges_never_mixes(tmp_path: Path) -> None:
    async def script(town: Town) -> None:
        town.move("alpha", 100, 101)
        town.move("beta", 200, 201)
        await asyncio.sleep(1)
        town.take("alpha", Side.SELL, 98.9, 1)  # beyond our bid of 99.0, which fills
        town.take("beta", Side.BUY, 202.1, 1)  # beyond our offer of 202.0, half of which fills at least
        await asyncio.sleep(1)

    async def test(town: Town) -> None:
        result = await town.play(Both, script, seconds=6)
        strategy = town.run.hosts[0].strategy
        assert (result.exit_code, result.rejects, result.warnings) == (0, 0, [])
        heard = strategy.heard
        assert ("alpha", 100.0) in heard
        assert ("beta", 200.0) in heard
        assert ("alpha", 200.0) not in heard
        assert ("trade", "alpha", 98.9) in heard
        assert ("trade", "beta", 98.9) not in heard
        # A bid at the one and an offer at the other: 1 coin long at 99, up to 2 coins short at 202.
        assert town.held("alpha") == 1
        assert town.held("beta") < 0
        assert strategy.first.position.qty == 1
        assert strategy.second.position.qty == town.held("beta")
        rows = {(row.exchange, row.instrument): (row.qty, row.entry_price) for row in result.positions}
        assert rows["alpha", "COIN"] == ("1", "99")
        assert rows["beta", "COIN"][1] == "202"
        assert {(row.exchange, row.side) for row in result.fill_rows} == {("alpha", "buy"), ("beta", "sell")}
        assert {(row.exchange, row.side) for row in result.order_rows} == {("alpha", "buy"), ("beta", "sell")}
        # The journal knows which.
        kept = read_rows(Path(result.journal), "executions", result.run_id)
        assert {(row[7], row[9]) for row in kept} == {("alpha", "buy"), ("beta", "sell")}
        # So do the charts: prices about 100 and about 200 are two lines.
        lines = {(one.exchange, one.instrument): one.price[-1] for one in result.prices}
        assert lines == {("alpha", "COIN"): 98.9, ("beta", "COIN"): 202.1}
        assert town.open_orders("alpha") == town.open_orders("beta") == []

    in_town(tmp_path, test)
    (page,) = tmp_path.glob("runs/*/report.html")
    assert "alpha COIN, price and fills" in page.read_text()
    assert "beta COIN, price and fills" in page.read_text()


class Asking(Strategy):
    """Asks for markets in every way there is."""

    def on_start(self) -> None:
        self.said = []
        for which, exchange in (("COIN", None), ("COIN/USD:USD", None), ("COIN", "gamma"), ("COIM", "beta")):
            try:
                self.market(which, exchange)
            except StrategyError as error:
                self.said.append(error.message)
        try:
            self.buy(1, instrument="COIN")
        except StrategyError as error:
            self.said.append(error.message)
        self.found = self.market("COIN", exchange="beta").instrument, self.market("COIN/USD:USD", "alpha").instrument
        self.same = [self.market(one).instrument is one for one in self.instruments]


def test_a_symbol_of_two_exchanges_has_to_be_said_which(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        result = await town.play(Asking, seconds=1)
        strategy = town.run.hosts[0].strategy
        which = 'self.market("{0}", exchange="alpha") or self.market("{0}", exchange="beta")'
        assert strategy.said == [
            f'"COIN" is on alpha and beta; say which: {which.format("COIN")}',
            f'"COIN/USD:USD" is on alpha and beta; say which: {which.format("COIN/USD:USD")}',
            'strategy "one" trades nothing on "gamma"; known: alpha, beta',
            'strategy "one" has no instrument "COIM" on beta; did you mean "COIN"?',
            f'"COIN" is on alpha and beta; say which: {which.format("COIN")}',
        ]
        assert [one.exchange for one in strategy.found] == ["beta", "alpha"]
        assert strategy.same == [True, True]
        assert (result.exit_code, result.orders) == (0, 0)

    in_town(tmp_path, test)


def test_one_out_of_reach_leaves_the_other_alone(tmp_path: Path) -> None:
    async def script(town: Town) -> None:
        town.move("alpha", 100, 101)
        town.move("beta", 200, 201)
        await asyncio.sleep(1)
        strategy = town.run.hosts[0].strategy
        town["beta"].fall()
        await asyncio.sleep(1)
        strategy.second.buy(1)  # refused at once: nothing is sent where nobody answers
        town.move("alpha", 110, 111)
        await asyncio.sleep(1)
        strategy.while_down = [order.price for order in strategy.first.orders], strategy.second.orders
        town["beta"].rise()
        await asyncio.sleep(12)
        town.move("beta", 210, 211)

    async def test(town: Town) -> None:
        result = await town.play(Both, script, seconds=20)
        strategy = town.run.hosts[0].strategy
        heard = [one for one in strategy.heard if one[0] in ("up", "down", "rejected", "unknown")]
        assert heard == [
            ("up", "alpha"),
            ("up", "beta"),
            ("down", "beta"),
            ("rejected", "beta", "beta is out of reach; nothing was sent"),
            ("up", "beta"),
        ]
        # The first was quoted on; at the second the offer still stands as far as anybody knows.
        prices, there = strategy.while_down
        assert prices == [109.0]
        assert [order.price for order in there] == [202.0]
        assert result.exit_code == 0
        assert town.open_orders("alpha") == town.open_orders("beta") == []

    in_town(tmp_path, test)


def test_an_order_on_its_way_to_the_one_that_falls_is_unknown_until_it_is_back(tmp_path: Path) -> None:
    async def script(town: Town) -> None:
        town.move("beta", 200, 201)
        strategy = town.run.hosts[0].strategy
        strategy.second.sell(1, 230)
        town["beta"].fall()
        await asyncio.sleep(1)
        strategy.early = [order.status.value for order in strategy.second.orders]
        town["beta"].rise()
        await asyncio.sleep(15)
        strategy.late = [order.status.value for order in strategy.second.orders]

    class Quiet(Both):
        def on_quote(self, quote: Quote) -> None:
            """Nothing by itself."""

    async def test(town: Town) -> None:
        result = await town.play(Quiet, script, seconds=20)
        strategy = town.run.hosts[0].strategy
        assert (strategy.early, strategy.late) == (["unknown"], [])
        assert (result.exit_code, [row.status for row in result.order_rows]) == (0, ["never_arrived"])

    in_town(tmp_path, test)


class AtOnce(Both):
    """Places an order at the first exchange before anything is heard, and lets it arrive."""

    async def on_start(self) -> None:
        super().on_start()
        self.first.buy(1, 90)
        await asyncio.sleep(2)  # behind the requests of the start, of which there may be ten a second


def test_a_second_exchange_that_is_not_there_leaves_nothing_at_the_first(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        town["beta"].fall()
        with pytest.raises(ExchangeError, match="nobody answers"):
            await town.play(AtOnce)
        assert town["alpha"].orders() == []
        assert town["alpha"].connections == 0

    in_town(tmp_path, test)


class Deaf(Placed):
    """Refuses, at `beta`, to tell of trades, once it is asked for them."""

    def subscribe(self, instrument: Instrument, channel: Channel, interval: str = "") -> None:
        if self.name == "beta" and channel is Channel.TRADE:
            raise Unsupported("beta tells no trade")
        super().subscribe(instrument, channel, interval)


def test_a_second_exchange_that_fails_after_on_start_leaves_nothing_at_the_first(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        result = await town.play(AtOnce, changes={"connector": f"{__name__}:Deaf"})
        assert (result.exit_code, result.stop_reason) == (4, "beta tells no trade")
        assert [one.id for one in town["alpha"].orders()] != []
        assert town.open_orders("alpha") == []

    in_town(tmp_path, test)


class Holder(Strategy):
    """Rests an order at each exchange, once."""

    def on_start(self) -> None:
        self.first, self.second = (self.market(one) for one in self.instruments)
        self.held = self.first.position.qty, self.second.position.qty
        if not self.state.get("placed"):
            self.state["placed"] = True
            self.first.buy(1, 95)
            self.second.buy(1, 95)

    def on_quote(self, quote: Quote) -> None:
        """To be fed."""


def test_what_filled_at_the_one_while_nobody_looked_is_found_although_the_other_is_further(tmp_path: Path) -> None:
    # alpha is cut off and fills; ten minutes later beta fills and the bot, which has heard of that only, is killed.
    async def script(town: Town) -> None:
        town.move("alpha", 100, 101)
        town.move("beta", 100, 101)
        await asyncio.sleep(1)
        town["alpha"].fall()
        town.take("alpha", Side.SELL, 94, 5)
        await asyncio.sleep(600)
        town.take("beta", Side.SELL, 94, 5)
        await asyncio.sleep(1)

    async def test(town: Town) -> None:
        await town.play(Holder, script, seconds=3600, kill=True)
        assert (town.held("alpha"), town.held("beta")) == (1, 1)
        town["alpha"].rise()
        result = await town.play(Holder, seconds=2)
        assert result.exit_code == 0
        assert town.run.hosts[0].strategy.held == (1, 1)

    in_town(tmp_path, test)


def test_one_that_is_lost_for_good_ends_the_run_and_the_other_is_left_empty(tmp_path: Path) -> None:
    async def script(town: Town) -> None:
        town.move("alpha", 100, 101)
        town.move("beta", 200, 201)
        await asyncio.sleep(1)
        town["beta"].fall()
        town.run.exchanges["beta"]._connection.on_end(ExchangeError("beta is gone", code="HB436"))

    async def test(town: Town) -> None:
        result = await town.play(Both, script, seconds=600)
        assert (result.exit_code, result.stop_reason) == (4, "beta is gone")
        assert town.open_orders("alpha") == []
        # What stands at the one that is gone is said.
        (line,) = [line for line in result.warnings if "1 orders may still stand" in line]
        assert " at beta; look before you leave" in line

    in_town(tmp_path, test)


class Buyer(Strategy):
    """Buys a coin at each exchange where it holds none."""

    def on_start(self) -> None:
        self.views = [self.market(one) for one in self.instruments]
        self.held = [view.position.qty for view in self.views]

    def on_quote(self, quote: Quote) -> None:
        self.market(quote.instrument).target_position(1)


def test_an_account_on_paper_begins_anew_beside_one_that_lasts(tmp_path: Path) -> None:
    async def script(town: Town) -> None:
        for name in ("alpha", "beta"):
            town.move(name, 100, 101)

    real = {"seconds": 4, "changes": {"modes": ("testnet", "paper")}}
    paper = {**real, "blocks": {"beta": {"mode": "paper", "balances": {"USD": 1000}}}}

    async def test(town: Town) -> None:
        held = []
        # Twice beside paper, then both for real, and again: only what is there is remembered.
        for options in (paper, paper, real, real):
            result = await town.play(Buyer, script, **options)
            assert (result.exit_code, result.warnings) == (0, [])
            held.append(town.run.hosts[0].strategy.held)
        assert held == [[0, 0], [1, 0], [1, 0], [1, 1]]
        assert (town.held("alpha"), town.held("beta")) == (1, 1)

    in_town(tmp_path, test)


def test_each_exchange_has_caps_in_its_own_unit_and_one_count_of_orders(tmp_path: Path) -> None:
    async def script(town: Town) -> None:
        for name in ("alpha", "beta"):
            town.move(name, 100, 101)
        await asyncio.sleep(1)
        strategy = town.run.hosts[0].strategy
        for _ in range(4):
            strategy.views[0].buy(0.1, 90)

    blocks = {"beta": {"risk": {"max_position": 0.5}}}
    risk = {"max_position": 5, "max_orders_per_minute": 3}

    async def test(town: Town) -> None:
        result = await town.play(Buyer, script, seconds=4, blocks=blocks, risk=risk)
        refused = [(row.exchange, row.reason) for row in result.order_rows if row.status == "rejected"]
        assert refused[0] == (
            "beta", "exchanges.beta.risk.max_position is 0.5, with this order COIN could reach 1",
        )  # fmt: skip
        # One purchase at alpha and two bids are three orders; what was refused was none.
        assert refused[-1] == ("alpha", "risk.max_orders_per_minute is 3")
        assert (town.held("alpha"), town.held("beta")) == (1, 0)

    in_town(tmp_path, test)


def test_a_price_of_the_one_out_of_reach_stays_with_its_time(tmp_path: Path) -> None:
    async def script(town: Town) -> None:
        for name in ("alpha", "beta"):
            town.move(name, 100, 104)
        await asyncio.sleep(2)
        town["alpha"].fall()
        town["alpha"].mark(150)  # nobody hears it

    async def test(town: Town) -> None:
        result = await town.play(Holder, script, seconds=8, report={"currency": "COIN"})
        told = result.reporting
        assert told is not None
        # Two accounts of 1,000,000 dollars at 102, the mark that was heard last, are 19,607.84 coins.
        assert (told.unit.text(told.equity or 0), told.reason) == ("19607.84", "")
        (row,) = told.rates
        (pair,) = row.pairs
        assert (row.currency, pair.exchange, pair.instrument, pair.price) == ("USD", "alpha", "COIN", "102")
        # A second after the start the market moved, two seconds later nobody answered any more; the run took eight.
        began, ended = told.ts[0], told.ts[-1]
        assert 2 <= (pair.ts - began) / 1e9 <= 3.1
        assert (ended - began) / 1e9 >= 8

    in_town(tmp_path, test)
