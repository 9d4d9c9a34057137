"""Gold: the same while things go wrong."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from io import StringIO

from hbkit import log
from hbkit.clock import SECOND
from hbkit.errors import AuthenticationError, HbkitError
from hbkit.exchange import Channel, Exchange, Listener
from hbkit.log import Secret
from hbkit.model import Execution, OrderReport, OrderRequest, OrderStatus, Side
from hbkit.testing.contract.case import ORDERS, Level, case
from hbkit.testing.contract.data import back
from hbkit.testing.contract.stage import PATIENCE, Stage, news, words
from hbkit.testing.contract.trading import agree, facts

_BURST = 30
"""Orders at once: more than any venue takes in a second."""
_WRONG = "not-the-secret-of-this-account"


class FaultCases:
    """C40 to C59."""

    @case("C40", Level.GOLD, "a burst of orders stays within the rate limit, and every one of them is answered",
          where=Exchange.submit, needs=ORDERS)  # fmt: skip
    async def test_c40_rate_limit(self, stage: Stage) -> None:
        exchange = await stage.open()
        requests = [stage.request(Side.BUY, stage.bid + 1, lots=1) for _ in range(_BURST)]
        for request in requests:
            exchange.submit(request)
        for request in requests:
            await stage.reaches(request, OrderStatus.OPEN, 120)
        stage.equal(stage.venue.too_fast, 0, "requests refused for coming too fast", Exchange.submit)
        await exchange.cancel_every_order()

    @case("C41", Level.GOLD, "the fills of a gap are there after it, each once",
          where=Exchange.executions_since, needs=ORDERS)  # fmt: skip
    async def test_c41_gap(self, stage: Stage) -> None:
        exchange = await stage.open()
        since = stage.venue.clock.now()
        request = await stage.placed(Side.BUY, stage.bid + 2, lots=6)
        assert request.ticks is not None
        stage.venue.trade(Side.SELL, request.ticks, stage.lots(1))
        await asyncio.sleep(2)
        stage.venue.cut()
        stage.venue.trade(Side.SELL, request.ticks, stage.lots(2))
        await back(stage)
        stage.venue.trade(Side.SELL, request.ticks, stage.lots(3))
        await asyncio.sleep(3)
        history = await exchange.executions_since(since)
        there = [facts(one) for one in stage.venue.executions()]
        stage.equal([facts(one) for one in history], there, "executions since the start", Exchange.executions_since)
        once(stage, history)
        found = await exchange.find(request.id)
        stage.equal(found and found.status, OrderStatus.FILLED, "the order, looked up", Exchange.find)

    @case("C42", Level.GOLD, "a restart finds the orders and the fills of the run before, and can act on them",
          where=Exchange.open_orders, needs=ORDERS)  # fmt: skip
    async def test_c42_restart(self, stage: Stage) -> None:
        exchange = await stage.open()
        since = stage.venue.clock.now()
        first = await stage.placed(Side.BUY, stage.bid + 2, lots=3)
        second = await stage.placed(Side.SELL, stage.ask - 2, lots=2)
        assert first.ticks is not None
        await stage.shut()
        stage.venue.trade(Side.SELL, first.ticks, stage.lots(1))
        await asyncio.sleep(5)
        exchange = await stage.open()
        came = {(one.id, one.exchange_id, one.filled_units, one.ticks) for one in await exchange.open_orders()}
        there = {(one.id, one.exchange_id, one.filled_units, one.ticks) for one in stage.venue.orders()}
        stage.equal(came, there, "open orders as id, exchange id, filled units, ticks", Exchange.open_orders)
        history = [facts(one) for one in await exchange.executions_since(since)]
        stage.equal(history, [facts(one) for one in stage.venue.executions()], "executions", Exchange.executions_since)
        exchange.cancel(second.id)
        await stage.until(
            lambda: stage.truth(second.id)[-1].status is OrderStatus.CANCELED,
            f"{words(second)} of the run before taken away by its id",
            lambda: f"it is {stage.truth(second.id)[-1].status} at the venue",
            Exchange.cancel,
        )

    @case("C43", Level.GOLD, "an order whose answer was lost is never forgotten and never sent twice",
          where=OrderReport, needs=ORDERS)  # fmt: skip
    async def test_c43_lost_reply(self, stage: Stage) -> None:
        exchange = await stage.open()
        stage.venue.lose_reply("submit")
        request = stage.request(Side.BUY, stage.bid + 2)
        exchange.submit(request)
        await known_or_lost(stage, request)
        there = [(one.id, one.status) for one in stage.venue.orders()]
        stage.equal(there, [(request.id, OrderStatus.OPEN)], "orders at the venue", Exchange.submit)
        found = await exchange.find(request.id)
        stage.equal(found and found.status, OrderStatus.OPEN, "the order, looked up", Exchange.find)
        exchange.cancel(request.id)
        await stage.until(
            lambda: stage.truth(request.id)[-1].status is OrderStatus.CANCELED,
            "it can be taken away",
            lambda: f"it is {stage.truth(request.id)[-1].status} at the venue",
            Exchange.cancel,
        )

    @case("C44", Level.GOLD, "an order that never arrived is told as lost, with the moment from which that is certain",
          where=OrderReport, needs=ORDERS)  # fmt: skip
    async def test_c44_lost_request(self, stage: Stage) -> None:
        exchange = await stage.open()
        stage.venue.lose_request("submit")
        request = stage.request(Side.BUY, stage.bid + 2)
        exchange.submit(request)
        report = await known_or_lost(stage, request)
        if report is None:
            return  # it was sent again, where that is certain to do no harm, and stands
        wait = (report.expires - exchange.server_now()) / SECOND
        stage.holds(0 < wait <= 120, "expires within two minutes from now", f"in {wait:g} s", OrderReport)
        await asyncio.sleep(wait + 10)
        stage.equal(stage.venue.orders(), [], "orders at the venue after it expired", OrderReport)
        stage.equal(await exchange.find(request.id), None, "the order, looked up", Exchange.find)

    @case("C45", Level.GOLD, "a cancel whose answer was lost: the order ends, and is told or found to have ended",
          where=Exchange.cancel, needs=ORDERS)  # fmt: skip
    async def test_c45_lost_cancel(self, stage: Stage) -> None:
        exchange = await stage.open()
        request = await stage.placed(Side.BUY, stage.bid + 2)
        stage.venue.lose_reply("cancel")
        exchange.cancel(request.id)
        await asyncio.sleep(PATIENCE)
        told, found = stage.heard.status(request.id), await exchange.find(request.id)
        stage.equal(stage.truth(request.id)[-1].status, OrderStatus.CANCELED, "at the venue", Exchange.cancel)
        stage.equal(found and found.status, OrderStatus.CANCELED, "the order, looked up", Exchange.find)
        reports = stage.heard.of(request.id)
        fine = told is OrderStatus.CANCELED or any(one.lost == "cancel" for one in reports)
        stage.holds(fine, "told as canceled, or as lost", news(reports), OrderReport)

    @case("C46", Level.GOLD, "an amend whose answer was lost is told as lost or as done, never as turned down",
          where=Exchange.amend, needs=(ORDERS, "amend"))  # fmt: skip
    async def test_c46_lost_amend(self, stage: Stage) -> None:
        exchange = await stage.open()
        request = await stage.placed(Side.BUY, stage.bid + 2)
        assert request.ticks is not None
        stage.venue.lose_reply("amend")
        exchange.amend(request.id, ticks=request.ticks + 1)
        await asyncio.sleep(PATIENCE)
        reports = stage.heard.of(request.id)
        stage.equal([one.refused for one in reports if one.refused], [], "refusals", OrderReport)
        done = any(one.ticks == request.ticks + 1 for one in reports)
        lost = any(one.lost == "amend" for one in reports)
        stage.holds(done or lost, "told as done, or as lost", news(reports), OrderReport)
        found = await exchange.find(request.id)
        stage.equal(found and found.ticks, request.ticks + 1, "ticks of the order, looked up", Exchange.find)

    @case("C47", Level.GOLD, "a message that comes twice changes nothing: a fill has one id, an order does not go back",
          where=Listener.on_fill, needs=ORDERS)  # fmt: skip
    async def test_c47_repeated(self, stage: Stage) -> None:
        exchange = await stage.open()
        stage.venue.repeat()
        request = await stage.placed(Side.SELL, stage.ask - 2, lots=3)
        assert request.ticks is not None
        for lots in (1, 2):
            stage.venue.trade(Side.BUY, request.ticks, stage.lots(lots))
            await asyncio.sleep(1)
        await stage.reaches(request, OrderStatus.FILLED)
        await stage.taken(Side.BUY, lots=1)
        await asyncio.sleep(1)
        once(stage, [])
        stage.equal(await exchange.open_orders(), [], "open orders", Exchange.open_orders)

    @case("C48", Level.GOLD, "an answer that comes after later news does not undo it",
          where=Listener.on_order, needs=ORDERS)  # fmt: skip
    async def test_c48_reordered(self, stage: Stage) -> None:
        exchange = await stage.open()
        stage.venue.late_reply("submit", 3.0)
        request = stage.request(Side.BUY, stage.bid + 2)
        exchange.submit(request)
        await asyncio.sleep(1)
        assert request.ticks is not None
        stage.venue.trade(Side.SELL, request.ticks, request.units)
        await asyncio.sleep(1)
        stage.equal(
            stage.heard.status(request.id), OrderStatus.FILLED, "told before the answer came", Listener.on_order
        )
        await asyncio.sleep(5)
        stage.equal(stage.heard.status(request.id), OrderStatus.FILLED, "status after the answer", Listener.on_order)
        agree(stage)

    @case("C49", Level.GOLD, "a machine's clock that is minutes off trades all the same",
          where=Exchange.server_now, needs=ORDERS)  # fmt: skip
    async def test_c49_clock(self, stage: Stage) -> None:
        for seconds in (-180.0, 180.0):
            try:
                exchange = await stage.open(seconds_off=seconds)
            except HbkitError as error:
                stage.broken(f"open with a clock that is off by {seconds:g} s", f"{error}", Exchange.open)
            request = await stage.placed(Side.BUY, stage.bid + 2)
            exchange.cancel(request.id)
            await stage.reaches(request, OrderStatus.CANCELED)
            off = (exchange.server_now() - stage.venue.clock.now()) / SECOND
            stage.holds(
                abs(off) < 2, "server_now within 2 s of the venue's clock", f"{off:+.3f} s", Exchange.server_now
            )
            await stage.shut()

    @case("C50", Level.GOLD, "shut leaves nothing behind in the middle of things either", where=Exchange.shut)
    async def test_c50_shut_busy(self, stage: Stage) -> None:
        before, connections = set(stage.loop.waiting()), stage.venue.connections
        exchange = await stage.open()
        if stage.declared.time_in_force:
            for away in range(1, 5):
                exchange.submit(stage.request(Side.BUY, stage.bid + away))
        stage.venue.cut()
        await asyncio.sleep(0.05)
        await stage.shut()
        told = stage.heard.told
        await asyncio.sleep(2)
        left = [task.get_name() for task in stage.loop.waiting() if task not in before]
        stage.equal(left, [], "tasks left", Exchange.shut)
        stage.equal(stage.venue.connections, connections, "open connections", Exchange.shut)
        stage.equal(stage.heard.told - told, 0, "words after shut", Exchange.close)

    @case("C51", Level.GOLD, "a wrong key is told as such at the start", where=Exchange.open, needs=ORDERS)
    async def test_c51_wrong_key(self, stage: Stage) -> None:
        wrong = Secret(_WRONG)
        try:
            await stage.open(secret=wrong)
        except AuthenticationError as error:
            stage.holds(_WRONG not in str(error), "no secret in the message", "it is there", Secret)
        except HbkitError as error:
            stage.broken("AuthenticationError", f"{type(error).__name__}: {error.message}", Exchange.open)
        else:
            stage.broken("AuthenticationError", "it opened", Exchange.open)

    @case("C52", Level.GOLD, "no line of the log holds a secret, even before it is masked", where=Secret)
    async def test_c52_secrets(self, stage: Stage) -> None:
        said, masked = StringIO(), log.redact
        log.configure(level="debug", stream=said, clock=stage.loop.clock)
        log.redact = lambda text: text
        try:
            await everything(stage)
        finally:
            log.redact = masked
            log.close()
        secrets = (stage.venue.secret.reveal(), _WRONG)
        lines = [line for line in said.getvalue().splitlines() if any(secret in line for secret in secrets)]
        stage.equal([masked(line) for line in lines], [], "lines with the secret (shown masked)", Secret)

    @case("C53", Level.GOLD, "several breaks in a row lose nothing and leave one connection",
          where=Listener.on_disconnected, needs=ORDERS)  # fmt: skip
    async def test_c53_breaks(self, stage: Stage) -> None:
        exchange = await stage.open()
        await asyncio.sleep(3)
        alone, since = stage.venue.connections, stage.venue.clock.now()
        request = await stage.placed(Side.BUY, stage.bid + 2, lots=6)
        assert request.ticks is not None
        for pause in (0.0, 0.3, 2.0, 5.0):
            stage.venue.cut()
            stage.venue.trade(Side.SELL, request.ticks, stage.lots(1))
            await asyncio.sleep(pause)
        await stage.until(
            lambda: stage.heard.ups == stage.heard.downs + 1, "up again", lambda: f"{stage.heard.ups} ups, "
            f"{stage.heard.downs} downs", Listener.on_connected, 120,
        )  # fmt: skip
        await asyncio.sleep(3)
        once(stage, await exchange.executions_since(since))
        stage.holds(stage.venue.connections <= alone, f"at most {alone} connections", stage.venue.connections, Exchange)


# -- what several cases do


def once(stage: Stage, history: list[Execution]) -> None:
    """What was told, and what the history says, is together what the venue booked: each id once, none left out."""
    ours = {one.id: facts(one) for one in (*history, *stage.heard.fills)}
    there = {one.id: facts(one) for one in stage.venue.executions()}
    stage.equal(ours, there, "executions by their id", Listener.on_fill)


async def known_or_lost(stage: Stage, request: OrderRequest) -> OrderReport | None:
    """Until something was told of a request whose answer was lost; the report that tells so, None if it stands."""
    await stage.until(
        lambda: stage.heard.status(request.id) is not OrderStatus.PENDING,
        f"{words(request)}: told as lost (status unknown, lost=submit), or as it stands",
        lambda: news(stage.heard.of(request.id)),
        OrderReport,
    )
    status = stage.heard.status(request.id)
    fine = status in (OrderStatus.UNKNOWN, OrderStatus.OPEN)
    stage.holds(fine, "unknown, or open: silence is no fact", news(stage.heard.of(request.id)), OrderReport)
    await asyncio.sleep(3)
    lost = next((one for one in stage.heard.of(request.id) if one.lost), None)
    if stage.heard.status(request.id) is OrderStatus.UNKNOWN:
        stage.equal(lost and lost.lost, "submit", "which request was lost", OrderReport)
        return lost
    return None


async def everything(stage: Stage) -> None:
    """A short life with a bit of all in it."""
    exchange = await stage.open()
    if Channel.TRADE in stage.declared.channels:
        exchange.subscribe(stage.instrument, Channel.TRADE)
    if stage.declared.time_in_force:
        request = await stage.placed(Side.BUY, stage.bid + 2)
        exchange.submit(stage.request(Side.BUY, stage.bid, lots=1_000_000_000))
        exchange.cancel(request.id)
        await stage.reaches(request, OrderStatus.CANCELED)
    stage.venue.cut()
    await back(stage)
    await stage.shut()
    with suppress(HbkitError):
        await stage.open(secret=Secret(_WRONG))
    await stage.shut()
