"""The order desk where venues are odd: what they forget, and what an amend by two halves may meet."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from hbkit_ccxt.exchange import connector_of

from hbkit.model import OrderStatus, PositionSide, Side
from hbkit.net.virtual import VirtualLoop, run_virtual
from hbkit.testing.contract.stage import Stage
from plugins.ccxt.tests.fake.served import ServedVenue
from plugins.ccxt.tests.fake.venue import register


@pytest.fixture(autouse=True)
def _known_to_ccxt(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)


def on_stage(name: str, act: Callable[[Stage], Awaitable[None]]) -> None:
    """Play with a connector that is open."""

    async def main(loop: VirtualLoop) -> None:
        async with ServedVenue(loop).served() as venue:
            stage = Stage(loop, venue, connector_of(name))
            await stage.open()
            await act(stage)
            await stage.strike()

    run_virtual(main)


def test_an_order_that_a_venue_forgets_has_ended_as_its_trades_say() -> None:
    async def act(stage: Stage) -> None:
        filled = await stage.placed(Side.BUY, stage.bid + 2)
        half = await stage.placed(Side.SELL, stage.ask - 2, lots=4)
        assert filled.ticks is not None
        assert half.ticks is not None
        stage.venue.trade(Side.SELL, filled.ticks, filled.units)
        stage.venue.trade(Side.BUY, half.ticks, stage.lots(1))
        await stage.venue.ask("cancel", {"id": half.id}, *signed(stage))  # type: ignore[attr-defined]
        await asyncio.sleep(20)
        # What is not listed may not be listed yet.
        assert stage.heard.status(half.id).is_final is False
        await asyncio.sleep(60)
        told = [stage.heard.of(one.id)[-1] for one in (filled, half)]
        assert [(one.status, one.filled_units) for one in told] == [
            (OrderStatus.FILLED, filled.units),
            (OrderStatus.CANCELED, stage.lots(1)),
        ]

    on_stage("hbkitforgetful", act)


def signed(stage: Stage) -> tuple[int, str]:
    """Somebody else acts with the same key."""
    from hbkit.testing.fake.rows import sign

    expires = stage.venue.clock.now() + 5_000_000_000
    return expires, sign(stage.venue.secret, "cancel", expires)


def test_what_fills_between_the_halves_of_an_amend_is_not_placed_anew() -> None:
    async def act(stage: Stage) -> None:
        request = await stage.placed(Side.BUY, stage.bid + 2, lots=6)
        assert request.ticks is not None
        stage.exchange.amend(request.id, ticks=request.ticks + 1)
        # The cancel is on its way when two lots fill.
        stage.venue.trade(Side.SELL, request.ticks, stage.lots(2))
        await stage.until(
            lambda: stage.heard.of(request.id)[-1].ticks == request.ticks + 1, "amended", lambda: "not yet", Stage
        )
        last, (there,) = stage.heard.of(request.id)[-1], stage.truth(request.id)
        assert (last.units, last.filled_units) == (stage.lots(6), stage.lots(2))
        assert (there.units, there.filled_units, there.ticks) == (stage.lots(6), stage.lots(2), request.ticks + 1)
        # A cancel by our id takes the new one away.
        stage.exchange.cancel(request.id)
        await stage.reaches(request, OrderStatus.CANCELED)

    on_stage("hbkitfixed", act)


def test_an_amend_that_is_filled_before_its_cancel_places_nothing() -> None:
    async def act(stage: Stage) -> None:
        request = await stage.placed(Side.BUY, stage.bid + 2)
        assert request.ticks is not None
        stage.exchange.amend(request.id, ticks=request.ticks + 1)
        stage.venue.trade(Side.SELL, request.ticks, request.units)
        await stage.reaches(request, OrderStatus.FILLED)
        await asyncio.sleep(3)
        assert [one.refused for one in stage.heard.of(request.id) if one.refused] == ["amend"]
        assert len(stage.truth(request.id)) == 1
        assert sum(one.units for one in stage.venue.positions()) == request.units

    on_stage("hbkitfixed", act)


def test_a_replacement_that_never_arrived_leaves_a_cancelled_order_and_no_sooner_than_that_is_certain() -> None:
    async def act(stage: Stage) -> None:
        request = await stage.placed(Side.BUY, stage.bid + 2)
        assert request.ticks is not None
        stage.venue.lose_request("submit")
        stage.exchange.amend(request.id, ticks=request.ticks + 1)
        await asyncio.sleep(5)
        assert any(one.lost == "amend" for one in stage.heard.of(request.id))
        early = await stage.exchange.find(request.id)
        assert early is not None
        assert not early.status.is_final
        await asyncio.sleep(65)
        late = await stage.exchange.find(request.id)
        assert late is not None
        assert (late.status, late.filled_units) == (OrderStatus.CANCELED, 0)
        assert "never arrived" in late.reason

    on_stage("hbkitfixed", act)


def test_a_replacement_whose_answer_was_lost_is_found_and_can_be_taken_away() -> None:
    async def act(stage: Stage) -> None:
        request = await stage.placed(Side.BUY, stage.bid + 2)
        assert request.ticks is not None
        stage.venue.lose_reply("submit")
        stage.exchange.amend(request.id, ticks=request.ticks + 1)
        await asyncio.sleep(5)
        found = await stage.exchange.find(request.id)
        assert found is not None
        assert (found.status, found.ticks) == (OrderStatus.OPEN, request.ticks + 1)
        stage.exchange.cancel(request.id)
        await stage.reaches(request, OrderStatus.CANCELED)

    on_stage("hbkitfixed", act)


def test_a_restart_after_an_amend_by_two_halves_knows_the_order_and_what_had_filled() -> None:
    async def act(stage: Stage) -> None:
        request = await stage.placed(Side.BUY, stage.bid + 2, lots=6)
        assert request.ticks is not None
        stage.venue.trade(Side.SELL, request.ticks, stage.lots(2))
        await asyncio.sleep(1)
        stage.exchange.amend(request.id, ticks=request.ticks + 1)
        await asyncio.sleep(2)
        await stage.shut()
        exchange = await stage.open()
        (found,) = await exchange.open_orders()
        came = (found.id, found.units, found.filled_units, found.ticks)
        assert came == (request.id, stage.lots(6), stage.lots(2), request.ticks + 1)

    on_stage("hbkitfixed", act)


def test_what_would_be_left_too_small_is_refused_before_the_cancel() -> None:
    async def act(stage: Stage) -> None:
        request = await stage.placed(Side.BUY, stage.bid + 2, lots=2)
        stage.exchange.amend(request.id, units=stage.lots(2) // 20)
        await stage.until(
            lambda: any(one.refused == "amend" for one in stage.heard.of(request.id)), "refused", lambda: "no", Stage
        )
        assert stage.heard.status(request.id) is OrderStatus.OPEN
        assert stage.truth(request.id)[-1].status is OrderStatus.OPEN

    run_with_minimum(act)


def run_with_minimum(act: Callable[[Stage], Awaitable[None]]) -> None:
    """The same market, with a least quantity of a lot."""
    from dataclasses import replace

    async def main(loop: VirtualLoop) -> None:
        async with ServedVenue(loop).served() as venue:
            least: Any = replace(venue.instrument, min_qty=Decimal("0.01"))
            venue.instruments, venue.instrument = {least.symbol: least}, least
            stage = Stage(loop, venue, connector_of("hbkitfixed"))
            await stage.open()
            await act(stage)
            await stage.strike()

    run_virtual(main)


def test_a_burst_that_the_venue_turns_away_is_sent_again_under_the_same_ids() -> None:
    async def act(stage: Stage) -> None:
        stage.venue.busy = 3  # type: ignore[attr-defined]
        several = [stage.request(Side.BUY, stage.bid + 1, lots=1) for _ in range(3)]
        for one in several:
            stage.exchange.submit(one)
        for one in several:
            await stage.reaches(one, OrderStatus.OPEN)
        assert sorted(one.id for one in stage.venue.orders()) == sorted(one.id for one in several)

    on_stage("hbkitfake", act)


def test_an_order_for_a_leg_in_one_way_mode_is_turned_down_before_the_wire() -> None:
    async def act(stage: Stage) -> None:
        request = stage.request(Side.BUY, stage.bid + 1, position_side=PositionSide.LONG)
        stage.exchange.submit(request)
        await stage.reaches(request, OrderStatus.REJECTED)
        assert "one_way mode" in stage.heard.of(request.id)[-1].reason
        assert stage.venue.orders() == []

    on_stage("hbkitfake", act)
