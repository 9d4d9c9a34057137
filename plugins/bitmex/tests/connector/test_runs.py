"""Whole runs against the simulator: a small part of the campaign, and what must hold around the edges of a run."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import sqlite3
import traceback
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hbkit_bitmex.simulator import Options, Running, serve
from hbkit_bitmex.simulator.faults import Fault
from yarl import URL

from hbkit import log
from hbkit.chance import Chance
from hbkit.clock import SECOND
from hbkit.config import load_config
from hbkit.errors import AuthenticationError, ExchangeError
from hbkit.net.virtual import VirtualLoop, run_virtual
from hbkit.plugins import Plugins
from hbkit.run import make_plan
from hbkit.run.ground import VirtualGround
from hbkit.run.live import LiveRun
from plugins.bitmex.tests.connector.campaign import FAULTS, one
from plugins.bitmex.tests.connector.scene import CHURN, CONFIG, TAPE, Ground, differences, play, start_of
from plugins.bitmex.tests.connector.stage import until

START = TAPE + 180 * SECOND
KEY, SECRET = "planted-key-123456", "planted-secret-abcdef"


@pytest.mark.parametrize("seed", [3, 4])
@pytest.mark.parametrize("fault", FAULTS)
def test_program_and_venue_tell_the_same_story(tmp_path: Path, fault: str, seed: int) -> None:
    assert one(fault, seed, tmp_path).faults == []


def test_a_run_of_one_seed_repeats_itself(tmp_path: Path) -> None:
    hashes = {one("mix", 5, tmp_path / str(time)).result.journal_hash for time in range(2)}
    assert len(hashes) == 1


# -- the comparison itself is worth something


@pytest.mark.parametrize("spoil", ["order", "fill", "twice", "position", "wallet", "standing"])
def test_the_comparison_sees_each_kind_of_difference(tmp_path: Path, spoil: str) -> None:
    scene = one("none", 1, tmp_path)
    assert not scene.faults
    account = next(iter(scene.venue.accounts.values()))
    orders = scene.venue.orders_of[account.number]
    if spoil == "order":
        orders.append(orders[0])
    elif spoil == "fill":
        scene.strategy.heard.pop()
    elif spoil == "twice":
        scene.strategy.heard.append(scene.strategy.heard[0])
    elif spoil == "position":
        next(leg for _, leg in account.legs() if leg.instrument.symbol == "XBTUSD").units += 100
    elif spoil == "wallet":
        account.cash["XBT"] += 1
    else:
        orders[-1].status = "New"
    assert differences(scene)


# -- around the edges


async def order(running: Running, **body: Any) -> Any:
    """Somebody else places an order on the run's account, with the same key."""
    target, text = "/api/v1/order", json.dumps({"symbol": "XBTUSD", **body})
    at = str(running.simulator.hub._clock.now() // SECOND + 10)
    digest = hmac.new(b"demo-secret", f"POST{target}{at}{text}".encode(), hashlib.sha256).hexdigest()
    headers = {"api-key": "demo", "api-expires": at, "api-signature": digest, "Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(path="bitmex")) as http,
        http.post(URL(f"http://simulator{target}", encoded=True), data=text, headers=headers) as answer,
    ):
        return json.loads(await answer.text())


@pytest.mark.parametrize("latency", [1, 70])
def test_a_fill_at_any_moment_of_the_beginning_is_in_the_books_once(tmp_path: Path, latency: int) -> None:
    """An account without a past of ours: market orders of somebody else, one after the other while it opens."""

    async def weather(running: Running, chance: Chance) -> None:
        for _ in range(40):
            # Limits of the venue are off: each few milliseconds something is booked.
            await order(running, orderQty=100, side="Buy", ordType="Market")
            await asyncio.sleep(latency / 200)

    scene = play(
        tmp_path, weather=weather, latency=latency, start=START, duration=20, params="{busy: 0.1}", limits=False,
        sets=("state.on_existing=adopt",),
    )  # fmt: skip
    (account,) = scene.venue.accounts.values()
    (truth,) = [leg for _, leg in account.legs() if leg.units]
    books = scene.run._session._router.ledgers["bitmex_perpetual"]  # type: ignore[union-attr]
    market = scene.run.exchanges["bitmex_perpetual"].instruments()["XBTUSD"]
    assert books.legs.get(market).units == truth.units > 3_000
    assert [row.gap for row in scene.result.money] == [0] * len(scene.result.money)


def test_a_fill_at_any_moment_between_two_runs_is_in_the_books_once(tmp_path: Path) -> None:
    """A kept state file: orders of the first process fill while nobody looks, and while the second one opens."""
    url = "simulator: {url: http://simulator}"
    path = tmp_path / "scene.yaml"
    path.write_text(
        CONFIG.format(folder=tmp_path, seed=1, duration=12, use=f"{CHURN}:Churn", params="{busy: 8}", latency=0,
                      more=f", {url}")
    )  # fmt: skip

    async def process(loop: VirtualLoop, chance: Chance) -> Any:
        config = load_config(path, environ={}, overrides=("state.on_existing=adopt",))
        ground = VirtualGround(loop, chance)
        ground._path = "bitmex"
        run = LiveRun(make_plan(config, Plugins(block=())), ground)
        log.configure(level="info", stream=StringIO(), clock=run.clock, file=tmp_path / "run.log")
        return run, await run.play()

    async def main(loop: VirtualLoop) -> None:
        loop.set_latency(0.03, "bitmex")
        running = await serve(
            Options(path="bitmex", keep_alive=1e6, history=120 * SECOND, start=START, limits=False),
            clock=loop.clock, chance=Chance(3),
        )  # fmt: skip
        try:
            first, result = await process(loop, Chance(5))
            assert result.fills > 0
            bot = first.news.orders[0].id.rpartition("-")[0]
            number = max(int(row.id.rpartition("-")[2]) for row in first.news.orders)

            async def strange() -> None:
                """Orders that the first process is said to have sent last, filling one by one."""
                for at in range(60):
                    name = f"{bot}-{number + 1 + at}"
                    await order(running, orderQty=100, side="Sell", ordType="Market", clOrdID=name)
                    await asyncio.sleep(0.01)

            selling = asyncio.create_task(strange())
            await asyncio.sleep(1)
            second, result = await process(loop, Chance(6))
            await selling
            (account,) = running.simulator.venue.accounts.values()
            (truth,) = [leg for _, leg in account.legs() if leg.instrument.symbol == "XBTUSD"]
            books = second._session._router.ledgers["bitmex_perpetual"]
            (leg,) = [leg for _, leg in books.legs if leg.instrument.symbol == "XBTUSD"]
            assert (leg.units, leg.cost) == (truth.units, truth.cost)
            assert [row.gap for row in result.money] == [0] * len(result.money)
            trades = [row["execID"] for row in running.simulator.venue.executions[account.number]
                      if row["execType"] == "Trade"]  # fmt: skip
            booked = [row[1] for row in _executions(tmp_path / "state" / "scene.db")]
            assert sorted(booked) == sorted(trades)
        finally:
            await running.close()

    try:
        run_virtual(main)
    finally:
        log.close()


def _executions(path: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT ts, id FROM executions").fetchall()


def test_nothing_is_opened_while_the_exchange_is_out_of_sight(tmp_path: Path) -> None:
    blind: list[tuple[float, float]] = []

    async def weather(running: Running, chance: Chance) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(4):
            await asyncio.sleep(5)
            began = loop.time()
            running.simulator.hub.cut()
            await until(lambda: any(client.topics for client in running.simulator.hub.clients))
            blind.append((began, loop.time()))

    scene = play(tmp_path, weather=weather, start=START, latency=20)
    (account,) = scene.venue.accounts.values()
    assert len(blind) == 4
    for began, ended in blind:
        # What was on its way when the connection broke may still arrive.
        entered = [
            one for one in scene.venue.orders_of[account.number]
            if began + 0.2 < (one.entered_ts - scene.venue.orders_of[account.number][0].entered_ts) / SECOND < ended - 1
        ]  # fmt: skip
        assert not [one for one in entered if not one.has("ReduceOnly")]
    refused = [row for row in scene.result.order_rows if "out of reach" in row.reason]
    assert refused
    assert scene.strategy.downs == 4
    assert scene.strategy.ups == 5


def test_a_strategy_hears_nothing_before_it_has_begun_and_trades_after_a_break_in_the_beginning(tmp_path: Path) -> None:
    async def weather(running: Running, chance: Chance) -> None:
        # The connection breaks as soon as it is there, while the books are still being read.
        await until(lambda: any(client.topics for client in running.simulator.hub.clients))
        running.simulator.hub.cut()

    scene = play(tmp_path, weather=weather, start=START, latency=150)
    assert differences(scene) == []
    assert scene.result.orders > 5
    assert scene.strategy.ups == 1


def test_a_venue_that_goes_for_good_ends_the_run_with_a_word_on_why(tmp_path: Path) -> None:
    async def weather(running: Running, chance: Chance) -> None:
        await asyncio.sleep(10)
        await running._runner.cleanup()

    scene = play(tmp_path, weather=weather, start=START, duration=300)
    assert scene.result.exit_code == 4
    assert "could not be connected for 30 s and gave up" in scene.result.stop_reason


def test_the_switch_of_a_run_is_taken_away_after_it(tmp_path: Path) -> None:
    scene = play(tmp_path, start=START, more=", dead_man_switch: 60s")
    assert differences(scene) == []
    (account,) = scene.venue.accounts.values()
    assert account.cancel_at is None


def test_a_clean_stop_leaves_no_order_also_when_cancels_are_lost(tmp_path: Path) -> None:
    async def weather(running: Running, chance: Chance) -> None:
        await asyncio.sleep(18)
        running.simulator.faults.add(Fault("lost_request", route="/order", chance=0.6, count=12))

    scene = play(tmp_path, weather=weather, start=START, duration=20, params="{busy: 1000}")
    (account,) = scene.venue.accounts.values()
    assert not [one for one in scene.venue.orders_of[account.number] if one.is_open]
    assert not scene.run.hosts[0].trader.tracker.open


def test_orders_of_the_last_moment_go_too(tmp_path: Path) -> None:
    """A run ends while its last orders are on a slow way; each seed ends at another one."""
    for seed in range(6):

        async def weather(running: Running, chance: Chance) -> None:
            running.simulator.faults.add(Fault("delay", verb="POST", route="/order", seconds=1.5))

        scene = play(
            tmp_path / str(seed), seed=seed, weather=weather, start=start_of(seed), duration=12,
            params="{busy: 1000, every_seconds: 0.2}", latency=80,
        )  # fmt: skip
        (account,) = scene.venue.accounts.values()
        assert not [one for one in scene.venue.orders_of[account.number] if one.is_open], seed
        assert [row.gap for row in scene.result.money] == [0] * len(scene.result.money), seed


# -- keys


def _leaks(texts: dict[str, str]) -> list[str]:
    """Where a key, a secret or a signature stands; the sixty-four hex digits of a journal's hash are no signature."""
    found = []
    for name, text in texts.items():
        found += [f"{name}: {word}" for word in (KEY, SECRET, KEY[4:], SECRET[4:]) if word in text]
        hashes = set(re.findall(r'journal_hash"?[:=]"?([0-9a-f]{64})', text))
        found += [f"{name}: {digits}" for digits in set(re.findall(r"\b[0-9a-f]{64}\b", text)) - hashes]
    return found


def _everything(folder: Path, more: str) -> dict[str, str]:
    texts = {str(path): path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file()}
    return {**texts, "stderr": more}


def test_no_key_and_no_signature_is_ever_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async def weather(running: Running, chance: Chance) -> None:
        await FAULTS["mix"](running, Chance(2), 20)
        for fault in ("lost_reply", "bad_gateway", "overload", "lost_request"):
            running.simulator.faults.add(Fault(fault, chance=0.2))
        await asyncio.sleep(10)
        running.simulator.faults.clear()

    environ = {"PLANTED_KEY": KEY, "PLANTED_SECRET": SECRET}
    more = ", api_key: '${PLANTED_KEY}', api_secret: '${PLANTED_SECRET}', dead_man_switch: 60s"
    scene = play(tmp_path, weather=weather, start=START, level="debug", more=more, environ=environ)
    out, err = capfd.readouterr()
    texts = _everything(tmp_path, scene.log + out + err)
    assert len(texts) >= 6
    assert "answer lost" in scene.log
    leaks = _leaks(texts)
    shown = [leak for leak in leaks if scene.result.journal_hash not in leak]
    assert shown == []


@pytest.mark.parametrize("wrong", ["key", "secret"])
def test_no_key_is_written_when_a_login_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], wrong: str
) -> None:
    def spoiled(*args: Any, **kwargs: Any) -> Ground:
        accounts = (("somebody", SECRET),) if wrong == "key" else ((KEY, "another secret"),)
        return Ground(*args, **{**kwargs, "accounts": accounts})

    environ = {"PLANTED_KEY": KEY, "PLANTED_SECRET": SECRET}
    more = ", api_key: '${PLANTED_KEY}', api_secret: '${PLANTED_SECRET}'"
    with pytest.raises(AuthenticationError) as refused:
        play(tmp_path, start=START, level="debug", more=more, environ=environ, ground=spoiled)
    out, err = capfd.readouterr()
    told = "".join(traceback.format_exception(refused.value)) + "".join(getattr(refused.value, "__notes__", ()))
    assert "ending ..56" in told
    assert _leaks(_everything(tmp_path, out + err + told)) == []


def test_the_search_for_keys_finds_one() -> None:
    assert _leaks({"a": f"x {KEY}", "b": "0" * 64}) == [f"a: {KEY}", f"a: {KEY[4:]}", f"b: {'0' * 64}"]


def test_an_account_that_is_not_empty_refuses_the_start(tmp_path: Path) -> None:
    async def weather(running: Running, chance: Chance) -> None:
        await order(running, orderQty=100, price=100)

    with pytest.raises(ExchangeError, match="the account of bitmex_perpetual is not empty"):
        play(tmp_path, weather=weather, start=START, latency=50)
