"""What a run asks before it trades: whether its markets are listed, and whether the two clocks agree."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hbkit.clock import SECOND, parse_time
from hbkit.errors import ExchangeError
from hbkit.run.admission import check_clock, check_markets
from plugins.bitmex.tests.connector.stage import SkewedClock, Stage, run


def test_what_is_not_listed_is_refused_with_what_is() -> None:
    async def story(stage: Stage) -> None:
        exchange, _ = await stage.open()
        now = parse_time("2026-11-26T00:00:00Z")
        await check_markets(exchange, [stage.XBTUSD], now)
        settled = replace(stage.XBTUSD, symbol="XBTUSDU26", expiry=parse_time("2026-09-25T12:00:00Z"))
        with pytest.raises(ExchangeError) as refused:
            await check_markets(exchange, [stage.XBTUSD, settled], now)
        assert str(refused.value) == "error[HB402] XBTUSDU26 settled on 2026-09-25; listed there: XBTUSD, XBTUSDT"
        later = replace(settled, symbol="XBTUSDZ26", expiry=parse_time("2026-12-25T12:00:00Z"))
        with pytest.raises(ExchangeError) as refused:
            await check_markets(exchange, [later], now)
        said = "error[HB401] XBTUSDZ26 is not listed at bitmex now; listed there: XBTUSD, XBTUSDT"
        assert str(refused.value) == said

    run(story)


@pytest.mark.parametrize("seconds", [-31.0, 31.0])
def test_thirty_seconds_are_the_most(seconds: float) -> None:
    async def story(stage: Stage) -> None:
        exchange, _ = await stage.open(skew=seconds)
        with pytest.raises(ExchangeError, match=r"this machine's clock is 31 s (behind|ahead of) bitmex's"):
            check_clock(exchange, SkewedClock(stage.loop.clock, seconds))
        nearly, _ = await stage.open(skew=seconds / 31 * 29)
        check_clock(nearly, SkewedClock(stage.loop.clock, seconds / 31 * 29))
        assert abs(exchange.server_now() - stage.loop.clock.now()) < SECOND

    run(story)
