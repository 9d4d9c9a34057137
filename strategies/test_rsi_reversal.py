"""The RSI strategy beside basana's: over a day of candles it trades at the same minutes, sides and prices."""

import csv
from pathlib import Path

import pytest

from hbkit.clock import ManualClock, iso
from hbkit.config import load_config
from hbkit.plugins import Plugins
from hbkit.report.result import RunResult
from hbkit.run import Replay, make_plan

ROOT = Path(__file__).resolve().parents[1]
CANDLES = ROOT / "tests" / "data" / "fixtures" / "XBTUSD-1m-2019-05-29.csv.gz"


def play(folder: Path, stop: float) -> RunResult:
    """The config's strategy over the candles that basana was given."""
    config = load_config(
        ROOT / "configs" / "rsi_reversal.yaml",
        overrides=[
            f"exchanges.bitmex_perpetual.replay.data={CANDLES}", "exchanges.bitmex_perpetual.latency=0s",
            # A sale and a purchase in flight together could reach twice the position, and a cap counts with that.
            "risk.max_position=2000", f"strategies.0.params.stop_loss={stop}", f"run.dir={folder}",
            f"state.dir={folder}",
        ],
        environ={},
    )  # fmt: skip
    return Replay(make_plan(config, Plugins([], []), None), wall=ManualClock(0)).play()


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[float, RunResult]:
    """By the stop in percent."""
    return {stop: play(tmp_path_factory.mktemp("rsi"), stop) for stop in (6, 0.3)}


@pytest.mark.parametrize(("stop", "fills"), [(6, 46), (0.3, 66)], ids=["as published", "with stops"])
def test_its_fills_are_those_of_the_original(played: dict[float, RunResult], stop: float, fills: int) -> None:
    result = played[stop]
    with (ROOT / "tests" / "ported" / f"basana-rsi-stop-{stop}.csv").open() as file:
        theirs = [(row["ts"][:16], row["side"], float(row["price"])) for row in csv.DictReader(file)]
    ours = [(iso(row.ts)[:16], row.side, float(row.price)) for row in result.fill_rows]
    assert (len(theirs), result.exit_code, result.warnings) == (fills, 0, [])
    assert ours == theirs


def test_a_loss_and_a_signal_in_one_candle_sell_and_buy(played: dict[float, RunResult]) -> None:
    # As in the original, which then reckons the next loss from the new price.
    moments = [row.ts for row in played[0.3].fill_rows]
    assert sum(moments.count(ts) > 1 for ts in set(moments)) == 4
