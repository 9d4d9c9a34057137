"""The connector against the simulator: opening, listening, ordering, losing the connection, leaving."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from typing import Any

import aiohttp
import pytest
from hbkit_bitmex.rest import read
from hbkit_bitmex.rows import OrderRow
from hbkit_bitmex.simulator.auth import Key
from hbkit_bitmex.simulator.realtime import Realtime
from hbkit_bitmex.simulator.rest import Rest as VenueRest
from hbkit_bitmex.simulator.wire import encode

from hbkit.clock import MINUTE, SECOND
from hbkit.errors import AuthenticationError, ConfigError, Disconnected, ExchangeError
from hbkit.exchange import Channel, Shared
from hbkit.model import OrderStatus, PositionMode, Side
from plugins.bitmex.tests.connector.stage import SECRETS, Stage, run, until

CLOSED = {OrderStatus.FILLED, OrderStatus.CANCELED}


# -- opening


def test_it_opens_logs_in_and_knows_the_account() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        assert ear.of("on_connected") == ["bitmex"]
        assert exchange.is_up
        assert exchange.account == str(next(iter(stage.venue.accounts)))
        assert [wallet.currency.code for wallet in exchange.wallets()] == ["ETH", "USDT", "XBT"]
        assert exchange.position_mode is PositionMode.ONE_WAY
        assert abs(exchange.server_now() - stage.loop.clock.now()) < SECOND
        assert exchange.health()["reconnects"] == "0"

    run(story)


def test_an_account_in_hedge_mode_is_read_as_such() -> None:
    async def story(stage: Stage) -> None:
        next(iter(stage.venue.accounts.values())).mode = PositionMode.HEDGE
        exchange, _ = await stage.open()
        assert exchange.position_mode is PositionMode.HEDGE

    run(story)


@pytest.mark.parametrize(
    ("column", "value"), [("lotSize", 1), ("tickSize", 0.5)], ids=["lot", "tick"]
)  # fmt: skip
def test_another_grid_than_the_exchanges_is_refused(column: str, value: float) -> None:
    async def story(stage: Stage) -> None:
        stage.venue.markets["XBTUSD"].ticker.row[column] = value
        exchange = stage.connector()
        with pytest.raises(ConfigError, match=r"XBTUSD has tick .* upgrade hbkit-bitmex"):
            await exchange.open(None)

    run(story)


@pytest.mark.parametrize(
    ("key", "secret", "said"),
    [
        ("nobody-knows-me", "mysterious", "(Invalid API Key.): there is no such key at simulator; look for a piece"),
        ("demo", "mysterious", "(Signature not valid.): the key is known, but the secret is not the one"),
    ],
    ids=["key", "secret"],
)
def test_a_wrong_login_is_refused_with_the_end_of_the_key_alone(key: str, secret: str, said: str) -> None:
    async def story(stage: Stage) -> None:
        with pytest.raises(AuthenticationError) as refused:
            await stage.open(key=key, secret=secret)
        assert said in refused.value.message
        assert f"ending ..{key[-2:]}" in refused.value.message
        assert key not in refused.value.message
        assert secret not in refused.value.message

    run(story)


@pytest.mark.parametrize("skew", [-60.0, 60.0, -7200.0])
def test_a_machine_whose_clock_is_off_signs_by_the_exchanges(skew: float) -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open(skew=skew)
        assert abs(exchange.server_now() - stage.loop.clock.now()) < SECOND
        order = stage.request()
        exchange.submit(order)
        await until(lambda: ear.orders(order.id))
        assert ear.last(order.id).status is OrderStatus.OPEN
        assert {status for _, _, status in stage.answers} == {200}
        assert exchange.health()["clock"].startswith("-" if skew > 0 else "+")

    run(story)


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_a_machine_whose_clock_is_set_goes_on_by_the_old_time(seconds: int) -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open(skew=0.001)
        exchange._connection.clock.off = seconds * SECOND  # type: ignore[attr-defined]
        order = stage.request()
        exchange.submit(order)
        await until(lambda: ear.orders(order.id))
        assert ear.last(order.id).status is OrderStatus.OPEN
        assert abs(exchange.server_now() - stage.loop.clock.now()) < SECOND
        assert {status for _, _, status in stage.answers} == {200}

    run(story)


def test_a_machine_that_slept_asks_for_the_time_and_sends_again() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        exchange._rest._clock._ahead -= 3600 * SECOND
        order = stage.request()
        exchange.submit(order)
        await until(lambda: ear.orders(order.id))
        assert ear.last(order.id).status is OrderStatus.OPEN
        assert [status for verb, _, status in stage.answers if verb == "POST"] == [401, 200]
        assert abs(exchange.server_now() - stage.loop.clock.now()) < SECOND
        assert not stage.ended

    run(story)


def test_a_venue_that_cannot_be_reached_is_named() -> None:
    async def story(stage: Stage) -> None:
        await stage.running.close()
        with pytest.raises(ExchangeError, match="no connection"):
            await stage.open()

    run(story)


def test_a_socket_that_tells_nothing_of_the_account_is_an_error() -> None:
    async def story(stage: Stage) -> None:
        exchange = stage.connector(ws_url=stage.running.websocket.replace("realtime", "nowhere"))
        with pytest.raises(ExchangeError) as silent:
            await exchange.open(None)
        assert "told nothing of the account within 20 s" in silent.value.message

    run(story)


def test_without_a_key_it_only_listens() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open(key="")
        assert ear.of("on_connected") == ["bitmex"]
        assert exchange.wallets() == []
        exchange.subscribe(stage.XBTUSD, Channel.TRADE)
        await until(lambda: ear.of("on_trade"))
        assert not [route for _, route, _ in stage.answers if route.startswith(("/user", "/order", "/pos"))]

    run(story)


# -- the market


def test_every_channel_is_heard() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        for channel in (Channel.TRADE, Channel.QUOTE, Channel.BOOK, Channel.MARK, Channel.FUNDING):
            exchange.subscribe(stage.XBTUSD, channel)
        exchange.subscribe(stage.XBTUSD, Channel.CANDLE, "1m")
        await asyncio.sleep(130)
        counts = {name: len(ear.of(name)) for name in ("on_trade", "on_quote", "on_book", "on_mark", "on_candle")}
        assert all(counts.values()), counts
        assert counts["on_candle"] == 2
        assert exchange.reference_price(stage.XBTUSD) == ear.of("on_mark")[-1].price
        assert exchange.last_price(stage.XBTUSD) == ear.of("on_trade")[-1].price
        assert exchange.events > 100

    run(story)


def test_books_begin_with_their_partial_and_are_never_crossed() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        crossed = []
        ear_on_book = ear.__getattr__("on_book")

        def look(book: Any) -> None:
            ear_on_book(book)
            if not book.best_bid < book.best_ask:
                crossed.append(book)

        ear.on_book = look  # type: ignore[attr-defined]
        exchange.subscribe(stage.XBTUSD, Channel.BOOK)
        exchange.subscribe(stage.XBTUSD, Channel.QUOTE)
        await asyncio.sleep(60)
        assert len(ear.of("on_book")) > 20
        assert not crossed
        book = ear.of("on_book")[-1]
        bid, ask = stage.touch()
        assert (book.best_bid_ticks, book.best_ask_ticks) == (bid, ask)
        # The quotes bore witness all the time and denied nothing.
        assert book is exchange._stream.books.book("XBTUSD")  # type: ignore[union-attr]

    run(story)


def test_larger_candles_are_put_together_from_the_exchanges_own() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        exchange.subscribe(stage.XBTUSD, Channel.CANDLE, "1m")
        exchange.subscribe(stage.XBTUSD, Channel.CANDLE, "3m")
        await asyncio.sleep(6 * 60 + 30)
        heard = ear.of("on_candle")
        found = {interval: [one for one in heard if one.interval == interval] for interval in ("1m", "3m")}
        assert len(found["1m"]) == 6
        assert found["3m"]
        for larger in found["3m"]:
            parts = [one for one in found["1m"] if larger.open_time <= one.open_time < larger.close_time]
            if len(parts) == 3:
                assert larger.high == max(one.high for one in parts)
                assert larger.volume == sum(one.volume for one in parts)

    run(story)


def test_history_is_read_page_by_page_and_ends_where_it_is_told() -> None:
    async def story(stage: Stage) -> None:
        exchange, _ = await stage.open()
        end = stage.loop.clock.now() // MINUTE * MINUTE
        candles = await exchange.candles(stage.XBTUSD, "1m", end - 2 * MINUTE, end)
        assert [one.close_time for one in candles] == [end - MINUTE, end]
        assert [one.open_time for one in candles] == [end - 2 * MINUTE, end - MINUTE]

    run(story, history=20 * MINUTE, start=None)


def test_an_unknown_symbol_costs_nothing_else() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        ghost = dataclasses.replace(stage.XBTUSD, symbol="GHOST")
        exchange.subscribe(ghost, Channel.TRADE)
        exchange.subscribe(stage.XBTUSD, Channel.TRADE)
        await until(lambda: ear.of("on_trade"))
        order = stage.request(instrument=ghost)
        exchange.submit(order)
        await until(lambda: ear.orders(order.id))
        assert ear.last(order.id).status is OrderStatus.REJECTED
        assert ear.last(order.id).reason == "Invalid symbol"
        assert not stage.ended

    run(story)


# -- orders


def test_an_order_is_answered_amended_filled_and_cancelled() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        order = stage.request()
        exchange.submit(order)
        await until(lambda: ear.orders(order.id))
        assert ear.last(order.id).status is OrderStatus.OPEN
        assert ear.last(order.id).ticks == order.ticks
        exchange.amend(order.id, ticks=(order.ticks or 0) - 10, units=300)
        await until(lambda: ear.last(order.id).units == 300)
        assert ear.last(order.id).ticks == (order.ticks or 0) - 10
        exchange.cancel(order.id)
        await until(lambda: ear.last(order.id).status is OrderStatus.CANCELED)
        market = stage.market()
        exchange.submit(market)
        await until(lambda: ear.orders(market.id) and ear.last(market.id).status is OrderStatus.FILLED)
        fills = [fill for fill in ear.of("on_fill") if fill.order_id == market.id]
        assert sum(fill.units for fill in fills) == 100
        (holding,) = await exchange.positions()
        assert (holding.instrument, holding.units) == (stage.XBTUSD, 100)
        assert sum(fill.cost for fill in fills) == holding.cost

    run(story)


def test_a_refusal_carries_the_exchanges_words() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        order = stage.request(units=150)
        exchange.submit(order)
        await until(lambda: ear.orders(order.id))
        report = ear.last(order.id)
        assert (report.status, report.refused) == (OrderStatus.REJECTED, "submit")
        assert "multiple of lot size" in report.reason

    run(story)


def test_a_refusal_for_want_of_money_tells_the_need_beside_what_is_free() -> None:
    async def story(stage: Stage) -> str:
        exchange, ear = await stage.open()
        order = stage.request(units=1_000_000)
        exchange.submit(order)
        await until(lambda: ear.orders(order.id))
        assert ear.last(order.id).status is OrderStatus.REJECTED
        return ear.last(order.id).reason

    said = run(story)
    # A million dollars at some 8,700 is about 115 XBT: a hundredth of it as margin is more than the one there is.
    words = r"\(Account has insufficient Available Balance, (\d+) XBt required\)"
    found = re.fullmatch(rf"needs (1\.\d{{8}}) XBT, free 1\.00000000 {words}", said)
    assert found is not None, said
    assert found[1].replace(".", "") == found[2]


def test_cancels_of_one_moment_go_in_one_call_and_an_unknown_id_is_answered() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        orders = [stage.request(away=100 + at) for at in range(6)]
        for order in orders:
            exchange.submit(order)
        await until(lambda: all(ear.orders(order.id) for order in orders))
        # Somebody else took one away in between.
        await stage.call("DELETE", "/order", {"clOrdID": [orders[0].id]})
        stage.answers.clear()
        for order in orders:
            exchange.cancel(order.id)
        await until(lambda: all(ear.last(order.id).status is OrderStatus.CANCELED for order in orders))
        await asyncio.sleep(1)
        assert [answer for answer in stage.answers if answer[0] == "DELETE"] == [("DELETE", "/order", 200)]
        refused = [report for report in ear.orders(orders[0].id) if report.refused == "cancel"]
        assert refused
        assert "existing state" in refused[-1].reason

    run(story)


def test_an_amend_of_an_order_that_has_filled_is_refused_and_the_order_stays_filled() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        order = stage.market()
        exchange.submit(order)
        await until(lambda: ear.orders(order.id) and ear.last(order.id).status is OrderStatus.FILLED)
        exchange.amend(order.id, units=500)
        await until(lambda: ear.last(order.id).refused == "amend")
        assert ear.last(order.id).status is OrderStatus.FILLED
        assert ear.last(order.id).reason == "Invalid ordStatus"

    run(story)


def test_a_cancel_waits_for_the_answer_to_its_order() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        order = stage.request()
        stage.fault("delay", verb="POST", seconds=2, count=1)
        exchange.submit(order)
        await asyncio.sleep(0.5)
        exchange.cancel(order.id)
        await until(lambda: ear.orders(order.id) and ear.last(order.id).status is OrderStatus.CANCELED)
        assert not [report for report in ear.orders(order.id) if report.refused]
        assert [theirs.status for theirs in stage.theirs(order.id)] == ["Canceled"]

    run(story)


def test_an_amend_waits_for_the_answer_to_its_order_and_only_the_last_of_several_is_sent() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        order = stage.request()
        stage.fault("delay", verb="POST", seconds=2, count=1)
        exchange.submit(order)
        await asyncio.sleep(0.5)
        for units in (200, 300, 400):
            exchange.amend(order.id, units=units)
        await until(lambda: ear.orders(order.id) and ear.last(order.id).units == 400)
        await asyncio.sleep(2)
        assert [answer for answer in stage.answers if answer[0] == "PUT"] == [("PUT", "/order", 200)]
        assert [theirs.qty for theirs in stage.theirs(order.id)] == [400]

    run(story)


def test_an_order_that_is_taken_away_before_it_leaves_never_leaves() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        orders = [stage.request(away=100 + at) for at in range(30)]
        for order in orders:
            exchange.submit(order)
        exchange.cancel(orders[0].id)
        await asyncio.sleep(0.5)
        exchange.cancel(orders[-1].id)
        await until(lambda: all(ear.orders(order.id) for order in orders))
        for order in (orders[0], orders[-1]):
            assert ear.last(order.id).status is OrderStatus.CANCELED
            assert ear.last(order.id).reason == "taken away before it was sent"
            assert not stage.theirs(order.id)
        assert len(stage.theirs()) == 28

    run(story)


def test_thirty_orders_of_one_instant_are_never_too_many() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        orders = [stage.request(away=100 + at) for at in range(30)]
        for order in orders:
            exchange.submit(order)
        await until(lambda: all(ear.orders(order.id) for order in orders))
        for order in orders:
            exchange.amend(order.id, units=200)
        await asyncio.sleep(0.3)
        began = stage.loop.time()
        exchange.cancel(orders[3].id)
        await until(lambda: ear.last(orders[3].id).status is OrderStatus.CANCELED)
        # Cancels overtake what waits.
        assert stage.loop.time() - began < 1
        await until(lambda: all(ear.last(order.id).units == 200 for order in orders if order is not orders[3]))
        assert {status for _, _, status in stage.answers} <= {200, 400}

    run(story)


def test_an_overloaded_exchange_is_asked_again_under_the_same_id() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        order = stage.request()
        stage.fault("overload", count=3)
        exchange.submit(order)
        await until(lambda: ear.orders(order.id))
        assert ear.last(order.id).status is OrderStatus.OPEN
        assert [status for verb, _, status in stage.answers if verb == "POST"] == [503, 503, 503, 200]
        assert len(stage.theirs(order.id)) == 1

    run(story)


def test_an_exchange_that_stays_overloaded_is_a_refusal_and_an_order_withdrawn_meanwhile_is_dropped() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        stays, dropped = stage.request(), stage.request()
        stage.fault("overload")
        exchange.submit(stays)
        exchange.submit(dropped)
        await asyncio.sleep(0.3)
        exchange.cancel(dropped.id)
        await until(lambda: ear.orders(stays.id) and ear.orders(dropped.id))
        assert ear.last(dropped.id).status is OrderStatus.CANCELED
        assert ear.last(stays.id).status is OrderStatus.REJECTED
        assert "overloaded" in ear.last(stays.id).reason
        assert not stage.theirs()

    run(story)


@pytest.mark.parametrize("fault", ["lost_reply", "lost_request", "bad_gateway"])
def test_an_order_whose_answer_is_lost_is_unknown_never_rejected(fault: str) -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        order = stage.request()
        # Without the socket's word on it, the answer is all there is.
        stage.fault("mute", table="order")
        stage.fault(fault, verb="POST", route="/order", count=1)
        exchange.submit(order)
        await until(lambda: ear.orders(order.id))
        report = ear.last(order.id)
        assert (report.status, report.lost) == (OrderStatus.UNKNOWN, "submit")
        assert 9 * SECOND < report.expires - stage.loop.clock.now() <= 10 * SECOND
        found = await exchange.find(order.id)
        assert (found is None) == (fault == "lost_request")
        assert len([answer for answer in stage.answers if answer[0] == "POST"]) == (fault != "lost_request")

    run(story)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"orderID": 5, "ordStatus": [', b'{"orderID": {"a": 1}}', b"[]", b"\xff"]
)  # fmt: skip
def test_an_answer_that_cannot_be_read_is_a_lost_one(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        stage.fault("mute", table="order")
        whole = VenueRest._after
        monkeypatch.setattr(
            VenueRest, "_after",
            lambda self, request, verb, route, status, headers, answer: whole(
                self, request, verb, route, status, headers, body if verb == "POST" else answer
            ),
        )  # fmt: skip
        stage.fault("delay", seconds=0, count=1000)
        order = stage.request()
        exchange.submit(order)
        await until(lambda: ear.orders(order.id))
        assert (ear.last(order.id).status, ear.last(order.id).lost) == (OrderStatus.UNKNOWN, "submit")
        assert len(stage.theirs(order.id)) == 1
        assert not stage.ended

    run(story)


def test_a_lost_cancel_is_sent_again_until_it_is_answered() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        order = stage.request()
        exchange.submit(order)
        await until(lambda: ear.orders(order.id))
        stage.fault("lost_request", verb="DELETE", count=2)
        exchange.cancel(order.id)
        await until(lambda: ear.last(order.id).status is OrderStatus.CANCELED)
        assert not [report for report in ear.orders(order.id) if report.lost]

    run(story)


def test_an_order_that_was_to_go_before_anybody_knew_of_it_goes_when_it_turns_up() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        order = stage.request()
        stage.fault("lost_request", verb="POST", count=1)
        exchange.submit(order)
        await until(lambda: ear.orders(order.id))
        exchange.cancel(order.id)
        await asyncio.sleep(1)
        # "Not found" says nothing of a request that may still come.
        assert ear.last(order.id).status is OrderStatus.UNKNOWN
        assert not [report for report in ear.orders(order.id) if report.refused]
        await stage.call("POST", "/order", {
            "symbol": "XBTUSD", "side": "Buy", "orderQty": 100, "clOrdID": order.id,
            "price": stage.XBTUSD.price(order.ticks or 0), "ordType": "Limit",
        })  # fmt: skip
        await until(lambda: ear.last(order.id).status is OrderStatus.CANCELED)
        assert [theirs.status for theirs in stage.theirs(order.id)] == ["Canceled"]

    run(story)


def test_news_of_the_socket_is_not_undone_by_a_later_answer() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        order = stage.request(away=0)
        exchange.submit(order)
        await until(lambda: ear.orders(order.id))
        row: dict[str, Any] = dict(stage.theirs(order.id)[0].row())
        exchange.cancel(order.id)
        await until(lambda: ear.last(order.id).status in CLOSED)
        ended = ear.last(order.id).status
        exchange.on_order_row(read(encode(row), OrderRow))
        exchange.amend(order.id, units=700)
        await until(lambda: ear.last(order.id).refused == "amend")
        assert ear.last(order.id).status is ended

    run(story)


def test_every_order_of_the_account_goes_in_one_call() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        order = stage.request()
        exchange.submit(order)
        await stage.call("POST", "/order", {"symbol": "XBTUSD", "orderQty": 100, "price": 100})
        await until(lambda: ear.orders(order.id))
        assert {report.id for report in await exchange.open_orders()} == {order.id, ""}
        await exchange.cancel_every_order()
        assert await exchange.open_orders() == []

    run(story)


def test_many_look_ups_of_one_moment_are_one_question() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        orders = [stage.request(away=100 + at) for at in range(5)]
        for order in orders:
            exchange.submit(order)
        await until(lambda: all(ear.orders(order.id) for order in orders))
        stage.answers.clear()
        ids = [*(order.id for order in orders), "nobody"]
        found = await asyncio.gather(*map(exchange.find, ids))
        assert [report.id if report else None for report in found] == [*ids[:-1], None]
        assert [route for _, route, _ in stage.answers] == ["/order", "/execution"]

    run(story)


@pytest.mark.parametrize("permissions", [frozenset[str]()], ids=["read-only"])
def test_a_key_that_may_not_trade_ends_the_run_with_a_word_on_why(permissions: frozenset[str]) -> None:
    async def story(stage: Stage) -> None:
        account = next(iter(stage.venue.accounts.values()))
        stage.running.simulator.keys.add(Key("reader", "reader-secret", account, permissions))
        exchange, ear = await stage.open(key="reader", secret="reader-secret")
        for _ in range(3):
            order = stage.request()
            exchange.submit(order)
            await until(lambda order=order: ear.orders(order.id))  # type: ignore[misc]
            assert ear.last(order.id).status is OrderStatus.REJECTED
        (error,) = stage.ended
        assert isinstance(error, AuthenticationError)
        assert "Access Denied" in error.message

    run(story)


# -- losing the connection


def test_a_lost_connection_is_told_once_and_everything_is_subscribed_again() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        exchange.subscribe(stage.XBTUSD, Channel.TRADE)
        exchange.subscribe(stage.XBTUSD, Channel.BOOK)
        order = stage.request()
        exchange.submit(order)
        await until(lambda: ear.orders(order.id) and ear.of("on_book"))
        stage.running.simulator.hub.cut()
        await until(lambda: ear.of("on_disconnected"))
        assert not exchange.is_up
        await until(lambda: len(ear.of("on_connected")) == 2)
        names = [name for name, _ in ear.heard if name in ("on_connected", "on_disconnected")]
        assert names == ["on_connected", "on_disconnected", "on_connected"]
        ear.heard.clear()
        await until(lambda: ear.of("on_trade") and ear.of("on_book"))
        exchange.cancel(order.id)
        await until(lambda: ear.orders(order.id) and ear.last(order.id).status is OrderStatus.CANCELED)
        assert exchange.health()["reconnects"] == "1"

    run(story)


def test_a_connection_that_breaks_before_it_is_logged_in_is_not_told_a_second_time() -> None:
    async def story(stage: Stage) -> None:
        _, ear = await stage.open()
        stage.running.simulator.hub.cut()
        for _ in range(3):
            await until(lambda: stage.running.simulator.hub.clients, 60)
            stage.running.simulator.hub.cut()
            await asyncio.sleep(0.1)
        await until(lambda: len(ear.of("on_connected")) == 2, 120)
        names = [name for name, _ in ear.heard if name in ("on_connected", "on_disconnected")]
        assert names == ["on_connected", "on_disconnected", "on_connected"]

    run(story, latency=0.02)


def test_fills_in_the_gap_are_heard_once_each() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        exchange.submit(stage.market(units=300))
        await until(lambda: ear.of("on_fill"))
        stage.running.simulator.hub.cut()
        await until(lambda: ear.of("on_disconnected"))
        exchange.submit(stage.market(Side.SELL, 200))
        await until(lambda: len(ear.of("on_connected")) == 2)
        account = next(iter(stage.venue.accounts))
        await asyncio.sleep(0.5)
        booked = [row["execID"] for row in stage.venue.executions[account] if row["execType"] == "Trade"]
        assert [fill.id for fill in ear.of("on_fill")] == booked
        assert len(booked) >= 2

    run(story)


def test_a_topic_asked_for_while_the_account_is_still_awaited_is_not_forgotten() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open()
        stage.running.simulator.hub.cut()
        await until(lambda: ear.of("on_disconnected"))
        await until(lambda: exchange._stream._said)  # type: ignore[union-attr]
        assert len(ear.of("on_connected")) == 1
        exchange.subscribe(stage.XBTUSD, Channel.TRADE)
        await until(lambda: ear.of("on_trade"))

    run(story, latency=0.05)


def test_it_gives_up_after_its_patience_and_says_so() -> None:
    async def story(stage: Stage) -> None:
        _, ear = await stage.open(patience=30)
        await stage.running.close()
        await until(lambda: stage.ended, 60)
        (error,) = stage.ended
        assert isinstance(error, Disconnected)
        assert error.message == "bitmex could not be connected for 30 s and gave up; is the network up?"
        assert len(ear.of("on_disconnected")) == 1

    run(story)


def test_a_key_that_is_refused_on_a_later_connection_ends_the_run() -> None:
    async def story(stage: Stage) -> None:
        keys = stage.running.simulator.keys
        account = next(iter(stage.venue.accounts.values()))
        await stage.open()
        keys.add(Key("demo", "another-secret", account))
        stage.running.simulator.hub.cut()
        await until(lambda: stage.ended, 60)
        assert isinstance(stage.ended[0], AuthenticationError)
        assert "Signature not valid" in stage.ended[0].message

    run(story)


def test_a_venue_that_lets_us_in_and_then_tells_nothing_is_hung_up_on() -> None:
    async def story(stage: Stage) -> None:
        _, ear = await stage.open()
        with pytest.MonkeyPatch.context() as patch:
            whole = Realtime._partial
            patch.setattr(
                Realtime, "_partial",
                lambda self, client, table, *rest: whole(self, client, table, *rest) if table != "margin" else {},
            )  # fmt: skip
            stage.running.simulator.hub.cut()
            await until(lambda: ear.of("on_disconnected"))
            await asyncio.sleep(25)
            assert len(ear.of("on_connected")) == 1
        await until(lambda: len(ear.of("on_connected")) == 2, 60)
        assert not stage.ended

    run(story)


# -- the dead man's switch, and leaving


def test_the_dead_mans_switch_is_set_each_quarter_and_taken_away_at_the_end() -> None:
    async def story(stage: Stage) -> None:
        exchange, _ = await stage.open(dead_man_switch=60 * SECOND)
        account = next(iter(stage.venue.accounts.values()))
        await asyncio.sleep(62)
        arms = [route for _, route, _ in stage.answers if route == "/order/cancelAllAfter"]
        assert len(arms) == 5  # at 0, 15, 30, 45 and 60 s
        assert 44 * SECOND < account.cancel_at - stage.loop.clock.now() <= 60 * SECOND
        await exchange.shut()
        assert account.cancel_at is None
        await asyncio.sleep(100)
        assert account.cancel_at is None

    run(story)


def test_a_beat_on_its_way_does_not_set_the_switch_again_after_the_end() -> None:
    async def story(stage: Stage) -> None:
        exchange, _ = await stage.open(dead_man_switch=60 * SECOND)
        account = next(iter(stage.venue.accounts.values()))
        await asyncio.sleep(14)
        stage.fault("delay", route="/order/cancelAllAfter", seconds=1.5, count=1)
        await asyncio.sleep(1.2)
        await exchange.shut()
        await asyncio.sleep(5)
        assert account.cancel_at is None

    run(story)


def test_the_switch_stays_armed_while_an_order_of_ours_stands() -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open(dead_man_switch=20 * SECOND)
        order = stage.request()
        exchange.submit(order)
        await until(lambda: ear.orders(order.id))
        await exchange.shut()
        assert stage.theirs(order.id)[0].is_open
        await asyncio.sleep(21)
        assert not stage.theirs(order.id)[0].is_open

    run(story)


def test_connections_of_one_account_have_one_switch_which_the_last_takes_away() -> None:
    async def story(stage: Stage) -> None:
        shared = Shared()
        first, _ = await stage.open(dead_man_switch=60 * SECOND, shared=shared)
        second, _ = await stage.open(dead_man_switch=60 * SECOND, shared=shared, name="again")
        account = next(iter(stage.venue.accounts.values()))
        await asyncio.sleep(31)
        assert len([route for _, route, _ in stage.answers if route == "/order/cancelAllAfter"]) == 3  # at 0, 15, 30 s
        await first.shut()
        assert account.cancel_at is not None
        await second.shut()
        assert account.cancel_at is None

    run(story)


def test_connections_of_one_account_have_one_budget() -> None:
    async def story(stage: Stage) -> None:
        shared = Shared()
        first, ear = await stage.open(shared=shared)
        second, _ = await stage.open(shared=shared, name="again")
        for _ in range(10):
            first.submit(stage.request())
            second.submit(stage.request())
        await asyncio.sleep(5)
        assert {status for _, _, status in stage.answers} == {200}
        before = second.health()["calls left"]
        first.submit(stage.request())
        await asyncio.sleep(0)
        assert first.health()["calls left"] == second.health()["calls left"] != before
        assert len(ear.of("on_order")) >= 10

    run(story)


def test_a_program_that_does_nothing_any_more_is_taken_for_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(stage: Stage) -> None:
        exchange, ear = await stage.open(dead_man_switch=20 * SECOND)
        order = stage.request()
        exchange.submit(order)
        await until(lambda: ear.orders(order.id))
        # What the program's own loop is asked to do is not done: it hangs.
        monkeypatch.setattr(stage.loop, "call_soon_threadsafe", lambda *_: None)
        await asyncio.sleep(30)
        assert stage.theirs(order.id)[0].is_open
        await asyncio.sleep(25)
        assert not stage.theirs(order.id)[0].is_open
        monkeypatch.undo()

    run(story)


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.012, 0.3, 5.0])
def test_leaving_in_the_middle_of_anything_leaves_no_task(seconds: float) -> None:
    async def story(stage: Stage) -> None:
        exchange, _ = await stage.open(dead_man_switch=60 * SECOND)
        exchange.subscribe(stage.XBTUSD, Channel.BOOK)
        orders = [stage.request(away=100 + at) for at in range(20)]
        stage.fault("overload", chance=0.5)
        for order in orders:
            exchange.submit(order)
            exchange.amend(order.id, units=500)
        for order in orders[:5]:
            exchange.cancel(order.id)
        await asyncio.sleep(seconds)
        began = stage.loop.time()
        await exchange.shut()
        assert stage.loop.time() - began < 8

    run(story, shut=False)


def test_leaving_while_the_venue_answers_nothing_takes_no_longer_than_it_must() -> None:
    async def story(stage: Stage) -> None:
        exchange, _ = await stage.open(dead_man_switch=60 * SECOND)
        stage.fault("delay", seconds=1000)
        for _ in range(5):
            exchange.submit(stage.request())
        await asyncio.sleep(0.1)
        began = stage.loop.time()
        await exchange.shut()
        assert stage.loop.time() - began <= 8

    run(story, shut=False)


def test_leaving_before_it_was_ever_open_is_harmless() -> None:
    async def story(stage: Stage) -> None:
        await stage.connector().shut()
        with pytest.raises(NotImplementedError, match="await open"):
            stage.connector().connect(None)
        with pytest.raises(NotImplementedError, match="await shut"):
            stage.connector().close()

    run(story)


def test_a_fault_of_ours_in_a_task_ends_the_run_and_is_not_silent() -> None:
    async def story(stage: Stage) -> None:
        exchange, _ = await stage.open()
        exchange.submit(stage.request(id="x" * 37))
        await until(lambda: stage.ended)
        assert "ValueError" in str(stage.ended[0])
        assert "must have 1 to 36 characters" in str(stage.ended[0])

    run(story)


# -- from a process to the next: no execution is left out, none is heard twice


def test_what_was_booked_before_a_process_began_is_not_news() -> None:
    async def story(stage: Stage) -> None:
        await stage.call("POST", "/order", {"symbol": "XBTUSD", "orderQty": 200, "ordType": "Market"})
        exchange, ear = await stage.open()
        await asyncio.sleep(2)
        assert not ear.of("on_fill")
        await stage.call("POST", "/order", {"symbol": "XBTUSD", "orderQty": 100, "ordType": "Market"})
        await until(lambda: ear.of("on_fill"))
        told = [execution.id for execution in await exchange.executions_since(0)]
        assert [fill.id for fill in ear.of("on_fill")] == told[-len(ear.of("on_fill")) :]
        stage.running.simulator.hub.cut()
        await until(lambda: len(ear.of("on_connected")) == 2)
        await asyncio.sleep(1)
        assert len(ear.of("on_fill")) < len(told), "the past is told neither at the start nor after a gap"

    run(story)


def test_other_accounts_are_none_of_our_business() -> None:
    assert set(SECRETS) == {"demo", "other"}

    async def story(stage: Stage) -> None:
        _, ear = await stage.open()
        body = {"symbol": "XBTUSD", "orderQty": 100, "ordType": "Market"}
        await stage.call("POST", "/order", body, key="other")
        await asyncio.sleep(1)
        assert not ear.of("on_fill", "on_order")

    run(story)


def test_a_session_of_aiohttp_is_closed() -> None:
    async def story(stage: Stage) -> None:
        exchange, _ = await stage.open()
        await exchange.shut()
        session = exchange._rest._http._session
        assert isinstance(session, aiohttp.ClientSession)
        assert session.closed
        with pytest.raises(ExchangeError):
            await exchange.refresh()

    run(story)


def test_the_unsigned_call_for_the_clock_takes_nothing_from_the_keys_budget() -> None:
    async def story(stage: Stage) -> None:
        exchange, _ = await stage.open()
        minute = float(exchange.health()["calls left"].split("/")[0])
        assert minute > 100, "30 a minute is what an address has, 120 a key"

    run(story)
