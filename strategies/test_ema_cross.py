"""The crossing averages beside freqtrade's: over one day of candles it trades at the same minutes and prices."""

import csv
from pathlib import Path

from hbkit.clock import ManualClock, iso
from hbkit.config import load_config
from hbkit.plugins import Plugins
from hbkit.report.result import RunResult
from hbkit.run import Replay, make_plan

ROOT = Path(__file__).resolve().parents[1]
CANDLES = ROOT / "tests" / "data" / "fixtures" / "XBTUSD-1m-2019-05-29.csv.gz"


def play(folder: Path, *overrides: str) -> RunResult:
    """The config's strategy over the candles that freqtrade was given."""
    config = load_config(
        ROOT / "configs" / "ema_cross.yaml",
        overrides=[
            f"exchanges.bitmex_perpetual.replay.data={CANDLES}", "exchanges.bitmex_perpetual.latency=0s",
            "strategies.0.candles=[1m]", f"run.dir={folder}", f"state.dir={folder}", *overrides,
        ],
        environ={},
    )  # fmt: skip
    return Replay(make_plan(config, Plugins([], []), None), wall=ManualClock(0)).play()


def fills(result: RunResult) -> list[tuple[str, str, float]]:
    return [(iso(row.ts)[:16], row.side, float(row.price)) for row in result.fill_rows]


def theirs() -> list[tuple[str, str, float]]:
    """Entries and exits by minute; what freqtrade closes because its data end is left out."""
    found = []
    with (ROOT / "tests" / "ported" / "freqtrade-average.csv").open() as file:
        for row in csv.DictReader(file):
            found.append((row["open_date"][:16].replace(" ", "T"), "buy", float(row["open_rate"])))
            if row["exit_reason"] != "force_exit":
                found.append((row["close_date"][:16].replace(" ", "T"), "sell", float(row["close_rate"])))
    return found


def test_its_fills_are_those_of_the_original(tmp_path: Path) -> None:
    result = play(tmp_path)
    assert (len(theirs()), result.exit_code, result.warnings) == (73, 0, [])
    assert fills(result) == theirs()


def test_a_profit_and_a_loss_at_their_limits_close(tmp_path: Path) -> None:
    # The first trade of the original: in at 8699.5; out at a crossing at 00:42. A close 0.05 % lower is 8695.15.
    early = "exchanges.bitmex_perpetual.replay.to=2019-05-29T02:00:00Z"
    buy, sell, *_ = fills(play(tmp_path, early, "strategies.0.params.stop_loss=0.05"))
    assert buy == ("2019-05-29T00:38", "buy", 8699.5)
    assert sell < ("2019-05-29T00:42", "sell")
    assert sell[2] <= 8695.15
    # The second: in at 8692.0 at 01:03; 0.05 % more is 8696.346.
    result = fills(play(tmp_path, early, "strategies.0.params.take_profit=0.05"))
    entry = result.index(("2019-05-29T01:03", "buy", 8692.0))
    assert result[entry + 1][0] < "2019-05-29T01:26"
    assert result[entry + 1][2] >= 8696.346
