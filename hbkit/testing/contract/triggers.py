"""Silver: orders of which others see only a part, and those that wait for a price: stops, stop limits, take profits."""

from __future__ import annotations

import asyncio
from typing import Any

from hbkit.exchange import Capabilities, Channel, Exchange
from hbkit.model import (
    Liquidity,
    OrderReport,
    OrderRequest,
    OrderStatus,
    PositionSide,
    Side,
    TriggerBy,
    TriggerKind,
)
from hbkit.testing.contract.case import ORDERS, POSITIONS, Level, case
from hbkit.testing.contract.stage import Stage, news
from hbkit.testing.contract.trading import agree

TRIGGERS = (ORDERS, "triggers")
_WAITING = OrderStatus.UNTRIGGERED


class TriggerCases:
    """C62 to C69, and with faults C54 and C55."""

    @case("C62", Level.SILVER, "of an order with a display quantity the market sees that much, and all of it fills",
          where=Capabilities, needs=(ORDERS, "display_qty"))  # fmt: skip
    async def test_c62_display(self, stage: Stage) -> None:
        await stage.open()
        request = await stage.placed(Side.BUY, stage.bid + 2, lots=6, display_units=stage.lots(2))
        assert request.ticks is not None
        for done in (2, 4, 6):
            seen = stage.venue.shown(Side.BUY, request.ticks)
            stage.equal(seen, stage.lots(2), f"units shown after {done - 2} lots of 6 filled", OrderRequest)
            stage.venue.trade(Side.SELL, request.ticks, stage.lots(2))
            await asyncio.sleep(1)
            filled = sum(stage.heard.filled(request.id).values())
            stage.equal(filled, stage.lots(done), "units filled", OrderRequest)
        await stage.reaches(request, OrderStatus.FILLED)
        agree(stage)

    @case("C63", Level.SILVER, "a stop waits in no book until its price is reached, and then takes, once",
          where=OrderRequest, needs=TRIGGERS)  # fmt: skip
    async def test_c63_stop(self, stage: Stage) -> None:
        exchange = await stage.open()
        asked: list[str] = []
        for side in Side:
            middle = await last_in_the_middle(stage)
            trigger = middle + 4 * side.sign
            request = await waiting(stage, side, trigger)
            listed = [one.id for one in await exchange.open_orders()]
            stage.equal(listed, [request.id], "open orders while it waits", Exchange.open_orders)
            report = stage.heard.of(request.id)[-1]
            stage.equal((report.trigger_ticks, report.triggered), (trigger, False), "trigger, triggered", OrderReport)
            before = len(stage.venue.executions())
            for ticks in (trigger - side.sign, middle - 6 * side.sign):
                await printed(stage, ticks)
            came = (stage.heard.status(request.id), len(stage.venue.executions()) - before)
            stage.equal(came, (_WAITING, 0), "status and executions before the trigger", OrderRequest)
            await printed(stage, trigger)
            await stage.reaches(request, OrderStatus.FILLED)
            for ticks in (trigger - side.sign, trigger, trigger + side.sign):
                await printed(stage, ticks)
            filled = sum(stage.heard.filled(request.id).values())
            stage.equal(filled, request.units, f"units of a {side} stop that filled", OrderRequest)
            roles = {fill.liquidity for fill in stage.heard.fills if fill.order_id == request.id}
            stage.equal(roles, {Liquidity.TAKER}, "liquidity", OrderRequest)
            stage.holds(stage.heard.of(request.id)[-1].triggered, "told as triggered", "it was not", OrderReport)
            asked.append(request.id)
            stage.equal([one.id for one in stage.venue.orders()], asked, "orders at the venue", OrderRequest)
        agree(stage)

    @case("C64", Level.SILVER, "a trigger looks at the price that was named, and at no other",
          where=TriggerBy, needs=(*TRIGGERS, POSITIONS))  # fmt: skip
    async def test_c64_which_price(self, stage: Stage) -> None:
        await stage.open()
        middle = await last_in_the_middle(stage)
        stage.venue.mark(stage.instrument.price(middle))
        await asyncio.sleep(1)
        by_last = await waiting(stage, Side.BUY, middle + 4)
        by_mark = await waiting(stage, Side.SELL, middle - 4, trigger_by=TriggerBy.MARK)
        stage.venue.mark(stage.instrument.price(middle + 6))
        await printed(stage, middle - 6)
        told = [stage.heard.status(one.id) for one in (by_last, by_mark)]
        stage.equal(told, [_WAITING] * 2, "after the other price passed each trigger", TriggerBy)
        stage.venue.mark(stage.instrument.price(middle - 4))
        await stage.reaches(by_mark, OrderStatus.FILLED)
        stage.equal(stage.heard.status(by_last.id), _WAITING, "the one by the last price", TriggerBy)
        await printed(stage, middle + 4)
        await stage.reaches(by_last, OrderStatus.FILLED)
        agree(stage)

    @case("C65", Level.SILVER, "a stop with a price rests at it once it was triggered, if it finds nothing to take",
          where=OrderRequest, needs=TRIGGERS)  # fmt: skip
    async def test_c65_stop_limit(self, stage: Stage) -> None:
        await stage.open()
        middle = await last_in_the_middle(stage)
        request = await waiting(stage, Side.BUY, middle + 4, ticks=middle + 2)
        await printed(stage, middle + 4)
        await stage.reaches(request, OrderStatus.OPEN)
        report = stage.heard.of(request.id)[-1]
        stage.equal((report.ticks, report.filled_units), (middle + 2, 0), "ticks, filled units", OrderReport)
        stage.venue.trade(Side.SELL, middle + 2, request.units)
        await stage.reaches(request, OrderStatus.FILLED)
        await asyncio.sleep(1)
        roles = {fill.liquidity for fill in stage.heard.fills}
        stage.equal(roles, {Liquidity.MAKER}, "liquidity", OrderRequest)
        agree(stage)

    @case("C66", Level.SILVER, "a take profit waits for the price to come its way, where a stop would fire at once",
          where=TriggerKind, needs=TRIGGERS)  # fmt: skip
    async def test_c66_take_profit(self, stage: Stage) -> None:
        await stage.open()
        for side in Side:
            middle = await last_in_the_middle(stage)
            trigger = middle - 4 * side.sign
            request = await waiting(stage, side, trigger, trigger_kind=TriggerKind.TAKE_PROFIT)
            await printed(stage, trigger + side.sign)
            stage.equal(stage.heard.status(request.id), _WAITING, "a tick before the trigger", TriggerKind)
            await printed(stage, trigger)
            await stage.reaches(request, OrderStatus.FILLED)
        agree(stage)

    @case("C67", Level.SILVER, "a waiting order that was taken away does not fire",
          where=Exchange.cancel, needs=TRIGGERS)  # fmt: skip
    async def test_c67_cancel_waiting(self, stage: Stage) -> None:
        exchange = await stage.open()
        middle = await last_in_the_middle(stage)
        first = await waiting(stage, Side.BUY, middle + 4)
        second = await waiting(stage, Side.BUY, middle + 5)
        exchange.cancel(first.id)
        await stage.reaches(first, OrderStatus.CANCELED)
        await printed(stage, middle + 4)
        stage.equal(stage.venue.executions(), [], "executions at the trigger of the first", Exchange.cancel)
        await exchange.cancel_every_order()
        await stage.reaches(second, OrderStatus.CANCELED)
        await printed(stage, middle + 6)
        stage.equal(stage.venue.executions(), [], "executions after both triggers", Exchange.cancel)
        stage.equal(await exchange.open_orders(), [], "open orders", Exchange.open_orders)

    @case("C68", Level.SILVER, "an order that closes a position opens none when it fires too late",
          where=OrderRequest, needs=(*TRIGGERS, "reduce_only"))  # fmt: skip
    async def test_c68_protective_stop(self, stage: Stage) -> None:
        await stage.open()
        await stage.taken(Side.BUY, lots=2)
        middle = await last_in_the_middle(stage)
        first = await waiting(stage, Side.SELL, middle - 4, reduce_only=True)
        second = await waiting(stage, Side.SELL, middle - 5, reduce_only=True)
        await printed(stage, middle - 4)
        await stage.reaches(first, OrderStatus.FILLED)
        await printed(stage, middle - 6)
        await stage.until(
            lambda: stage.heard.status(second.id).is_final,
            "the second stop ends, for nothing is left to close",
            lambda: news(stage.heard.of(second.id)),
            OrderRequest,
        )
        await asyncio.sleep(1)
        stage.equal(stage.venue.positions(), [], "positions", OrderRequest)
        agree(stage)

    @case("C69", Level.SILVER, "an amended waiting order fires at its new trigger, and not at the old one",
          where=Exchange.amend, needs=(*TRIGGERS, "amend"))  # fmt: skip
    async def test_c69_amend_trigger(self, stage: Stage) -> None:
        exchange = await stage.open()
        middle = await last_in_the_middle(stage)
        request = await waiting(stage, Side.BUY, middle + 3)
        exchange.amend(request.id, units=stage.lots(4), trigger_ticks=middle + 6)

        def amended() -> bool:
            last = stage.heard.of(request.id)[-1]
            return (last.trigger_ticks, last.units) == (middle + 6, stage.lots(4))

        await stage.until(
            amended,
            f"{request.id} with trigger {middle + 6} ticks and {stage.lots(4)} units",
            lambda: news(stage.heard.of(request.id)),
            Exchange.amend,
        )
        await printed(stage, middle + 4)
        stage.equal(stage.heard.status(request.id), _WAITING, "after the old trigger", Exchange.amend)
        await printed(stage, middle + 6)
        await stage.reaches(request, OrderStatus.FILLED)
        await asyncio.sleep(1)
        stage.equal(sum(stage.heard.filled(request.id).values()), stage.lots(4), "units filled", Exchange.amend)
        agree(stage)

    @case("C54", Level.GOLD, "a waiting order of the run before is found as waiting, and fires once",
          where=Exchange.open_orders, needs=TRIGGERS)  # fmt: skip
    async def test_c54_restart_waiting(self, stage: Stage) -> None:
        await stage.open()
        since = stage.venue.clock.now()
        middle = await last_in_the_middle(stage)
        request = await waiting(stage, Side.SELL, middle - 4)
        await stage.shut()
        exchange = await stage.open()
        came = [(one.id, one.status, one.trigger_ticks) for one in await exchange.open_orders()]
        stage.equal(came, [(request.id, _WAITING, middle - 4)], "id, status, trigger ticks", Exchange.open_orders)
        await printed(stage, middle - 4)
        await stage.until(
            lambda: sum(stage.heard.filled(request.id).values()) == request.units,
            f"fills over {request.units} units after the trigger",
            lambda: f"{stage.heard.fills}",
            Exchange.open_orders,
        )
        agree(stage)
        history = {one.id for one in await exchange.executions_since(since)}
        stage.equal(history, {one.id for one in stage.venue.executions()}, "history", Exchange.executions_since)

    @case("C55", Level.GOLD, "an order that fired in a gap is found so after it, and fires once",
          where=Exchange.executions_since, needs=TRIGGERS)  # fmt: skip
    async def test_c55_fired_in_a_gap(self, stage: Stage) -> None:
        exchange = await stage.open()
        since = stage.venue.clock.now()
        middle = await last_in_the_middle(stage)
        request = await waiting(stage, Side.BUY, middle + 4)
        await asyncio.sleep(3)
        stage.venue.cut()
        stage.venue.trade(Side.BUY, middle + 4, stage.lots(1))
        await stage.until(
            lambda: stage.heard.ups >= 2, "connected again", lambda: f"{stage.heard.ups} ups", Exchange, 90
        )
        stage.venue.repeat()
        await printed(stage, middle + 5)
        found = await exchange.find(request.id)
        stage.equal(found and (found.status, found.triggered), (OrderStatus.FILLED, True), "looked up", Exchange.find)
        history = {one.id: one.units for one in await exchange.executions_since(since)}
        told = history | {one.id: one.units for one in stage.heard.fills}
        stage.equal(sum(told.values()), request.units, "units filled, each id once", Exchange.executions_since)


async def last_in_the_middle(stage: Stage) -> int:
    """The last price half-way between the best levels, told and settled; its ticks."""
    middle = (stage.bid + stage.ask) // 2
    if Channel.TRADE in stage.declared.channels:
        stage.exchange.subscribe(stage.instrument, Channel.TRADE)
    await printed(stage, middle)
    return middle


async def printed(stage: Stage, ticks: int) -> None:
    """A trade of one lot at a price, and the time to hear of what it triggers."""
    stage.venue.trade(Side.BUY, ticks, stage.lots(1))
    await asyncio.sleep(1)


async def waiting(stage: Stage, side: Side, trigger: int, ticks: int | None = None, **options: Any) -> OrderRequest:
    """An order that waits for its trigger, by the last price unless told otherwise."""
    options.setdefault("trigger_by", TriggerBy.LAST)
    request = stage.request(side, ticks, trigger_ticks=trigger, position_side=PositionSide.NET, **options)
    stage.exchange.submit(request)
    await stage.reaches(request, _WAITING)
    return request
