"""A market of which a strategy hears nothing is traded all the same: its worth is asked for, and the money adds up."""

from pathlib import Path

import pytest

from hbkit.cli import live
from hbkit.config import load_config
from hbkit.plugins import Plugins
from hbkit.run import make_plan

DEAF = '''
"""Buys once, by the clock, and listens to no market."""

from hbkit import Param, Strategy


class Deaf(Strategy):
    qty: float = Param(1, gt=0)

    def on_start(self) -> None:
        self.every(5, self.act)

    def act(self) -> None:
        self.target_position(self.qty)
'''


@pytest.mark.parametrize("mode", ["simulator", "paper"])
@pytest.mark.parametrize(
    ("exchange", "symbol", "qty"),
    [("bitmex", "XBT_USDT", 0.1), ("bitmex_perpetual", "XBTUSDT", 10_000)],
    ids=["spot", "perpetual"],
)
def test_what_nobody_listens_to_is_valued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: str, symbol: str, qty: float, mode: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("deaf.py").write_text(DEAF)
    Path("c.yaml").write_text(
        f"exchanges: {{{exchange}: {{mode: {mode}, simulator: {{start: 2019-05-28T19:22:00Z}}}}}}\n"
        f"strategies: [{{use: deaf.py, instruments: [{symbol}], params: {{qty: {qty}}}}}]\nrun: {{duration: 12s}}\n"
    )
    plan = make_plan(load_config(Path("c.yaml"), environ={}), Plugins([], []), None)
    result = live.play(plan, virtual=True, allowed=False, debug=False, no_view=True)
    assert (result.fills, result.warnings) == (1, [])
    assert [row.gap for row in result.money] == [0] * len(result.money)
    (usdt,) = [row for row in result.money if row.currency == "USDT"]
    assert usdt.unrealized_pnl != 0
