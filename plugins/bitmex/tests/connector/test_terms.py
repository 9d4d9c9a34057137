"""Position mode, margin mode and leverage over real sockets: at the start, and while a run goes on."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from hbkit_bitmex.instruments import load

from hbkit.errors import ExchangeError, Unsupported
from hbkit.exchange import Channel
from hbkit.model import MarginMode, PositionMode, PositionSide, Side
from plugins.bitmex.tests.connector.stage import Stage, run, until

NOTHING: dict[str, Any] = {"position_mode": None, "margin_mode": None, "leverage": None}
HEDGE, ONE_WAY = PositionMode.HEDGE, PositionMode.ONE_WAY
SITUATIONS = ("flat", "order", "isolated", "cross")


async def arrange(stage: Stage, mode: PositionMode, situation: str) -> None:
    """Bring the account there by hand."""
    if mode is HEDGE:
        await stage.call("POST", "/user/positionMode", {"positionMode": "MultiWay"})
    leg = {"strategy": "Long"} if mode is HEDGE else {}
    if situation == "order":
        await stage.call("POST", "/order", {"symbol": "XBTUSD", "side": "Buy", "orderQty": 100, "price": 1000, **leg})
    elif situation in ("isolated", "cross"):
        await stage.call(
            "POST", "/order", {"symbol": "XBTUSD", "side": "Buy", "orderQty": 100, "ordType": "Market", **leg}
        )
    if situation == "isolated":
        await stage.call("POST", "/position/isolate", {"symbol": "XBTUSD", "enabled": True})


async def clear(stage: Stage) -> None:
    """Back to a flat account in one-way mode and cross margin."""
    await stage.call("DELETE", "/order/all", {})
    for row in await stage.call("GET", "/position"):
        if row["isOpen"]:
            leg = {} if row["strategy"] == "OneWay" else {"strategy": row["strategy"]}
            await stage.call("POST", "/order", {"symbol": "XBTUSD", "execInst": "Close", "ordType": "Market", **leg})
    await stage.call("POST", "/position/isolate", {"symbol": "XBTUSD", "enabled": False})
    await stage.call("POST", "/user/positionMode", {})


@pytest.mark.parametrize("wanted", [ONE_WAY, HEDGE])
@pytest.mark.parametrize("mode", [ONE_WAY, HEDGE])
def test_the_mode_is_read_first_and_switched_only_when_asked_and_possible(
    mode: PositionMode, wanted: PositionMode
) -> None:
    async def story(stage: Stage) -> dict[str, tuple[PositionMode, PositionMode, str]]:
        found = {}
        for situation in SITUATIONS:
            await arrange(stage, mode, situation)
            exchange, _ = await stage.open()
            read, said = exchange.position_mode, ""
            try:
                wish = {**NOTHING, "position_mode": wanted}
                await exchange.prepare([exchange.instruments()["XBTUSD"]], **wish)
            except ExchangeError as error:
                said = str(error)
            found[situation] = read, exchange.position_mode, said
            await exchange.shut()
            await clear(stage)
        return found

    for situation, (read, found, said) in run(story).items():
        assert read is mode
        if mode is wanted or situation in ("flat", "cross"):
            assert (found, said) == (wanted, ""), situation
            continue
        assert found is mode, situation
        in_the_way = "1 open order" if situation == "order" else "an isolated position"
        assert said.startswith(f"error[HB420] the account of bitmex is in {mode} mode, the config says {wanted}")
        assert f"; {in_the_way} prevents the switch (Cannot change position mode with " in said
        assert f"Use position_mode: {mode}, or close what is in the way" in said


def test_without_a_wish_the_account_stays_as_it_is() -> None:
    async def story(stage: Stage) -> Any:
        await arrange(stage, HEDGE, "cross")
        exchange, _ = await stage.open()
        await exchange.prepare([exchange.instruments()["XBTUSD"]], **NOTHING)
        (held,) = await exchange.positions()
        return exchange.position_mode, held.side, held.units

    assert run(story) == (HEDGE, PositionSide.LONG, 100)


def test_the_configs_margin_is_set_before_anything_is_traded() -> None:
    async def story(stage: Stage) -> Any:
        exchange, _ = await stage.open()
        markets = [exchange.instruments()[symbol] for symbol in ("XBTUSD", "XBTUSDT")]
        rows = []
        wishes = ((MarginMode.ISOLATED, 10), (MarginMode.CROSS, 5), (None, 4), (MarginMode.ISOLATED, None))
        for mode, leverage in wishes:
            wish = {"margin_mode": mode, "leverage": None if leverage is None else Decimal(leverage)}
            await exchange.prepare(markets, **{**NOTHING, **wish})
            told = await stage.call("GET", "/position")
            rows.append([(row["crossMargin"], row["leverage"]) for row in told])
        with pytest.raises(ExchangeError) as refused:
            await exchange.prepare(markets, **{**NOTHING, "leverage": Decimal(250)})
        return rows, str(refused.value)

    rows, said = run(story)
    assert rows == [[(False, 10)] * 2, [(True, 5)] * 2, [(True, 4)] * 2, [(False, 10)] * 2]
    assert said == "error[HB413] bitmex refused leverage 250 for XBTUSD (Invalid leverage); change margin"


def test_orders_of_both_legs_carry_their_leg_and_come_back_with_it() -> None:
    async def story(stage: Stage) -> Any:
        exchange, ear = await stage.open()
        exchange.set_position_mode(HEDGE)
        await until(lambda: ear.of("on_position_mode"))
        for side, leg in ((Side.BUY, PositionSide.LONG), (Side.SELL, PositionSide.SHORT)):
            request = stage.request(away=-100, side=side, position_side=leg)
            exchange.submit(request)
        await until(lambda: len(ear.of("on_fill")) == 2)
        return ear.of("on_position_mode"), ear.of("on_fill"), await exchange.positions()

    (change,), fills, held = run(story)
    assert (change.previous, change.mode, change.requested, change.reason) == (ONE_WAY, HEDGE, HEDGE, "")
    assert sorted(fill.position_side for fill in fills) == ["long", "short"]
    assert sorted((one.side, one.units) for one in held) == [("long", 100), ("short", -100)]


def test_a_switch_with_an_open_order_is_refused_and_told() -> None:
    async def story(stage: Stage) -> Any:
        exchange, ear = await stage.open()
        exchange.submit(stage.request())
        await until(stage.theirs)
        exchange.set_position_mode(HEDGE)
        await until(lambda: ear.of("on_position_mode"))
        return ear.of("on_position_mode")[0]

    change = run(story)
    assert (change.mode, change.requested, change.refused) == (ONE_WAY, HEDGE, True)
    assert change.reason == "Cannot change position mode with open orders"


def test_a_capped_contract_is_no_reason_to_switch() -> None:
    async def story(stage: Stage) -> Any:
        exchange, ear = await stage.open()
        exchange.subscribe(next(one for one in load(None) if one.symbol == "P_POWELLK26"), Channel.TRADE)
        exchange.set_position_mode(HEDGE)
        await until(lambda: ear.of("on_position_mode"))
        return ear.of("on_position_mode")[0], (await stage.call("GET", "/user"))["positionMode"]

    change, there = run(story)
    assert (change.mode, change.refused, there) == (ONE_WAY, True, "OneWay")
    assert change.reason == "P_POWELLK26 is capped: hedge mode does not apply"


def test_leverage_goes_where_the_margin_mode_says() -> None:
    async def story(stage: Stage) -> Any:
        exchange, _ = await stage.open()
        instrument = exchange.instruments()["XBTUSD"]
        exchange.submit(stage.market())
        seen = []
        for act in (
            lambda: exchange.set_leverage(instrument, 5),
            lambda: exchange.set_margin_mode(instrument, MarginMode.ISOLATED),
            lambda: exchange.set_leverage(instrument, 20),
            lambda: exchange.transfer_margin(instrument, 1000),
            lambda: exchange.set_leverage(instrument, 0),
            lambda: exchange.set_risk_limit(instrument, 30_000_000_000),
        ):
            act()
            await asyncio.sleep(1)
            (row,) = await stage.call("GET", "/position")
            extra = row["posMargin"] - row["posInit"] - row["posComm"]
            seen.append((row["crossMargin"], row["leverage"], 0 if row["crossMargin"] else extra))
        return seen, row["riskLimit"]

    seen, limit = run(story)
    assert seen[:5] == [(True, 5, 0), (False, 100, 0), (False, 20, 0), (False, 20, 1000), (True, 100, 0)]
    # One step above the base of 20,000,000,000: the rate is 0.015.
    assert (seen[5], limit) == ((True, 66.66666667, 0), 35_000_000_000)


def test_spot_has_no_margin() -> None:
    async def story(stage: Stage) -> None:
        exchange, _ = await stage.open()
        spot = next(one for one in load(None) if one.is_spot)
        with pytest.raises(Unsupported):
            exchange.set_leverage(spot, 5)

    run(story)


def test_a_switch_by_somebody_else_is_noticed() -> None:
    async def story(stage: Stage) -> Any:
        _, ear = await stage.open()
        await stage.call("POST", "/user/positionMode", {"positionMode": "MultiWay"})
        await until(lambda: ear.of("on_position_mode"), 40)
        return ear.of("on_position_mode")[0]

    change = run(story)
    assert (change.mode, change.previous, change.origin) == (HEDGE, ONE_WAY, "exchange")
