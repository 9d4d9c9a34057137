"""Whole accounts: a real one, and one that traded here, whose run and whose import have to be one story."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hbkit_bitmex.archive.importing import import_account
from hbkit_bitmex.archive.writing import FILLS, write

from hbkit import log
from hbkit.chance import Chance
from hbkit.clock import SECOND, parse_time
from hbkit.config import load_config
from hbkit.net.virtual import VirtualLoop, run_virtual
from hbkit.plugins import Plugins
from hbkit.report.comparison import compare
from hbkit.report.course import course_of
from hbkit.report.result import RunResult
from hbkit.run import make_plan
from hbkit.run.live import LiveRun
from plugins.bitmex.tests.archive.exported import History, as_csv, as_json, exporting
from plugins.bitmex.tests.archive.ledger import money
from plugins.bitmex.tests.connector.scene import CHURN, TAPE, Ground, play

HERE = Path(__file__).parent
Writer = Callable[[Path, list[dict[str, Any]]], Path]
WHOLE = HERE.parent / "account" / "wallet-history-2020-05_2021-12.csv.gz"
LEGS = HERE.parent / "connector" / "legs.py"
BEFORE_NOON = parse_time("2019-05-28T11:59:20Z")
"""Forty seconds before a funding and the close of a session."""


def test_the_first_rows_of_a_real_account_as_they_were_exported(tmp_path: Path) -> None:
    path = HERE / "data" / "walletHistory-2020-05.csv"
    _, result = import_account([path])
    row = money(result)
    # The file's last walletBalance; 132,031,900 and 45,167,151 were paid in, the rest was earned.
    assert row.equity == 388_040_858
    assert row.transfers == 132_031_900 + 45_167_151
    assert row.realized_pnl == 388_040_858 - row.transfers
    assert not [line for line in result.warnings if line.startswith("warning")]


def test_the_whole_real_account_ends_at_its_last_balance(tmp_path: Path) -> None:
    """2,396 rows that close in each of 608 groups; made again in the columns of the exchange."""
    with gzip.open(WHOLE, "rt") as file:
        rows = [
            {
                **row, "timestamp": row["timestamp"] or row["transactTime"], "address": row["symbol"],
                "currency": "XBt", "transactStatus": "Completed",
            }
            for row in csv.DictReader(file)
        ]  # fmt: skip
    columns = (
        "timestamp", "transactTime", "transactType", "transactStatus", "currency", "amount", "fee", "walletBalance",
        "address",
    )  # fmt: skip
    account, result = import_account([as_csv(tmp_path / "whole.csv", rows, columns)])
    row = money(result)
    assert row.equity == 5_086_215_465
    assert row.starting_balance == 0
    assert result.events == 2_396
    assert account.wallet.purses["XBT"].gaps == []
    assert not [line for line in result.warnings if line.startswith("warning")]
    (days,) = [table for table in result.tables if table.title == "By day"]
    assert days.rows[-1] == ["2021-12-31", "XBT", "0.00000000", "-0.78038805", "50.86215465"]


@pytest.mark.parametrize(("route", "write_rows"), [("trades", as_csv), ("executions", as_json)])
def test_a_run_s_account_imports_as_the_run_reported_it(tmp_path: Path, route: str, write_rows: Writer) -> None:
    """Two legs of a hedge over a funding and the close of a session: fills, fees, funding, open profit, to the unit."""
    history: History = {}
    scene = play(
        tmp_path, use=f"{LEGS}:Legs", begin=BEFORE_NOON, start=TAPE + 180 * SECOND, duration=75,
        more=", position_mode: hedge", params="{busy: 60}", ground=exporting(history),
    )  # fmt: skip
    wallet = write_rows(tmp_path / "wallet", history["wallet"])
    rows = write_rows(tmp_path / "rows", history[route])
    account, result = import_account([wallet, rows], strategy="Legs")
    told = {row.currency: row for row in scene.result.money}
    for mine in result.money:
        run = told[mine.currency]
        # What the account began with is a deposit in its history.
        assert mine.starting_balance + mine.transfers == run.starting_balance
        for line in ("realized_pnl", "fees", "funding", "unrealized_pnl", "equity"):
            assert getattr(mine, line) == getattr(run, line), (mine.currency, line)
        assert (mine.gap, mine.untold) == (0, [])
    assert money(result).funding != 0
    assert {row["transactType"] for row in history["wallet"]} == {"Deposit", "RealisedPNL", "UnrealisedPNL"}
    assert [(p.instrument, p.side, p.qty, p.entry_price) for p in result.positions] == [
        (p.instrument, p.side, p.qty, p.entry_price) for p in scene.result.positions
    ]
    names = ("ts", "order_id", "side", "price", "qty", "fee", "liquidity", "kind", "realized", "value", "position_side")
    mine_rows = sorted([getattr(row, name) for name in names] for row in result.fill_rows if row.kind == "trade")
    theirs = sorted([getattr(row, name) for name in names] for row in scene.result.fill_rows if row.kind == "trade")
    assert mine_rows == theirs
    assert result.fills == scene.result.fills > 20
    assert not [line for line in result.warnings if line.startswith("warning")]
    # Held against each other, order by order where the files have all orders, fill by fill in any case.
    found = compare(course_of(scene.result, None), course_of(result, None))
    assert (found.alike["fills"], found.alike["orders"]) == (True, route == "executions")
    # The CSV adds up to what trading earned.
    folder, _ = write(account, result, tmp_path / "imported")
    with (folder / FILLS).open(encoding="utf-8", newline="") as file:
        net = sum(Decimal(row["net"]) for row in csv.DictReader(file))
    row = money(result)
    assert net.scaleb(8) == row.realized_pnl + row.funding - row.fees


THREE_MARKETS = """
run: {{name: scene, seed: 1, duration: 60s, dir: {folder}/runs}}
state: {{dir: {folder}/state}}
exchanges:
  bitmex: {{mode: simulator, latency: 10ms}}
  bitmex_perpetual: {{mode: simulator, latency: 10ms}}
strategies:
  - use: "{use}"
    exchange: bitmex_perpetual
    instruments: [XBTUSD, XBTUSDT, {{exchange: bitmex, symbol: XBT_USDT}}]
"""


def test_spot_linear_and_inverse_of_one_account_import_as_the_venue_booked_them(tmp_path: Path) -> None:
    history: History = {}
    path = tmp_path / "scene.yaml"
    path.write_text(THREE_MARKETS.format(folder=tmp_path, use=f"{HERE / 'three_markets.py'}:ThreeMarkets"))
    plan = make_plan(load_config(path, environ={}), Plugins(block=()))
    grounds: list[Ground] = []

    async def main(loop: VirtualLoop) -> RunResult:
        grounds.append(exporting(history)(loop, Chance(1), None, start=TAPE + 180 * SECOND))
        run = LiveRun(plan, grounds[0])
        log.configure(level="info", stream=StringIO(), clock=run.clock, file=run.folder / "run.log")
        try:
            return await run.play()
        finally:
            log.close()

    run = run_virtual(main, start=BEFORE_NOON)
    wallet, rows = as_json(tmp_path / "wallet", history["wallet"]), as_csv(tmp_path / "rows", history["trades"])
    _, result = import_account([wallet, rows], strategy="ThreeMarkets")
    (venue,) = grounds[0].running.simulator.venue.accounts.values()
    for row in result.money:
        # What was settled and what was earned since, as the venue has it; spot moved both of its currencies.
        assert row.equity - row.unrealized_pnl == venue.cash[row.currency]
        assert row.gap == 0
    for told in run.money:
        mine = money(result, told.currency)
        for line in ("realized_pnl", "fees", "funding"):
            assert getattr(mine, line) == getattr(told, line), (told.currency, line)
    assert {row.instrument for row in result.fill_rows} == {"XBTUSD", "XBTUSDT", "XBT_USDT"}
    assert money(result, "USDT").funding != 0
    assert compare(course_of(run, None), course_of(result, None)).alike["fills"]
    assert not [line for line in result.warnings if line.startswith("warning")]
    assert any("what changed hands on spot stands among the transfers" in line for line in result.warnings)


def test_rows_that_are_missing_in_the_export_of_a_run_are_found(tmp_path: Path) -> None:
    history: History = {}
    play(
        tmp_path, use=f"{CHURN}:Churn", begin=BEFORE_NOON, start=TAPE + 180 * SECOND, duration=60, params="{busy: 45}",
        ground=exporting(history),
    )  # fmt: skip
    wallet = as_json(tmp_path / "wallet.json", history["wallet"])
    rows = history["trades"]
    whole = import_account([wallet, as_json(tmp_path / "rows.json", rows)])[1]
    short = import_account([wallet, as_json(tmp_path / "short.json", rows[:3] + rows[4:])])[1]
    assert not [line for line in whole.warnings if "HB518" in line]
    assert [line for line in short.warnings if "HB518" in line]
    # Whatever is missing, what was settled stands: only what came after noon may differ.
    assert money(short).gap == 0
