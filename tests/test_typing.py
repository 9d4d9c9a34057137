"""What a type checker tells a user: hbkit is installed from its wheel, and mypy --strict reads a strategy."""

from __future__ import annotations

import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.workbench import wheel

pytest.importorskip("mypy")

ROOT = Path(__file__).parents[1]

GOOD = '''
"""A strategy that uses much of the contract."""

from decimal import Decimal

import hbkit
from hbkit import Candle, Fill, Order, Param, PositionModeChange, Quote, Side, Strategy, hookimpl


class Good(Strategy):
    """Trades now and then."""

    fast: int = Param(20, ge=1)
    qty: float = Param(100, gt=0)

    def on_start(self) -> None:
        self.seen: list[float] = []
        self.every(60, self.tell)

    def tell(self) -> None:
        self.log.info("still here", seen=len(self.seen), worth=self.balance("XBT").total)

    def on_quote(self, quote: Quote) -> None:
        self.seen.append(quote.mid)

    def on_candle(self, candle: Candle) -> None:
        mean = self.closes(self.fast).mean()
        if candle.close > mean:
            order = self.buy(self.qty, candle.close - 1, post_only=True, tag="dip", instrument=self.instruments[0])
            self.amend(order, price=candle.close)
        elif self.position.qty > 0:
            self.close_position()
        self.market("XBT_USDT").sell("0.01", time_in_force="ioc")

    def on_order(self, order: Order) -> None:
        side: Side = order.side
        self.state[order.id] = [side.value, order.filled]

    def on_fill(self, fill: Fill) -> None:
        price: float = fill.price
        self.state["price"] = price

    def on_position_mode(self, change: PositionModeChange) -> None:
        self.set_position_mode(change.mode)


@hookimpl
def hbkit_strategies() -> dict[str, type[Strategy]]:
    return {"good": Good}


def best() -> Decimal:
    result = hbkit.backtest("configs/good.yaml", params={"fast": 10}, seed=1)
    return max(result.net_profit.values())
'''
BAD = '''
"""Each line that ends in a comment is a mistake of the kind that it names."""

from hbkit import Candle, Param, Quote, Strategy


class Bad(Strategy):
    """Nothing is right here."""

    qty: float = Param(1)

    def on_candle(self, candle: Quote) -> None:  # override
        self.buy([self.qty])  # arg-type
        self.buy(1, post_onyl=True)  # call-arg
        self.buy(1, post_only="yes")  # arg-type
        self.sell(1, instrument=5)  # arg-type
        self.cancel(7)  # arg-type
        self.closes("10")  # arg-type
        self.set_leverage("high")  # arg-type
        self.quote(bids=[(1.0,)])  # list-item

    def on_quote(self, quote: Quote) -> float:  # override
        self.log.info("seen", middle=quote.midd)  # attr-defined
        return 1.0

    def on_trade(self, trade: Candle) -> None:  # override
        self.position.qty = 5  # misc
        text: str = self.position.qty  # assignment
        self.log.info(text)
'''


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has hbkit from its wheel, and everything else from here."""
    folder = tmp_path_factory.mktemp("typed")
    venv.create(folder / "venv", with_pip=False)
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel(ROOT, folder / "dist")) as packed:
        packed.extractall(site)
    # Plain paths: what is installed here in editable form, hbkit among it, does not come along.
    (site / "here.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    return folder / "venv" / "bin" / "python"


def mypy(python: Path, folder: Path, text: str) -> tuple[list[str], Path]:
    file = folder / "mine.py"
    file.write_text(text.lstrip("\n"))
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--python-executable", str(python)]
    cache = python.parents[1] / "cache"
    done = subprocess.run(
        [*command, "--cache-dir", str(cache), file.name], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if ": error: " in line], file


def test_a_good_strategy_has_nothing_to_complain_of(python: Path, tmp_path: Path) -> None:
    found, _ = mypy(python, tmp_path, GOOD)
    assert found == []


def test_each_mistake_is_found_where_it_stands(python: Path, tmp_path: Path) -> None:
    found, file = mypy(python, tmp_path, BAD)
    told = [(int(line.split(":")[1]), re.findall(r"\[([a-z-]+)\]$", line)[0]) for line in found]
    meant = [
        (number, line.rpartition("# ")[2])
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if re.search(r"  # [a-z-]+$", line)
    ]
    assert told == meant
    assert 'Argument 1 of "on_candle" is incompatible with supertype "hbkit.trading.strategy.Strategy"' in found[0]
