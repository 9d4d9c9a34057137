"""Both legs of a hedge at once, in modes simulator, paper and replay: the same legs, the same profit.

Simulator and paper run in virtual time from where the replay begins on the tape, as in `test_modes_alike`.
"""

from pathlib import Path

import pytest

from hbkit.cli import live
from hbkit.clock import ManualClock
from hbkit.config import load_config
from hbkit.errors import ConfigError
from hbkit.plugins import Plugins
from hbkit.report.result import RunResult
from hbkit.run import Replay, make_plan

MODES = ("simulator", "paper", "replay")
HEDGER = '''
"""Long 300 and short 200 at once; a third of each is closed later, and the rest is held to the end."""

from hbkit import Strategy

SEEN = []


class Hedger(Strategy):
    def on_start(self):
        SEEN.clear()
        self.at(self.now + 5_000_000_000, self.open)
        self.at(self.now + 30_000_000_000, self.reduce)
        self.at(self.now + 50_000_000_000, self.look)

    def on_position_mode(self, change):
        SEEN.append(("mode", change.mode.value, change.requested.value, change.reason))

    def on_position(self, position):
        SEEN.append(("position", position.side.value, position.qty))

    def open(self):
        self.buy(300, position_side="long")
        self.sell(200, position_side="short")

    def reduce(self):
        SEEN.append(("held", self.long.qty, self.short.qty))
        self.sell(100, position_side="long")
        self.buy(500, position_side="short", reduce_only=True)

    def look(self):
        SEEN.append(("left", self.long.qty, self.short.qty))
'''
CONFIG = """
exchanges:
  bitmex_perpetual:
    mode: {mode}
    position_mode: hedge
    margin: {{mode: {margin}, leverage: 10}}
    simulator: {{start: {start}}}
    replay: {{from: {start}}}
strategies: [{{use: hedger.py, instruments: [{symbol}]}}]
run: {{duration: 60s}}
"""
START = "2019-05-28T19:22:00Z"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder, with the strategy of this file."""
    monkeypatch.chdir(tmp_path)
    Path("hedger.py").write_text(HEDGER)


def run(mode: str, margin: str = "cross", symbol: str = "XBTUSDT") -> RunResult:
    Path("c.yaml").write_text(CONFIG.format(mode=mode, start=START, margin=margin, symbol=symbol))
    plan = make_plan(load_config(Path("c.yaml"), environ={}), Plugins([], []), None)
    if mode == "replay":
        return Replay(plan, wall=ManualClock(0)).play()
    return live.play(plan, virtual=True, allowed=False, debug=False, no_view=True)


def seen() -> list[tuple[object, ...]]:
    import sys

    file = str(Path("hedger.py").resolve())
    (module,) = [one for one in sys.modules.values() if getattr(one, "__file__", None) == file]
    return list(module.SEEN)


def shown(result: RunResult) -> list[tuple[str, ...]]:
    return [(row.side, row.position_side, row.price, row.qty, row.fee, row.realized) for row in result.fill_rows]


@pytest.mark.parametrize("margin", ["cross", "isolated"])
def test_both_legs_are_held_with_the_same_profit_in_all_modes(margin: str) -> None:
    results, told = {}, {}
    for mode in MODES:
        results[mode] = run(mode, margin)
        told[mode] = seen()
        assert results[mode].exit_code == 0
    assert ("mode", "hedge", "hedge", "") in told["replay"]
    assert ("held", 300.0, -200.0) in told["replay"]
    # A buy of 500 on a short leg of 200 closes it and goes no further.
    assert ("left", 200.0, 0.0) in told["replay"]
    for mode in ("simulator", "paper"):
        assert told[mode] == told["replay"], mode
        assert shown(results[mode]) == shown(results["replay"]), mode
    money = [
        {row.currency: (row.equity, row.fees, row.realized_pnl, row.unrealized_pnl) for row in results[mode].money}
        for mode in MODES
    ]
    assert money[0] == money[1] == money[2]


@pytest.mark.parametrize("mode", MODES)
def test_a_capped_contract_refuses_hedge_mode_with_the_reason(mode: str) -> None:
    with pytest.raises(ConfigError, match="P_POWELLK26 is capped: hedge mode does not apply; leave position_mode out"):
        run(mode, symbol="P_POWELLK26")


def test_a_leverage_beyond_the_contract_is_refused_before_anything_runs() -> None:
    Path("c.yaml").write_text(
        CONFIG.format(mode="replay", start=START, margin="cross", symbol="XBTUSDT").replace("10}", "250}")
    )
    with pytest.raises(ConfigError, match=r"HB413.*c.yaml:6:37.*leverage 250 > 100 allowed for XBTUSDT"):
        make_plan(load_config(Path("c.yaml"), environ={}), Plugins([], []), None)
