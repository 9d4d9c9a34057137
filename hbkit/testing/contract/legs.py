"""Silver: what an account is set to: its position mode with the legs that follow from it, leverage, fundings paid."""

from __future__ import annotations

import asyncio

from hbkit.errors import HbkitError
from hbkit.exchange import Channel, Exchange, Listener
from hbkit.model import Execution, ExecutionKind, OrderStatus, PositionMode, PositionModeChange, PositionSide, Side
from hbkit.testing.contract.case import ORDERS, POSITIONS, Level, case
from hbkit.testing.contract.stage import PATIENCE, Stage, news
from hbkit.testing.contract.trading import agree, facts, mode_is, refused

_LEVERAGES = (10.0, 2.5, 0.0)


class LegCases:
    """C80 to C89."""

    @case("C80", Level.SILVER, "a leg is closed by itself: it never crosses zero, and the other one stays",
          where=PositionSide, needs=(ORDERS, "hedge_mode"))  # fmt: skip
    async def test_c80_close_a_leg(self, stage: Stage) -> None:
        exchange = await hedged(stage)
        await stage.taken(Side.BUY, 3, position_side=PositionSide.LONG)
        await stage.taken(Side.SELL, 2, position_side=PositionSide.SHORT)
        greedy = stage.request(Side.SELL, None, lots=5, position_side=PositionSide.LONG)
        exchange.submit(greedy)
        await stage.until(
            lambda: stage.heard.status(greedy.id).is_final,
            "an order to sell 5 lots from a long leg of 3 ends",
            lambda: news(stage.heard.of(greedy.id)),
            PositionSide,
        )
        await asyncio.sleep(1)
        for held in (stage.venue.positions(), await exchange.positions()):
            legs = {one.side: one.units for one in held}
            stage.equal(legs.get(PositionSide.SHORT), -stage.lots(2), "the short leg", PositionSide)
            long = legs.get(PositionSide.LONG, 0)
            stage.holds(long in (0, stage.lots(3)), "a long leg that is closed, or as it was", long, PositionSide)
        agree(stage)

    @case("C81", Level.SILVER, "where there are legs an order names one, where there are none it does not",
          where=PositionSide, needs=(ORDERS, "hedge_mode"))  # fmt: skip
    async def test_c81_name_a_leg(self, stage: Stage) -> None:
        exchange = await stage.open()
        for mode, side in ((PositionMode.ONE_WAY, PositionSide.LONG), (PositionMode.HEDGE, PositionSide.NET)):
            if exchange.position_mode is not mode:
                exchange.set_position_mode(mode)
                await mode_is(stage, mode)
            request = stage.request(Side.BUY, stage.bid + 2, position_side=side)
            try:
                exchange.submit(request)
            except HbkitError:
                continue
            await refused(stage, request.id, f"an order for the {side} leg in {mode} mode")

    @case("C82", Level.SILVER, "a mode switch that the exchange refuses is told with the reason, and the mode stays",
          where=PositionModeChange, needs=(ORDERS, "hedge_mode"))  # fmt: skip
    async def test_c82_switch_refused(self, stage: Stage) -> None:
        exchange = await stage.open()
        request = await stage.placed(Side.BUY, stage.bid + 2)
        stage.heard.modes.clear()
        exchange.set_position_mode(PositionMode.HEDGE)
        await stage.until(
            lambda: bool(stage.heard.modes),
            f"what became of the switch, within {PATIENCE:g} s",
            lambda: "nothing",
            Listener.on_position_mode,
        )
        told, there = stage.heard.modes[-1], stage.venue.mode
        came = (told.mode, told.requested, exchange.position_mode)
        stage.equal(came, (there, PositionMode.HEDGE, there), "mode, requested, position_mode", PositionModeChange)
        if there is PositionMode.HEDGE:
            return  # this exchange switches with an order open
        stage.holds(bool(told.reason), "a reason in words", told, PositionModeChange)
        exchange.cancel(request.id)
        await stage.reaches(request, OrderStatus.CANCELED)
        exchange.set_position_mode(PositionMode.HEDGE)
        await mode_is(stage, PositionMode.HEDGE)
        stage.equal(stage.venue.mode, PositionMode.HEDGE, "mode at the venue once no order was open", PositionMode)

    @case("C83", Level.SILVER, "a start in hedge mode finds the mode, the legs, and the leg of every order and fill",
          where=Exchange.open_orders, needs=(ORDERS, "hedge_mode"))  # fmt: skip
    async def test_c83_restart_with_legs(self, stage: Stage) -> None:
        exchange = await hedged(stage)
        since = stage.venue.clock.now()
        await stage.taken(Side.BUY, 3, position_side=PositionSide.LONG)
        await stage.taken(Side.SELL, 2, position_side=PositionSide.SHORT)
        await stage.placed(Side.SELL, stage.ask - 2, lots=1, position_side=PositionSide.LONG)
        await stage.placed(Side.SELL, stage.ask - 3, lots=1, position_side=PositionSide.SHORT)
        await stage.shut()
        exchange = await stage.open()
        stage.equal(exchange.position_mode, PositionMode.HEDGE, "position_mode", Exchange.position_mode)
        orders = {(one.id, one.position_side) for one in await exchange.open_orders()}
        there = {(one.id, one.position_side) for one in stage.venue.orders() if not one.status.is_final}
        stage.equal(orders, there, "open orders and their legs", Exchange.open_orders)
        legs = {one.side: one.units for one in await exchange.positions()}
        expected = {PositionSide.LONG: stage.lots(3), PositionSide.SHORT: -stage.lots(2)}
        stage.equal(legs, expected, "legs", Exchange.positions)
        history = [facts(one) for one in await exchange.executions_since(since)]
        stage.equal(history, [facts(one) for one in stage.venue.executions()], "executions", Exchange.executions_since)

    @case("C84", Level.SILVER, "a leverage that is set is the exchange's, and 0 is cross margin again",
          where=Exchange.set_leverage, needs="leverage")  # fmt: skip
    async def test_c84_leverage(self, stage: Stage) -> None:
        exchange = await stage.open()
        for leverage in _LEVERAGES:
            exchange.set_leverage(stage.instrument, leverage)
            await stage.until(
                lambda leverage=leverage: stage.venue.leverage() == leverage,  # type: ignore[misc]
                f"a leverage of {leverage:g} at the venue",
                lambda: f"{stage.venue.leverage():g}",
                Exchange.set_leverage,
            )

    @case("C85", Level.SILVER, "what a funding moved is told as an execution, once, and is gone from the wallet",
          where=ExecutionKind, needs=(ORDERS, POSITIONS, Channel.FUNDING))  # fmt: skip
    async def test_c85_funding_paid(self, stage: Stage) -> None:
        exchange = await stage.open()
        since, code = stage.venue.clock.now(), stage.instrument.settle.code
        await stage.taken(Side.BUY, lots=50)
        await exchange.refresh()
        before = {one.currency.code: one.balance for one in exchange.wallets()}[code]
        stage.venue.fund(0.001)
        paid: list[Execution] = []

        def heard() -> bool:
            paid[:] = [one for one in stage.heard.fills if one.kind is ExecutionKind.FUNDING]
            return bool(paid)

        await stage.until(heard, "an execution of kind funding", lambda: f"{stage.heard.fills}", Listener.on_fill)
        await asyncio.sleep(1)
        await exchange.refresh()
        after = {one.currency.code: one.balance for one in exchange.wallets()}[code]
        (one,) = paid
        stage.holds(one.fee > 0, "a fee above 0, for longs pay at a rate above 0", one.fee, Execution)
        stage.equal(after - before, -one.fee, "what the wallet lost, in minor units", Execution)
        stage.equal((one.units, one.cost), (stage.lots(50), 0), "units it was paid on, and cost", Execution)
        history = [one for one in await exchange.executions_since(since) if one.kind is ExecutionKind.FUNDING]
        same = [(one.id, one.fee) for one in history]
        stage.equal(same, [(one.id, one.fee)], "the same in the history", Exchange.executions_since)


async def hedged(stage: Stage) -> Exchange:
    """A connector that is open, of an account in hedge mode."""
    exchange = await stage.open()
    exchange.set_position_mode(PositionMode.HEDGE)
    await mode_is(stage, PositionMode.HEDGE)
    return exchange
