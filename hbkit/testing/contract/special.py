"""Silver: orders with a condition to them, such as all or nothing."""

from __future__ import annotations

import asyncio

from hbkit.model import OrderStatus, Side, TimeInForce
from hbkit.testing.contract.case import Level, case
from hbkit.testing.contract.stage import Stage
from hbkit.testing.contract.trading import agree


class SpecialCases:
    """C60 to C79."""

    @case("C60", Level.SILVER, "a fill-or-kill order fills whole or not at all",
          where=TimeInForce, needs=TimeInForce.FOK)  # fmt: skip
    async def test_c60_all_or_nothing(self, stage: Stage) -> None:
        exchange = await stage.open()
        best = stage.ask - 3
        stage.venue.level(Side.SELL, best, stage.lots(3))
        greedy = stage.request(Side.BUY, best, lots=5, time_in_force=TimeInForce.FOK)
        exchange.submit(greedy)
        await stage.reaches(greedy, OrderStatus.CANCELED)
        stage.equal(stage.venue.executions(), [], "executions of 5 lots where 3 are offered", TimeInForce)
        modest = stage.request(Side.BUY, best, lots=3, time_in_force=TimeInForce.FOK)
        exchange.submit(modest)
        await stage.reaches(modest, OrderStatus.FILLED)
        await asyncio.sleep(1)
        agree(stage)

    @case("C61", Level.SILVER, "a day order rests while the exchange's day lasts",
          where=TimeInForce, needs=TimeInForce.DAY)  # fmt: skip
    async def test_c61_day(self, stage: Stage) -> None:
        await stage.open()
        request = await stage.placed(Side.BUY, stage.bid + 2, time_in_force=TimeInForce.DAY)
        await asyncio.sleep(60)
        told, there = stage.heard.status(request.id), [one.status for one in stage.truth(request.id)]
        stage.equal((told, there), (OrderStatus.OPEN, [OrderStatus.OPEN]), "told, and at the venue", TimeInForce)
