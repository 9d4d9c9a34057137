"""Quotes at one exchange, hedges at another: prices and contracts by hand, and how much is ever without a hedge."""

import ast
import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hbkit.cli import live
from hbkit.clock import SECOND, ManualClock, iso, parse_time
from hbkit.config import load_config
from hbkit.model import Side
from hbkit.plugins import Plugins
from hbkit.report.result import RunResult
from hbkit.run import Replay, make_plan
from hbkit.run.find import find_strategy
from tests.several import Town, in_town

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "strategies" / "cross_exchange_mm.py"
START = parse_time("2019-05-28T19:00:00Z")
CONFIG = """
exchanges:
  bitmex: {mode: replay, balances: {USDT: 1000, XBT: 1}, replay: {data: spot.csv}}
  bitmex_perpetual: {mode: replay, balances: {USDT: 1000, XBT: 1}, replay: {data: [hedge.csv, marks.csv]}}
strategies:
  - use: FILE
    exchange: bitmex
    instruments: [XBT_USDT, {exchange: bitmex_perpetual, symbol: HEDGE}]
    params: {margin_bps: 5, coins: 0.02, max_unhedged: 0.04, max_held: 0.1}
"""
SETTINGS = {"margin_bps": 100, "coins": 1, "max_unhedged": 2, "max_held": 5, "requote_bps": 1}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# -- prices and contracts, by hand, over recorded data


def play(hedge: str, spot: list[tuple[float, float]], *, touch: float = 8010.0) -> RunResult:
    """The spot market second by second; the hedge stands at `touch`, and half a dollar above."""
    stamps = [iso(START + second * SECOND) for second in range(len(spot))]
    head = "timestamp,bidPrice,askPrice,bidSize,askSize\n"
    rows = [f"{ts},{bid},{ask},5,5\n" for ts, (bid, ask) in zip(stamps, spot, strict=True)]
    Path("spot.csv").write_text(head + "".join(rows))
    Path("hedge.csv").write_text(head + "".join(f"{ts},{touch},{touch + 0.5},5000000,5000000\n" for ts in stamps))
    Path("marks.csv").write_text("timestamp,markPrice\n" + "".join(f"{ts},{touch}\n" for ts in stamps))
    Path("c.yaml").write_text(CONFIG.replace("FILE", str(FILE)).replace("HEDGE", hedge))
    plan = make_plan(load_config(Path("c.yaml"), environ={}), Plugins([], []), None)
    return Replay(plan, wall=ManualClock(0)).play()


def fills(result: RunResult) -> list[tuple[str, str, str, float]]:
    return [(row.instrument, row.side, row.qty, float(row.price)) for row in result.fill_rows]


CALM, DOWN, UP = (8005.0, 8005.5), (7990.0, 7990.5), (8030.0, 8030.5)


def test_it_quotes_around_the_hedge_and_takes_there_what_was_filled_here() -> None:
    # Two fees of 0.05 % and 5 bps are 0.15 %: the bid is 8,010 * 0.9985 = 7,997.985, on the tick 7,997.5, the offer
    # 8,010.5 * 1.0015 = 8,022.516, so 8,023. Each is met once: 0.02 coins are 20,000 contracts of a millionth.
    result = play("XBTUSDT", [CALM, CALM, DOWN, CALM, UP, CALM])
    assert (result.exit_code, result.rejects, result.warnings) == (0, 0, [])
    assert fills(result) == [
        ("XBT_USDT", "buy", "0.02", 7997.5),
        ("XBTUSDT", "sell", "20000", 8010.0),
        ("XBT_USDT", "sell", "0.02", 8023.0),
        ("XBTUSDT", "buy", "20000", 8010.5),
    ]
    # 0.02 * (8,023 - 7,997.5) - 0.02 * 0.5 = 0.50; fees of 0.05 % of 159.95, 160.2, 160.46 and 160.21: 0.32041.
    (usdt,) = [row for row in result.money if row.currency == "USDT"]
    assert (usdt.realized_pnl, usdt.fees, usdt.gap) == (500_000, 320_410, 0)
    assert result.positions == []


def test_contracts_of_dollars_are_sold_for_what_the_coins_cost_and_less_than_a_lot_is_carried() -> None:
    # 0.02 coins at 7,997.5 cost 159.95 dollars: one lot of 100 is sold. Another 0.02 make 319.90: 300. Sold again at
    # 8,023, nothing of them is left, and nothing of the hedge.
    result = play("XBTUSD", [CALM, CALM, DOWN, CALM, DOWN, CALM, UP, CALM, UP, CALM])
    assert (result.exit_code, result.rejects, result.warnings) == (0, 0, [])
    assert fills(result) == [
        ("XBT_USDT", "buy", "0.02", 7997.5),
        ("XBTUSD", "sell", "100", 8010.0),
        ("XBT_USDT", "buy", "0.02", 7997.5),
        ("XBTUSD", "sell", "200", 8010.0),
        ("XBT_USDT", "sell", "0.02", 8023.0),
        ("XBTUSD", "buy", "200", 8010.5),  # 159.95 are left to hedge: one lot
        ("XBT_USDT", "sell", "0.02", 8023.0),
        ("XBTUSD", "buy", "100", 8010.5),
    ]


def test_it_buys_no_more_than_it_may_hold() -> None:
    result = play("XBTUSDT", [CALM, *[CALM, DOWN] * 8, CALM])
    bought = [float(row.qty) for row in result.fill_rows if row.instrument == "XBT_USDT"]
    assert sum(bought) == pytest.approx(0.1)
    assert [(row.instrument, row.qty) for row in result.positions] == [("XBT_USDT", "0.1"), ("XBTUSDT", "-100000")]


# -- what goes wrong, at two venues in memory; alpha is the maker, beta the hedge


class Watched:
    """How much was without a hedge, by what the venues themselves know, after everything that happened there."""

    def __init__(self, town: Town) -> None:
        self.most = 0.0
        self._town = town
        for venue in town.venues.values():
            venue.after = self.look  # type: ignore[method-assign]

    def look(self) -> None:
        if hasattr(self, "most"):
            self.most = max(self.most, abs(self.net))

    @property
    def net(self) -> float:
        """Coins of both together, to the unit."""
        return round(self._town.held("alpha") + self._town.held("beta"), 3)


def run(folder: Path, test: Callable[[Town, Watched, type], Awaitable[None]]) -> None:
    config = load_config(ROOT / "configs" / "cross_exchange.yaml", environ={})
    use = find_strategy(str(FILE), config, Plugins([], []))

    async def play(town: Town) -> None:
        await test(town, Watched(town), use)

    in_town(folder, play)


async def calm(town: Town, seconds: float = 1) -> None:
    town.move("alpha", 100, 100.2)
    town.move("beta", 100, 100.2)
    await asyncio.sleep(seconds)


def bid(town: Town) -> float:
    """Where our bid stands at the maker."""
    standing = [one for one in town["alpha"].orders() if not one.status.is_final and one.side is Side.BUY]
    return standing[0].instrument.price(standing[0].ticks or 0) if standing else 0.0


def test_fills_in_part_are_hedged_in_part_and_crumbs_are_carried(tmp_path: Path) -> None:
    async def script(town: Town) -> None:
        await calm(town, 2)
        for coins in (0.3, 0.005, 0.005, 0.45):  # a lot of the hedge is 0.01
            town.take("alpha", Side.SELL, bid(town) - 0.1, coins)
            await asyncio.sleep(0.5)

    async def test(town: Town, watched: Watched, use: type) -> None:
        result = await town.play(use, script, params=SETTINGS, seconds=8)
        assert (result.exit_code, result.rejects) == (0, 0)
        sold = [row.qty for row in result.fill_rows if row.exchange == "beta"]
        bought = [row.qty for row in result.fill_rows if row.exchange == "alpha"]
        assert sum(map(float, bought)) == pytest.approx(sum(map(float, sold)))
        assert watched.net == 0
        assert watched.most <= 1

    run(tmp_path, test)


def test_a_refused_hedge_is_tried_again_and_no_more_is_bought_than_the_limit_allows(tmp_path: Path) -> None:
    async def script(town: Town) -> None:
        await calm(town, 2)
        town["beta"].refuses = "no money"
        for _ in range(6):
            if bid(town):
                town.take("alpha", Side.SELL, bid(town) - 0.1, 0.7)
            await asyncio.sleep(1)
        town.stuck = watched_by[0].net, bid(town)  # type: ignore[attr-defined]
        town["beta"].refuses = ""
        await asyncio.sleep(3)

    watched_by: list[Watched] = []

    async def test(town: Town, watched: Watched, use: type) -> None:
        watched_by.append(watched)
        result = await town.play(use, script, params=SETTINGS, seconds=14)
        # 2 coins are without a hedge, the whole limit, and nothing is bid any more, until orders are taken again.
        assert town.stuck == (2.0, 0.0)  # type: ignore[attr-defined]
        assert watched.most == 2
        assert (watched.net, bid(town)) == (0, 0)
        assert result.rejects >= 6
        assert "no money" in town.said.getvalue()

    run(tmp_path, test)


def test_without_the_hedge_nothing_is_quoted_and_what_filled_meanwhile_is_hedged_after(tmp_path: Path) -> None:
    async def script(town: Town) -> None:
        await calm(town, 2)
        town["beta"].fall()
        town.take("alpha", Side.SELL, bid(town) - 0.1, 0.5)  # before the cancel arrives
        await asyncio.sleep(1)
        town.meanwhile = bid(town), watched_by[0].net  # type: ignore[attr-defined]
        town["beta"].rise()
        await asyncio.sleep(12)
        await calm(town, 2)
        town.after = bid(town)  # type: ignore[attr-defined]

    watched_by: list[Watched] = []

    async def test(town: Town, watched: Watched, use: type) -> None:
        watched_by.append(watched)
        await town.play(use, script, params=SETTINGS, seconds=22)
        assert town.meanwhile == (0.0, 0.5)  # type: ignore[attr-defined]
        # 0.05 % for the hedge less 0.01 % back for the maker and 1 %: 100 * (1 - 0.0104) = 98.96, on the tick 98.9.
        assert town.after == 98.9  # type: ignore[attr-defined]
        assert watched.net == 0

    run(tmp_path, test)


def test_a_hedge_on_its_way_counts_on_both_sides(tmp_path: Path) -> None:
    # A coin is bought, sold again, and sold once more, all before the first hedge has arrived: what is on its way there
    # may fill or not, so the offers end where both together would be two coins short.
    async def script(town: Town) -> None:
        await calm(town, 2)
        town["beta"].slow = 2.0
        town.take("alpha", Side.SELL, bid(town) - 0.1, 1)
        for _ in range(3):
            await asyncio.sleep(0.5)
            town.take("alpha", Side.BUY, 102, 1)
        await asyncio.sleep(3)
        town["beta"].slow = 0.0
        await calm(town, 3)

    async def test(town: Town, watched: Watched, use: type) -> None:
        await town.play(use, script, params=SETTINGS, seconds=12)
        assert town.held("alpha") < 0
        assert watched.most <= 2
        assert watched.net == 0

    run(tmp_path, test)


def test_it_quotes_no_more_than_the_hedge_offers(tmp_path: Path) -> None:
    async def script(town: Town) -> None:
        town.move("alpha", 100, 100.2)
        town.move("beta", 100, 100.2, 0.3)
        await asyncio.sleep(1)
        standing = [one for one in town["alpha"].orders() if not one.status.is_final]
        town.sizes = [one.instrument.qty(one.units) for one in standing]  # type: ignore[attr-defined]

    async def test(town: Town, watched: Watched, use: type) -> None:
        await town.play(use, script, params=SETTINGS, seconds=4)
        assert town.sizes == [0.3, 0.3]  # type: ignore[attr-defined]

    run(tmp_path, test)


@pytest.mark.parametrize("lost", ["lose_reply", "lose_request"])
def test_a_hedge_of_unknown_fate_is_not_sent_twice(tmp_path: Path, lost: str) -> None:
    async def script(town: Town) -> None:
        await calm(town, 2)
        getattr(town["beta"], lost)("submit")
        town.take("alpha", Side.SELL, bid(town) - 0.1, 0.5)
        for _ in range(25):  # it is settled once the request has expired
            await calm(town, 1)

    async def test(town: Town, watched: Watched, use: type) -> None:
        await town.play(use, script, params=SETTINGS, seconds=30)
        assert (town.held("alpha"), town.held("beta")) == (0.5, -0.5)
        sent = [one for one in town["beta"].orders() if one.side is Side.SELL]
        assert len(sent) == 1  # the lost request never arrived, the lost reply was found to have

    run(tmp_path, test)


def test_a_silent_hedge_market_is_not_quoted_on(tmp_path: Path) -> None:
    async def script(town: Town) -> None:
        await calm(town, 2)
        town.before = bid(town)  # type: ignore[attr-defined]
        for second in range(12):
            town.move("alpha", 100 - second / 10, 100.2)
            await asyncio.sleep(1)
        town.after = bid(town)  # type: ignore[attr-defined]

    async def test(town: Town, watched: Watched, use: type) -> None:
        await town.play(use, script, params={**SETTINGS, "stale": 5}, seconds=16)
        assert (town.before, town.after) == (98.9, 0.0)  # type: ignore[attr-defined]

    run(tmp_path, test)


def test_killed_between_a_fill_and_its_hedge_the_next_start_hedges_it(tmp_path: Path) -> None:
    async def killed(town: Town) -> None:
        await calm(town, 2)
        town["beta"].refuses = "busy"
        town.take("alpha", Side.SELL, bid(town) - 0.1, 0.5)
        await asyncio.sleep(0.5)

    async def test(town: Town, watched: Watched, use: type) -> None:
        await town.play(use, killed, params=SETTINGS, seconds=600, kill=True)
        assert watched.net == 0.5
        town["beta"].refuses = ""
        result = await town.play(use, params=SETTINGS, seconds=5, on_existing="cancel")
        assert result.exit_code == 0
        assert (town.held("alpha"), town.held("beta")) == (0.5, -0.5)

    run(tmp_path, test)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_the_limit_holds_and_in_the_end_all_is_hedged(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)

    async def script(town: Town) -> None:
        price = 100.0
        for _ in range(60):
            price = round(price + chance.choice((-0.3, -0.1, 0.0, 0.1, 0.3)), 1)
            town.move("beta", price, price + 0.2, chance.choice((0.3, 2, 50)))
            town.move("alpha", price - 0.1, price + 0.3)
            what = chance.random()
            if what < 0.4:
                side = chance.choice(list(Side))
                away = -2 if side is Side.SELL else 2
                town.take("alpha", side, price + away, chance.choice((0.02, 0.3, 1.5)))
            elif what < 0.5:
                town[chance.choice(("alpha", "beta"))].cut()
            elif what < 0.6:
                getattr(town["beta"], chance.choice(("lose_reply", "lose_request")))("submit")
            elif what < 0.7:
                lose = getattr(town["alpha"], chance.choice(("lose_reply", "lose_request")))
                lose(chance.choice(("submit", "amend")))
            elif what < 0.8:
                town["beta"].refuses = "" if town["beta"].refuses else "busy"
            elif what < 0.9:
                town["beta"].slow = chance.choice((0.0, 0.3, 2.0))
            await asyncio.sleep(chance.choice((0.003, 0.4, 1.5, 4.0)))
        town["beta"].refuses, town["beta"].slow = "", 0.0
        for _ in range(40):
            town.move("beta", price, price + 0.2)
            await asyncio.sleep(1)

    async def test(town: Town, watched: Watched, use: type) -> None:
        settings = {**SETTINGS, "margin_bps": 20, "max_held": 4}
        result = await town.play(use, script, params=settings, seconds=400)
        assert result.exit_code == 0
        assert len(result.fill_rows) > 5
        assert watched.most <= 2 + 1e-9
        assert abs(watched.net) < 0.01
        assert abs(town.held("alpha")) <= 4 + 1e-9
        assert [row.gap for row in result.money] == [0]

    run(tmp_path, test)


# -- as it comes


def run_config(*overrides: str) -> RunResult:
    """Twelve virtual seconds of the config, three minutes of the market."""
    over = ["run.duration=12s", *overrides]
    config = load_config(ROOT / "configs" / "cross_exchange.yaml", overrides=over, environ={})
    plan = make_plan(config, Plugins(), None)
    return live.play(plan, virtual=True, allowed=False, debug=False, no_view=True)


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """The config as it comes."""
    folder = tmp_path_factory.mktemp("native")
    return run_config(f"run.dir={folder}", f"state.dir={folder}")


def traded(result: RunResult) -> list[tuple[str, ...]]:
    return [(row.exchange, row.instrument, row.side, row.qty, row.price) for row in result.fill_rows]


def test_the_hedge_may_go_through_another_connector_by_editing_its_block(native: RunResult) -> None:
    pytest.importorskip("hbkit_ccxt")
    ccxt = pytest.importorskip("ccxt")
    if "bitmex" not in ccxt.exchanges:
        pytest.skip(f"ccxt {ccxt.__version__} has no bitmex")
    # An account of its own at the same simulator, spoken to through ccxt.
    block = "exchanges.bitmex_perpetual"
    other = [f"{block}.plugin=ccxt:bitmex", f"{block}.api_key=mine", f"{block}.api_secret=of-the-other"]
    through = run_config(*other)
    assert (through.exit_code, through.rejects) == (0, 0)
    assert traded(through) == traded(native) != []
    assert {row.currency: row.gap for account in through.accounts for row in account.money if row.gap} == {}
    # Two accounts now, and one currency counted in one unit over both.
    (usdt,) = [row for row in through.money if row.currency == "USDT"]
    assert usdt.starting_balance == 2 * 10_000 * 10**usdt.scale


def test_its_config_runs_from_a_clone(native: RunResult) -> None:
    result = native
    assert (result.exit_code, result.rejects, result.warnings) == (0, 0, [])
    held = {row.instrument: float(row.qty) for row in result.positions}
    assert result.fills > 5
    # A lot of the perpetual is 100 contracts of a millionth of a coin.
    assert abs(held.get("XBT_USDT", 0) + held.get("XBTUSDT", 0) / 1_000_000) < 0.0001
    assert result.reporting is not None
    assert result.reporting.equity is not None
    assert {row.currency: row.gap for row in result.money if row.gap} == {}


def test_it_is_a_small_file() -> None:
    statements = [node for node in ast.walk(ast.parse(FILE.read_text(encoding="utf-8"))) if isinstance(node, ast.stmt)]
    assert len(statements) < 80
