"""A strategy that wants to know candles before it begins gets them in a test as well."""

from hbkit import Candle, Strategy


class Knows(Strategy):
    """Looks back at once."""

    warmup = 30

    def on_start(self) -> None:
        self.seen = list(self.closes(30))

    def on_candle(self, candle: Candle) -> None:
        self.seen.append(candle.close)


async def test_the_past_of_the_market_in_memory_is_quiet(run_strategy, market):
    ran = await run_strategy(Knows, script=market(100, 101, 102), seconds=130)
    ran.assert_clean()
    # Thirty minutes at the price that the market begins with, then two minutes with what was printed in them.
    assert ran.strategy.seen[:30] == [100.0] * 30
    assert len(ran.strategy.seen) == 32
