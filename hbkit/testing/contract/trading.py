"""Silver: orders, fills and positions, while all goes well."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import msgspec

from hbkit.clock import duration_text, parse_duration
from hbkit.errors import HbkitError
from hbkit.exchange import Capabilities, Channel, Exchange, Listener
from hbkit.model import (
    Execution,
    Instrument,
    Liquidity,
    OrderReport,
    OrderStatus,
    PositionMode,
    PositionModeChange,
    PositionSide,
    Side,
    TimeInForce,
)
from hbkit.testing.contract.case import ORDERS, POSITIONS, Level, case, has
from hbkit.testing.contract.stage import PATIENCE, Stage, news

_HUGE = 1_000_000_000
"""Lots that nobody can pay for."""


class TradingCases:
    """C20 to C39."""

    @case("C20", Level.SILVER, "an order is acknowledged with its own id, the exchange's, price and quantity",
          where=Exchange.submit, needs=ORDERS)  # fmt: skip
    async def test_c20_acknowledged(self, stage: Stage) -> None:
        await stage.open()
        request = await stage.placed(Side.BUY, stage.bid + 2, lots=3)
        report = stage.heard.of(request.id)[-1]
        came = (report.side, report.ticks, report.units, report.filled_units, report.position_side)
        expected = (Side.BUY, request.ticks, request.units, 0, PositionSide.NET)
        stage.equal(came, expected, "side, ticks, units, filled units, leg", OrderReport)
        there = [(one.side, one.ticks, one.units, one.status) for one in stage.truth(request.id)]
        expected_there = [(Side.BUY, request.ticks, request.units, OrderStatus.OPEN)]
        stage.equal(there, expected_there, "the order at the venue", Exchange.submit)
        stage.equal(report.exchange_id, stage.truth(request.id)[0].exchange_id, "the exchange's id", OrderReport)

    @case("C21", Level.SILVER, "each fill is told once, with its order, side, price and quantity",
          where=Listener.on_fill, needs=ORDERS)  # fmt: skip
    async def test_c21_fills(self, stage: Stage) -> None:
        await stage.open()
        request = await stage.placed(Side.SELL, stage.ask - 2, lots=3)
        for lots in (1, 2):
            assert request.ticks is not None
            stage.venue.trade(Side.BUY, request.ticks, stage.lots(lots))
            await asyncio.sleep(1)
            wanted = OrderStatus.PARTIALLY_FILLED if lots == 1 else OrderStatus.FILLED
            await stage.reaches(request, wanted)
            filled = stage.heard.of(request.id)[-1].filled_units
            stage.equal(filled, stage.lots(1 if lots == 1 else 3), "filled units", OrderReport)
        agree(stage)
        stage.equal([fill.order_id for fill in stage.heard.fills], [request.id] * 2, "the order of each", Execution)

    @case("C22", Level.SILVER, "a market order takes: its fills are a taker's, with the fee that was paid",
          where=Execution, needs=ORDERS)  # fmt: skip
    async def test_c22_taker(self, stage: Stage) -> None:
        await stage.open()
        request = await stage.taken(Side.BUY, lots=3)
        roles = {fill.liquidity for fill in stage.heard.fills if fill.order_id == request.id}
        stage.equal(roles, {Liquidity.TAKER}, "liquidity", Execution)
        agree(stage)
        money(stage)

    @case("C23", Level.SILVER, "an order that rested makes: its fills are a maker's",
          where=Execution, needs=ORDERS)  # fmt: skip
    async def test_c23_maker(self, stage: Stage) -> None:
        await stage.open()
        request = await stage.placed(Side.BUY, stage.bid + 3)
        assert request.ticks is not None
        stage.venue.trade(Side.SELL, request.ticks, request.units)
        await stage.reaches(request, OrderStatus.FILLED)
        await asyncio.sleep(1)
        roles = {fill.liquidity for fill in stage.heard.fills if fill.order_id == request.id}
        stage.equal(roles, {Liquidity.MAKER}, "liquidity", Execution)
        agree(stage)
        money(stage)

    @case("C24", Level.SILVER, "a position is signed: above 0 when long, below when short, absent when flat",
          where=Exchange.positions, needs=(ORDERS, POSITIONS))  # fmt: skip
    async def test_c24_positions(self, stage: Stage) -> None:
        exchange = await stage.open()
        for side, lots, held in ((Side.BUY, 2, 2), (Side.SELL, 5, -3), (Side.BUY, 3, 0)):
            await stage.taken(side, lots)
            await asyncio.sleep(1)
            came = [(one.instrument.symbol, one.side, one.units) for one in await exchange.positions()]
            expected = [(stage.instrument.symbol, PositionSide.NET, stage.lots(held))] if held else []
            stage.equal(came, expected, f"positions after {side} of {lots} lots", Exchange.positions)

    @case("C25", Level.SILVER, "an order that the exchange turns down is told as rejected, with the reason",
          where=OrderReport, needs=ORDERS)  # fmt: skip
    async def test_c25_refused(self, stage: Stage) -> None:
        exchange = await stage.open()
        request = stage.request(Side.BUY, stage.bid, lots=_HUGE)
        exchange.submit(request)
        await stage.reaches(request, OrderStatus.REJECTED)
        report = stage.heard.of(request.id)[-1]
        stage.equal(report.refused, "submit", "refused", OrderReport)
        stage.holds(bool(report.reason), "a reason in words", report, OrderReport)

    @case("C26", Level.SILVER, "an amended order keeps its id and has the new price and quantity",
          where=Exchange.amend, needs=(ORDERS, "amend"))  # fmt: skip
    async def test_c26_amend(self, stage: Stage) -> None:
        exchange = await stage.open()
        request = await stage.placed(Side.BUY, stage.bid + 2, lots=2)
        assert request.ticks is not None
        for ticks, lots in ((request.ticks + 1, None), (None, 5), (request.ticks + 3, 4)):
            before = len(stage.heard.reports)
            units = None if lots is None else stage.lots(lots)
            exchange.amend(request.id, ticks=ticks, units=units)

            def amended(ticks: int | None = ticks, units: int | None = units) -> bool:
                last = stage.heard.of(request.id)[-1]
                return ticks in (None, last.ticks) and units in (None, last.units) and not last.refused

            await stage.until(
                amended,
                f"{request.id} at {ticks} ticks, {units} units (None: as before)",
                lambda before=before: news(stage.heard.reports[before:]),  # type: ignore[misc]
                Exchange.amend,
            )
            last = stage.heard.of(request.id)[-1]
            (there,) = stage.truth(request.id)
            stage.equal(
                (last.ticks, last.units), (there.ticks, there.units), "ticks, units as at the venue", OrderReport
            )
            strangers = {one.id for one in stage.heard.reports} - {request.id}
            stage.equal(strangers, set(), "ids that nobody gave", Exchange.amend)
        stage.equal(stage.heard.status(request.id), OrderStatus.OPEN, "status", OrderReport)

    @case("C27", Level.SILVER, "an amend that is turned down says so and leaves the order as it was",
          where=OrderReport, needs=(ORDERS, "amend"))  # fmt: skip
    async def test_c27_amend_refused(self, stage: Stage) -> None:
        exchange = await stage.open()
        request = await stage.placed(Side.BUY, stage.bid + 2, lots=2)
        exchange.amend(request.id, units=stage.lots(_HUGE))
        await stage.until(
            lambda: any(one.refused == "amend" for one in stage.heard.of(request.id)),
            "a report with refused=amend",
            lambda: news(stage.heard.of(request.id)),
            OrderReport,
        )
        report = next(one for one in stage.heard.of(request.id) if one.refused)
        came = (report.status, report.ticks, report.units, bool(report.reason))
        stage.equal(came, (OrderStatus.OPEN, request.ticks, request.units, True), "the order as it stands", OrderReport)

    @case("C28", Level.SILVER, "a cancel takes away the order that was named, and no other",
          where=Exchange.cancel, needs=ORDERS)  # fmt: skip
    async def test_c28_cancel(self, stage: Stage) -> None:
        exchange = await stage.open()
        first = await stage.placed(Side.BUY, stage.bid + 2)
        second = await stage.placed(Side.BUY, stage.bid + 1)
        exchange.cancel(first.id)
        await stage.reaches(first, OrderStatus.CANCELED)
        await asyncio.sleep(1)
        told = [stage.heard.status(one.id) for one in (first, second)]
        there = [stage.truth(one.id)[-1].status for one in (first, second)]
        expected = [OrderStatus.CANCELED, OrderStatus.OPEN]
        stage.equal((told, there), (expected, expected), "first and second, told and at the venue", Exchange.cancel)

    @case("C29", Level.SILVER, "a cancel names the order by our id, or by the exchange's",
          where=Exchange.cancel, needs=ORDERS)  # fmt: skip
    async def test_c29_either_id(self, stage: Stage) -> None:
        exchange = await stage.open()
        first = await stage.placed(Side.SELL, stage.ask - 2)
        second = await stage.placed(Side.SELL, stage.ask - 3)
        await stage.shut()
        exchange = await stage.open()
        theirs = {report.id: report.exchange_id for report in await exchange.open_orders()}[first.id]
        exchange.cancel(theirs)
        exchange.cancel(second.id)
        for request, name in ((first, theirs), (second, second.id)):
            await stage.until(
                lambda request=request: stage.truth(request.id)[-1].status is OrderStatus.CANCELED,  # type: ignore[misc]
                f"{request.id} taken away by the name {name}",
                lambda request=request: (  # type: ignore[misc]
                    f"it is {stage.truth(request.id)[-1].status} at the venue; told: {news(stage.heard.reports)}"
                ),
                Exchange.cancel,
            )

    @case("C30", Level.SILVER, "a cancel that comes too late says so and does not undo the fill",
          where=OrderReport, needs=ORDERS)  # fmt: skip
    async def test_c30_late_cancel(self, stage: Stage) -> None:
        exchange = await stage.open()
        request = await stage.taken(Side.BUY)
        exchange.cancel(request.id)
        await stage.until(
            lambda: any(one.refused == "cancel" for one in stage.heard.of(request.id)),
            "a report with refused=cancel",
            lambda: news(stage.heard.of(request.id)),
            OrderReport,
        )
        stage.equal(stage.heard.of(request.id)[-1].status, OrderStatus.FILLED, "its present status", OrderReport)

    @case("C31", Level.SILVER, "a reduce-only order closes at most what is there",
          where=Capabilities, needs=(ORDERS, "reduce_only"))  # fmt: skip
    async def test_c31_reduce_only(self, stage: Stage) -> None:
        exchange = await stage.open()
        await stage.taken(Side.BUY, lots=2)
        request = stage.request(Side.SELL, None, lots=5, reduce_only=True)
        exchange.submit(request)
        await stage.until(
            lambda: stage.heard.status(request.id).is_final,
            "a reduce-only order over more than the position ends",
            lambda: news(stage.heard.of(request.id)),
            Capabilities,
        )
        await asyncio.sleep(1)
        held = sum(one.units for one in stage.venue.positions())
        stage.equal(held, 0, "units held after a reduce-only sell of 5 lots from 2 lots long", Capabilities)
        agree(stage)

    @case("C32", Level.SILVER, "a post-only order never takes: it rests, or it ends with a reason",
          where=Capabilities, needs=(ORDERS, "post_only"))  # fmt: skip
    async def test_c32_post_only(self, stage: Stage) -> None:
        exchange = await stage.open()
        eager = stage.request(Side.BUY, stage.ask + 1, post_only=True)
        exchange.submit(eager)
        await stage.until(
            lambda: stage.heard.status(eager.id).is_final,
            "a post-only order that would take ends",
            lambda: news(stage.heard.of(eager.id)),
            Capabilities,
        )
        last = stage.heard.of(eager.id)[-1]
        stage.holds(
            last.status in (OrderStatus.CANCELED, OrderStatus.REJECTED), "canceled or rejected", last, OrderReport
        )
        stage.holds(bool(last.reason), "a reason in words", last, OrderReport)
        stage.equal(stage.venue.executions(), [], "executions at the venue", Capabilities)
        await stage.placed(Side.BUY, stage.bid + 1, post_only=True)

    @case("C33", Level.SILVER, "an immediate order never rests: what finds nothing is canceled",
          where=TimeInForce, needs=TimeInForce.IOC)  # fmt: skip
    async def test_c33_immediate(self, stage: Stage) -> None:
        exchange = await stage.open()
        request = stage.request(Side.BUY, stage.bid + 2, time_in_force=TimeInForce.IOC)
        exchange.submit(request)
        await stage.reaches(request, OrderStatus.CANCELED)
        stage.equal(stage.truth(request.id)[-1].status, OrderStatus.CANCELED, "at the venue", TimeInForce)

    @case("C34", Level.SILVER, "in hedge mode long and short stand beside each other",
          where=PositionSide, needs=(ORDERS, "hedge_mode"))  # fmt: skip
    async def test_c34_hedge(self, stage: Stage) -> None:
        exchange = await stage.open()
        exchange.set_position_mode(PositionMode.HEDGE)
        await mode_is(stage, PositionMode.HEDGE)
        await stage.taken(Side.BUY, 3, position_side=PositionSide.LONG)
        await stage.taken(Side.SELL, 2, position_side=PositionSide.SHORT)
        await asyncio.sleep(1)
        came = {one.side: one.units for one in await exchange.positions()}
        expected = {PositionSide.LONG: stage.lots(3), PositionSide.SHORT: -stage.lots(2)}
        stage.equal(came, expected, "legs", Exchange.positions)
        legs = [fill.position_side for fill in stage.heard.fills]
        stage.equal(legs, [PositionSide.LONG, PositionSide.SHORT], "legs of the fills", Execution)

    @case("C35", Level.SILVER, "the position mode is read at the start, and each change of it is told",
          where=PositionModeChange, needs=ORDERS)  # fmt: skip
    async def test_c35_mode(self, stage: Stage) -> None:
        exchange = await stage.open()
        stage.equal(exchange.position_mode, stage.venue.mode, "position_mode", Exchange.position_mode)
        await stage.shut()
        stage.venue.set_mode(PositionMode.HEDGE)
        exchange = await stage.open()
        stage.equal(
            exchange.position_mode, PositionMode.HEDGE, "mode of an account in hedge mode", Exchange.position_mode
        )
        if not has(stage.declared, stage.instrument, "hedge_mode"):
            return
        stage.heard.modes.clear()
        exchange.set_position_mode(PositionMode.ONE_WAY)
        await mode_is(stage, PositionMode.ONE_WAY)
        stage.venue.set_mode(PositionMode.HEDGE)
        await mode_is(stage, PositionMode.HEDGE)
        came = [(one.previous, one.mode) for one in stage.heard.modes]
        there_and_back = [(PositionMode.HEDGE, PositionMode.ONE_WAY), (PositionMode.ONE_WAY, PositionMode.HEDGE)]
        stage.equal(came, there_and_back, "changes as told", PositionModeChange)

    @case("C36", Level.SILVER, "prices and quantities are exact both ways, whatever a float does to them",
          where=Instrument.price_text, needs=(ORDERS, Channel.TRADE))  # fmt: skip
    async def test_c36_precision(self, stage: Stage) -> None:
        exchange = await stage.open()
        exchange.subscribe(stage.instrument, Channel.TRADE)
        await asyncio.sleep(2)
        one, base = stage.instrument, stage.bid
        stage.heard.trades.clear()
        for ticks in range(base + 1, base + 9):
            stage.venue.trade(Side.BUY, ticks, stage.lots(ticks - base))
        await asyncio.sleep(2)
        came = [(trade.price, trade.qty) for trade in stage.heard.trades]
        expected = [(one.price(base + away), one.qty(stage.lots(away))) for away in range(1, 9)]
        stage.equal(came, expected, "the floats nearest to exact prices and quantities", Instrument.price)
        for away in (1, 3, 7):
            noisy = float(one.tick_size) * (base + away) * (1 + 2e-16) + 1e-12
            ticks = one.ticks(noisy, Side.BUY)
            request = await stage.placed(Side.BUY, ticks, lots=away)
            (there,) = stage.truth(request.id)
            stage.equal(
                (there.ticks, there.units),
                (base + away, stage.lots(away)),
                f"ticks and units at the venue of {Decimal(noisy)}",
                Instrument.price_text,
            )

    @case("C37", Level.SILVER, "money is known at the start, and each change of it is told",
          where=Listener.on_balance, needs=ORDERS)  # fmt: skip
    async def test_c37_money(self, stage: Stage) -> None:
        exchange = await stage.open()
        code = stage.instrument.settle.code
        before = {one.currency.code: one.balance for one in exchange.wallets()}
        stage.holds(before.get(code, 0) > 0, f"a wallet in {code} after open", before, Exchange.wallets)
        await stage.taken(Side.BUY, lots=20)
        await stage.taken(Side.SELL, lots=20)
        await asyncio.sleep(2)
        told = {one.currency.code: one.balance for one in stage.heard.wallets}
        await exchange.refresh()
        now = {one.currency.code: one.balance for one in exchange.wallets()}
        stage.holds(now[code] < before[code], f"less than {before[code]} after fees and spread", now, Exchange.refresh)
        stage.equal(told.get(code), now[code], f"the balance in {code} as told", Listener.on_balance)

    @case("C38", Level.SILVER, "all orders of the account can be taken away at once",
          where=Exchange.cancel_every_order, needs=ORDERS)  # fmt: skip
    async def test_c38_cancel_all(self, stage: Stage) -> None:
        exchange = await stage.open()
        orders = [await stage.placed(Side.BUY, stage.bid + away) for away in (1, 2, 3)]
        await exchange.cancel_every_order()
        for order in orders:
            await stage.reaches(order, OrderStatus.CANCELED)
        stage.equal(await exchange.open_orders(), [], "open orders", Exchange.open_orders)

    @case("C39", Level.SILVER, "what is not declared is refused, never done by halves", where=Capabilities)
    async def test_c39_undeclared(self, stage: Stage) -> None:
        exchange = await stage.open()
        plain = stage.request(Side.BUY, stage.bid + 2)
        special: dict[str, dict[str, Any]] = {
            "post_only": {"post_only": True},
            "reduce_only": {"reduce_only": True},
            "triggers": {"trigger_ticks": stage.ask + 5},
            "display_qty": {"display_units": stage.lots(1)},
            "hedge_mode": {"position_side": PositionSide.LONG},
            **{f"{life}": {"time_in_force": life} for life in TimeInForce},
        }
        for need, options in special.items():
            wanted = TimeInForce(need) if need in set(TimeInForce) else need
            if has(stage.declared, stage.instrument, wanted):
                continue
            request = msgspec.structs.replace(plain, id=f"u{need}", **options)
            try:
                exchange.submit(request)
            except (HbkitError, NotImplementedError, ValueError):
                continue
            await refused(stage, request.id, f"an order with {need}, which is not declared")
        for channel in set(Channel) - stage.declared.channels:
            interval = "1m" if channel is Channel.CANDLE else ""
            raised = raises(exchange.subscribe, stage.instrument, channel, interval)
            stage.holds(raised, f"subscribe raises for {channel}, which is not declared", "it did not", Capabilities)
        lengths = [parse_duration(interval) for interval in stage.declared.candle_intervals]
        if lengths and Channel.CANDLE in stage.declared.channels:
            odd = duration_text(min(lengths) // 2)
            raised = raises(exchange.subscribe, stage.instrument, Channel.CANDLE, odd)
            stage.holds(
                raised, f"subscribe raises for {odd}, which no declared interval makes", "it did not", Capabilities
            )
        if stage.declared.time_in_force and not stage.declared.amend:
            await amend_refused(stage)
        if not stage.declared.leverage:
            stage.holds(
                raises(exchange.set_leverage, stage.instrument, 5.0), "set_leverage raises", "it did not", Capabilities
            )
        if not stage.declared.hedge_mode:
            raised = raises(exchange.set_position_mode, PositionMode.HEDGE)
            stage.holds(raised, "set_position_mode raises", "it did not", Capabilities)


# -- what several cases do


def agree(stage: Stage) -> None:
    """The fills that were told are those of the venue, one for one, in its order."""
    told = [facts(one) for one in stage.heard.fills]
    stage.equal(told, [facts(one) for one in stage.venue.executions()], "fills as at the venue", Listener.on_fill)


def facts(one: Execution) -> tuple[object, ...]:
    """What a fill says, without what only one of the two sides knows."""
    return one.id, one.order_id, one.side, one.position_side, one.price, one.units


def money(stage: Stage) -> None:
    """Cost and fee in minor units are the venue's."""
    told = [(one.id, one.cost, one.fee) for one in stage.heard.fills]
    there = [(one.id, one.cost, one.fee) for one in stage.venue.executions()]
    stage.equal(told, there, "id, cost, fee in minor units", Execution)


async def mode_is(stage: Stage, mode: PositionMode) -> None:
    """Until a mode is told to be in force."""
    await stage.until(
        lambda: bool(stage.heard.modes) and stage.heard.modes[-1].mode is mode,
        f"on_position_mode with mode {mode}",
        lambda: f"{stage.heard.modes}",
        Listener.on_position_mode,
    )
    stage.equal(stage.exchange.position_mode, mode, "position_mode", Exchange.position_mode)


async def refused(stage: Stage, order_id: str, what: str) -> None:
    """Told as refused, and the venue never took it."""
    await stage.until(
        lambda: stage.heard.status(order_id).is_final,
        f"{what} is refused within {PATIENCE:g} s",
        lambda: news(stage.heard.of(order_id)),
        Capabilities,
    )
    there = [one.status for one in stage.truth(order_id) if one.status is not OrderStatus.REJECTED]
    stage.equal(there, [], f"{what}, at the venue", Capabilities)


async def amend_refused(stage: Stage) -> None:
    """Where amends are not declared, one is turned down and changes nothing."""
    request = await stage.placed(Side.BUY, stage.bid + 2)
    assert request.ticks is not None
    try:
        stage.exchange.amend(request.id, ticks=request.ticks + 1)
    except (HbkitError, NotImplementedError):
        return
    await stage.until(
        lambda: any(one.refused == "amend" for one in stage.heard.of(request.id)),
        "an amend, which is not declared, is refused",
        lambda: news(stage.heard.of(request.id)),
        Capabilities,
    )
    stage.equal([one.ticks for one in stage.truth(request.id)], [request.ticks], "ticks at the venue", Capabilities)


def raises(act: Any, *arguments: Any) -> bool:
    """Whether it is refused at once."""
    try:
        act(*arguments)
    except (HbkitError, NotImplementedError):
        return True
    return False
