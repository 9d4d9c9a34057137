"""Random prices and quantities of every instrument, rounded by hbkit and read by the simulator.

    python -m plugins.bitmex.tests.connector.grid --count 1000

plays the 129 instruments of 2026-05-03 and the 34 of 2021-07-22; each number that does not fit is printed. What fits is
reckoned here in fractions, apart from hbkit's own rounding, and asked of the simulator's checks.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from random import Random

from hbkit_bitmex import bodies
from hbkit_bitmex.instruments import ERAS, load
from hbkit_bitmex.simulator import parameters
from hbkit_bitmex.simulator.admission import check_lot, check_price
from hbkit_bitmex.simulator.refusals import Refusal

from hbkit.model import Instrument, OrderRequest, OrderType, PositionSide, Side, TriggerBy, TriggerKind

Number = int | float | Decimal | str
HIGHEST = 10**9
"""Ticks of the highest price: beyond that a float no longer knows the millionth of a tick."""
NEAR = Fraction(1, 1_000_000)
"""What counts as on the grid, in ticks and in lots."""
_NUMBER = re.compile(rb'"(?:price|stopPx|pegOffsetValue|orderQty|displayQty)":([^,}]*)')
_PLAIN = re.compile(rb"-?\d+(\.\d+)?")


def everything() -> Iterator[tuple[str, Instrument]]:
    """All instruments of all eras."""
    for era in ERAS:
        for one in load(era):
            yield era, one


def misfits(instrument: Instrument, count: int, seed: int = 1) -> list[str]:
    """Every number out of `count` that does not come out as it must, in words."""
    random = Random(f"{instrument.symbol}/{seed}")
    found: list[str] = []
    for at in range(count):
        side = random.choice((Side.BUY, Side.SELL))
        price = _number(random, instrument.tick_size, Decimal(1), _highest(instrument))
        qty = _number(random, instrument.lot_size, Decimal("0.3"), _largest(instrument))
        asked = f"{instrument.symbol} {side} {qty!r} at {price!r}"
        found += [f"{asked}: {one}" for one in _misfit(instrument, side, price, qty, at)]
    return found


def _highest(instrument: Instrument) -> int:
    most = HIGHEST if instrument.max_price is None else int(instrument.max_price / instrument.tick_size)
    return min(most, HIGHEST)


def _largest(instrument: Instrument) -> int:
    assert instrument.max_qty is not None
    return min(int(instrument.max_qty / instrument.lot_size), HIGHEST)


def _number(random: Random, step: Decimal, low: Decimal, most: int) -> Number:
    """From `low` steps to `most`: on the grid, near it or anywhere; as a float, as a Decimal or as text."""
    steps = Decimal(repr(math.exp(random.uniform(math.log(low), math.log(most)))))
    kind = random.randrange(4)
    if kind < 2:
        steps = max(Decimal(1), Decimal(round(steps)))
    if kind == 1:
        # Noise of an arithmetic in floats: on the grid all the same.
        return min(float(steps) * float(step), float(most * step))
    exact = min(steps, Decimal(most)) * step
    form = random.randrange(3)
    return float(exact) if form == 0 else exact if form == 1 else f"{exact:f}"


def _misfit(instrument: Instrument, side: Side, price: Number, qty: Number, at: int) -> Iterator[str]:
    ticks, units = instrument.ticks(price, side), instrument.units(qty)
    moved = Fraction(_exact(price)) / Fraction(instrument.tick_size) - ticks
    passive = moved if side is Side.BUY else -moved
    if not -NEAR <= passive < 1:
        yield f"{ticks} ticks, which is no passive rounding"
    if min(abs(moved), abs(abs(moved) - 1)) <= NEAR / 2 and abs(moved) > Fraction(1, 2):
        yield f"{ticks} ticks, although it lies on the grid"
    left = (Fraction(_exact(qty)) - units * Fraction(instrument.unit_size)) / Fraction(instrument.lot_size)
    if not -NEAR <= left < 1 or units % instrument.lot_units:
        yield f"{units} units, which is no rounding down to a lot"
    if ticks == 0 or units == 0:
        return  # below a tick or a lot: the trader refuses it before it is sent
    request = OrderRequest(
        f"o-{at}", instrument, side, PositionSide.NET, OrderType.LIMIT, units, ticks,
        trigger_ticks=ticks if at % 2 else None, trigger_by=TriggerBy.LAST, trigger_kind=TriggerKind.STOP,
        display_units=units if at % 3 == 0 else None,
    )  # fmt: skip
    yield from _told(instrument, request, bodies.encode(bodies.order_body(request)))
    amended = bodies.amend_body(instrument, id=request.id, ticks=ticks, units=units)
    yield from _told(instrument, request, bodies.encode(amended))


def _told(instrument: Instrument, request: OrderRequest, body: bytes) -> Iterator[str]:
    """What the simulator says to a body, and what stands in it."""
    for text in _NUMBER.findall(body):
        if not _PLAIN.fullmatch(text):
            yield f"{text.decode()} on the wire"
    sent = parameters.read("", body)
    price, qty = Decimal(sent["price"]), Decimal(sent["orderQty"])
    if price % instrument.tick_size or price != instrument.tick_size * (request.ticks or 0):
        yield f"{price} on the wire, which is not {request.ticks} ticks"
    if qty != qty.to_integral_value() or qty % instrument.lot_units:
        yield f"{qty} on the wire, which is no lot"
    try:
        if check_price(instrument, price) != request.ticks:
            yield f"{price} is read as another price"
        check_lot(instrument, int(qty), whole=False)
    except Refusal as refusal:
        yield f"the simulator refuses {body.decode()}: {refusal}"


def _exact(number: Number) -> Decimal:
    return Decimal(number)


def main() -> int:
    """The command line; 1 if anything did not fit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="prices and quantities of each instrument")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    played, failed = 0, 0
    for era, instrument in everything():
        found = misfits(instrument, chosen.count, chosen.seed)
        played, failed = played + 1, failed + len(found)
        sys.stdout.write("".join(f"{era} {one}\n" for one in found[:5]))
    sys.stdout.write(f"{played} instruments, {played * chosen.count} prices and quantities, {failed} misfits\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
