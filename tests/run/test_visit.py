"""A visit: one exchange opened by hand and let go of, here with its simulator on a virtual loop."""

import asyncio

import aiohttp
import pytest

from hbkit.chance import Chance
from hbkit.clock import MINUTE
from hbkit.config import load_config
from hbkit.errors import ConfigError, ExchangeError, UsageError
from hbkit.exchange import Channel
from hbkit.net.virtual import DEFAULT_START, run_virtual
from hbkit.plugins import Plugins
from hbkit.run.ground import VirtualGround
from hbkit.run.visit import check_visit, instrument_of, plan_visit, served, visit


def visited(work, *, account=False):
    plan = plan_visit("bitmex_perpetual", Plugins())

    async def on(loop):
        async with visit(plan, account=account, ground=VirtualGround(loop, Chance(0))) as there:
            found = await work(there)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        return found, left

    return run_virtual(on, start=DEFAULT_START)


def test_a_visit_reads_the_market_and_leaves_nothing_behind():
    async def work(there):
        market = await there.market("XBTUSD")
        top = await there.book(market, 3)
        candles = await there.candles(market, "1m", start=None, end=None, last=5)
        return market, top, candles, await there.price(market), there.clock.now()

    (market, top, candles, price, now), left = visited(work)
    assert not left
    assert len(top.bids) == len(top.asks) == 3
    assert top.bids[0][0] < top.asks[0][0]
    assert market.price(top.bids[0][0]) * 0.99 < price < market.price(top.asks[0][0]) * 1.01
    assert candles[-1].close_time <= now
    assert [one.open_time for one in candles] == [candles[0].open_time + at * MINUTE for at in range(len(candles))]


def test_the_account_is_asked_only_where_it_is_wanted():
    async def work(there):
        await there.exchange.refresh()
        return {wallet.currency.code: wallet.balance for wallet in there.exchange.wallets()}

    (money, _) = visited(work, account=True)
    assert money == {"ETH": 10_000_000_000, "USDT": 10_000_000_000, "XBT": 100_000_000}


def test_what_is_never_told_is_an_error_and_no_wait_for_ever():
    async def work(there):
        market = instrument_of(there.plan, "ETHUSD")
        connector = aiohttp.UnixConnector(path="bitmex")
        async with aiohttp.ClientSession("http://simulator", connector=connector) as session:
            await session.post("/control/faults", json={"fault": "mute"})
        with pytest.raises(ExchangeError, match=r"told no book of ETHUSD within 10 s"):
            await there.book(market, 1)

    visited(work)


def test_a_lost_connection_is_told_to_those_who_wait():
    async def work(there):
        waiting = asyncio.create_task(there._ear.first(Channel.BOOK, instrument_of(there.plan, "ETHUSD")))
        await asyncio.sleep(0)
        there._ear.lost(ExchangeError("gone"))
        with pytest.raises(ExchangeError, match="gone"):
            await waiting
        with pytest.raises(ExchangeError, match="gone"):
            await there._ear.first(Channel.MARK, instrument_of(there.plan, "XBTUSD"))

    visited(work)


def test_a_name_serves_its_own_kind():
    plan = plan_visit("bitmex", Plugins())
    assert {one.kind.value for one in served(plan)} == {"spot"}
    assert instrument_of(plan, "BTC/USDT") == "XBT_USDT"
    with pytest.raises(UsageError, match="XBTUSD is a contract; use the exchange bitmex_perpetual for it"):
        instrument_of(plan, "XBTUSD")


MODES = {
    "by itself": ("bitmex_perpetual", "simulator", "simulator"),
    "paper by its name": ("bitmex_paper_trade", "paper", "simulator"),
    "testnet by its name": ("bitmex_testnet", "testnet", "testnet"),
}


@pytest.mark.parametrize(("name", "mode", "feed"), MODES.values(), ids=MODES)
def test_where_a_name_leads(name, mode, feed):
    plan = plan_visit(name, Plugins())
    assert (plan.mode, plan.feed) == (mode, feed)


def test_a_url_is_a_simulator_whatever_the_name_stands_for():
    plan = plan_visit("bitmex_paper_trade", Plugins(), url="http://127.0.0.1:1")
    check_visit(plan, account=True)
    assert (plan.mode, plan.settings.simulator.url) == ("simulator", "http://127.0.0.1:1")


def test_a_block_is_used_under_its_own_name(tmp_path):
    path = tmp_path / "c.yaml"
    blocks = "mine: {plugin: bitmex_perpetual, mode: replay}, odd: {plugin: bitmex_testnet, mode: live}"
    path.write_text(f"exchanges: {{{blocks}}}")
    config = load_config(path, environ={})
    plan = plan_visit("mine", Plugins(), config)
    assert (plan.name, plan.spec.name, plan.instruments["XBTUSD"].exchange) == ("mine", "bitmex_perpetual", "mine")
    with pytest.raises(UsageError, match="mine is in mode replay, which has no exchange to ask"):
        check_visit(plan, account=False)
    with pytest.raises(ConfigError, match='bitmex_testnet has no mode "live"; it has testnet'):
        plan_visit("odd", Plugins(), config)
    with pytest.raises(UsageError, match='has no exchange "mime"; did you mean "mine"'):
        plan_visit("mime", Plugins(), config)
