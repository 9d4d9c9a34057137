"""Takes every order of an account away and closes every position: the way out when a bot cannot be asked any more.

It works without the bot and beside it: what the bot places meanwhile is taken away in the next round. Nothing is
believed that the exchange has not said: the last look, after the last request, decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from hbkit.chance import Chance
from hbkit.exchange import Exchange, Holding
from hbkit.model import OrderReport, OrderRequest, OrderType, Side, TimeInForce

ROUNDS = 20
PAUSE_SECONDS = 0.5
"""Between a round's requests and the look at what became of them."""


@dataclass(frozen=True)
class Flattened:
    """What was there, and what still is."""

    orders: int
    """Open orders that were found at the start."""
    positions: list[Holding]
    """Positions that were found at the start."""
    left_orders: list[OrderReport]
    left_positions: list[Holding]

    @property
    def is_flat(self) -> bool:
        """Whether nothing is left."""
        return not self.left_orders and not self.left_positions


async def flatten(exchange: Exchange, chance: Chance) -> Flattened:
    """Cancel all, close all, look; again until nothing is left or nothing helps."""
    orders, positions = await exchange.open_orders(), await exchange.positions()
    left_orders, left = orders, positions
    tried: set[Holding] = set()
    await exchange.cancel_every_order()
    for _ in range(ROUNDS):
        if not left and not left_orders:
            break
        if left_orders:
            await exchange.cancel_every_order()
        for held in left:
            if held in tried and not exchange.capabilities.reduce_only:
                continue  # the first order may still be on its way, and two of them would turn the position round
            tried.add(held)
            for request in _closing(held, exchange, chance):
                exchange.submit(request)
        await asyncio.sleep(PAUSE_SECONDS)
        left_orders, left = await exchange.open_orders(), await exchange.positions()
    return Flattened(len(orders), positions, left_orders, left)


def _closing(held: Holding, exchange: Exchange, chance: Chance) -> Iterator[OrderRequest]:
    """Market orders that close a position and cannot turn it round, none above the exchange's largest."""
    instrument, left = held.instrument, abs(held.units)
    most = left if instrument.max_qty is None else int(instrument.max_qty / instrument.unit_size)
    most -= most % instrument.lot_units if most < left else 0
    while left > 0:
        units = min(left, most)
        left -= units
        yield OrderRequest(
            id=f"flatten-{chance.short_id(12)}",
            instrument=instrument,
            side=Side.SELL if held.units > 0 else Side.BUY,
            position_side=held.side,
            type=OrderType.MARKET,
            units=units,
            time_in_force=TimeInForce.IOC,
            reduce_only=exchange.capabilities.reduce_only,
        )
