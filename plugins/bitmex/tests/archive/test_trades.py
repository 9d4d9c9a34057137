"""Executions: booked to the unit, held against what the wallet settled, and looked at for holes."""

from __future__ import annotations

from pathlib import Path

import pytest

from hbkit.errors import DataError
from plugins.bitmex.tests.archive.exported import as_csv
from plugins.bitmex.tests.archive.ledger import fill, funding, import_account, imported, money, paid, settled

# 10.1: 1,000 XBTUSD at 50,000 are worth 0.02 XBT, at 40,000 0.025 XBT. Bought at 50,000, sold at 62,500 (0.016 XBT).
BUY = fill("02T10:00", "Buy", 1_000, 50_000.0, -2_000_000, 1_000)
SELL = fill("02T11:00", "Sell", 1_000, 62_500.0, 1_600_000, 800)
PAID = funding("02T10:30", 1_000, 200)
# 400,000 earned, 1,800 of fees, 200 of funding: the session settles 398,000.
WALLET = [paid(1, 10_000_000, 10_000_000), settled(2, 398_000, 10_398_000)]


def holes(result: object, code: str = "HB518") -> list[str]:
    return [line for line in result.warnings if code in line]  # type: ignore[attr-defined]


def test_fills_fees_funding_and_positions_come_from_the_executions(tmp_path: Path) -> None:
    _, result = imported(tmp_path, WALLET, [BUY, PAID, SELL])
    row = money(result)
    assert (row.realized_pnl, row.fees, row.funding) == (400_000, 1_800, -200)
    assert (row.transfers, row.unrealized_pnl, row.equity, row.untold) == (10_000_000, 0, 10_398_000, [])
    assert (result.fills, result.orders, result.positions) == (2, 2, [])
    assert result.identity_gaps() == {"XBT": 0}
    assert holes(result) == []
    (table,) = [one for one in result.tables if one.title == "By instrument"]
    assert table.rows == [
        ["XBTUSD", "XBT", "2", "1000", "1000", "0.00400000", "-0.00000200", "0.00001800"],
    ]
    assert [row.order_id for row in result.fill_rows if row.kind == "trade"] == ["order-02T10:00", "order-02T11:00"]


def test_executions_that_came_after_the_wallet_are_not_settled_yet_and_count(tmp_path: Path) -> None:
    more = fill("02T13:00", "Buy", 1_000, 50_000.0, -2_000_000, 1_000)
    _, result = imported(tmp_path, WALLET, [BUY, PAID, SELL, more])
    row = money(result)
    # The fee of the purchase left, and the open position is worth what nobody told.
    assert (row.fees, row.equity) == (2_800, 10_397_000)
    assert row.untold == ["unrealized_pnl"]
    (held,) = result.positions
    assert (held.side, held.qty, held.entry_price) == ("long", "1000", "50000")
    assert holes(result) == []


def test_missing_executions_are_told_and_the_wallet_has_the_last_word(tmp_path: Path) -> None:
    _, result = imported(tmp_path, WALLET, [BUY, SELL])
    # Without the funding the executions make 398,200.
    assert money(result).equity == 10_398_000
    (line,) = holes(result)
    assert "the session of XBTUSD to 2024-01-02T12:00 settled 0.00000200 XBT less than its executions make" in line
    (table,) = [one for one in result.tables if one.title == "Settled without executions"]
    assert table.rows == [["2024-01-02 12:00", "XBTUSD", "XBT", "-0.00000200", "0.json:14"]]


def test_sessions_without_any_execution_stand_as_they_were_settled(tmp_path: Path) -> None:
    _, result = imported(tmp_path, [*WALLET, settled(3, 70, 10_398_070, "ETHUSD")], [BUY, PAID, SELL])
    assert money(result).realized_pnl == 400_070
    (line,) = holes(result)
    assert "1 times profit of XBT was settled without execution (0.00000070 XBT, 2024-01-03 to 2024-01-03)" in line


def test_a_funding_shows_that_fills_before_it_are_missing(tmp_path: Path) -> None:
    _, result = imported(tmp_path, [BUY, funding("02T10:30", 1_500, 300)])
    (line,) = holes(result)
    assert "funding was paid on 1500 XBTUSD at 2024-01-02T10:30, the executions make 1000" in line


def test_an_order_shows_that_fills_of_it_are_missing(tmp_path: Path) -> None:
    _, result = imported(tmp_path, [{**BUY, "cumQty": 1_600}])
    (line,) = holes(result)
    assert "its order had filled 1600, the executions of it make 1000" in line


def test_executions_alone_count_from_nothing_and_that_is_said(tmp_path: Path) -> None:
    _, result = imported(tmp_path, [BUY, PAID, SELL])
    assert (money(result).starting_balance, money(result).equity) == (0, 398_000)
    assert any("XBT: no wallet history, so balances count from 0" in line for line in result.warnings)


def test_executions_from_before_the_wallet_are_part_of_what_it_begins_with(tmp_path: Path) -> None:
    early = [{**row, "transactTime": row["transactTime"].replace("-02T", "-01T"), "execID": f"early-{row['execID']}"}
             for row in (BUY, PAID, SELL)]  # fmt: skip
    _, result = imported(tmp_path, [settled(2, 398_000, 10_398_000)], [*early, BUY, PAID, SELL])
    # 10,000,000 before the second day, 398,000 of which the first day earned.
    assert (money(result).starting_balance, money(result).equity) == (9_602_000, 10_398_000)
    assert any("executions begin 2024-01-01, the wallet history 2024-01-02" in line for line in result.warnings)


def test_rows_of_an_order_s_life_move_nothing(tmp_path: Path) -> None:
    new = {**BUY, "execID": "n", "execType": "New", "lastQty": None, "lastPx": None, "execCost": None, "execComm": None,
           "ordStatus": "New", "cumQty": 0, "transactTime": "2024-01-02T09:00:00.000Z"}  # fmt: skip
    gone = {**new, "execID": "c", "orderID": "other", "execType": "Canceled", "ordStatus": "Canceled"}
    no = {**gone, "execID": "r", "orderID": "third", "execType": "Rejected", "ordStatus": "Rejected"}
    _, result = imported(tmp_path, WALLET, [new, gone, no, BUY, PAID, SELL])
    assert (result.orders, result.fills, result.rejects) == (4, 2, 1)
    assert [(row.status, row.filled) for row in result.order_rows] == [
        ("filled", "1000"), ("canceled", "0"), ("rejected", "0"), ("filled", "1000")
    ]  # fmt: skip
    assert holes(result) == []


def test_an_execution_that_nobody_can_book_is_kept_and_told(tmp_path: Path) -> None:
    odd = {**BUY, "execID": "odd", "execType": "Rebalance", "lastQty": None}
    account, result = imported(tmp_path, WALLET, [BUY, PAID, SELL, odd])
    assert [line.id for line in account.trades.unbooked] == ["odd"]
    assert any("1 executions could not be booked (Rebalance)" in line for line in result.warnings)


def test_executions_are_counted_once_over_files_with_and_without_ids(tmp_path: Path) -> None:
    """BitMEX's page exported fills without execID and settlCurrency, in the same columns otherwise."""
    columns = (
        "transactTime", "symbol", "execType", "side", "lastQty", "lastPx", "execCost", "commission", "execComm",
        "ordType", "orderQty", "leavesQty", "price", "text", "orderID",
    )  # fmt: skip
    rows = [BUY, PAID, SELL]
    page = as_csv(tmp_path / "page.csv", rows, columns)
    whole = imported(tmp_path, WALLET, rows)[1]
    both = import_account([tmp_path / "0.json", tmp_path / "1.json", page])[1]
    alone = import_account([tmp_path / "0.json", page])[1]
    assert both.money == alone.money == whole.money
    assert holes(both) == holes(alone) == []


def test_one_id_with_two_prices_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not the same in"):
        imported(tmp_path, [BUY], [{**BUY, "lastPx": 50_001.0}])


@pytest.mark.parametrize("named", [True, False])
def test_a_settlement_ends_the_position_whether_its_row_names_the_side_or_not(tmp_path: Path, named: bool) -> None:
    # 1,000 bought at 50,000 end at 62,500: 400,000 earned, a fee of 1,000.
    end = {**SELL, "execType": "Settlement", "orderID": None, "execComm": 0, "side": "Sell" if named else ""}
    _, result = imported(tmp_path, [WALLET[0], settled(2, 399_000, 10_399_000)], [BUY, end])
    assert (money(result).realized_pnl, money(result).fees) == (400_000, 1_000)
    assert (result.positions, holes(result)) == ([], [])
    assert [row.kind for row in result.fill_rows] == ["trade", "settlement"]


def test_a_settlement_of_another_position_than_the_executions_make_is_not_guessed_at(tmp_path: Path) -> None:
    end = {**SELL, "execType": "Settlement", "orderID": None, "side": "", "lastQty": 500}
    _, result = imported(tmp_path, [BUY, end])
    assert any("1 executions could not be booked (Settlement)" in line for line in result.warnings)


def test_a_contract_that_nobody_knows_is_booked_from_what_its_executions_say(tmp_path: Path) -> None:
    # An old dated contract: a buyer's cost is negative, so it is inverse; 1,000 at 50,000 are worth 0.02 XBT.
    old = {"symbol": "XBTM17"}
    _, result = imported(tmp_path, [{**BUY, **old}])
    (held,) = result.positions
    assert (held.instrument, held.qty, held.entry_price) == ("XBTM17", "1000", "50000")
    assert any("XBTM17: in none of the packaged instrument rows" in line for line in result.warnings)
    (row,) = result.instruments
    assert (row.kind, row.maker_fee) == ("inverse", "")


def test_one_name_with_two_settlement_currencies_is_two_contracts(tmp_path: Path) -> None:
    """DOGEUSDT was a quanto in 2021 and is linear in 2026: fills of one must not meet the position of the other."""
    first = fill("02T10:00", "Buy", 100, 0.5, 5_000, 3, symbol="DOGEUSDT")
    second = fill("02T11:00", "Sell", 100, 0.6, -60_000, 4, symbol="DOGEUSDT", settlCurrency="USDt")
    _, result = imported(tmp_path, [first, second])
    assert [(row.exchange, row.side, row.qty) for row in result.positions] == [
        ("bitmex", "long", "100"), ("bitmex (USDT)", "short", "-100")
    ]  # fmt: skip
    assert (money(result).realized_pnl, money(result, "USDT").realized_pnl) == (0, 0)


def test_leaving_hedge_mode_with_both_legs_realizes_what_lies_between_them(tmp_path: Path) -> None:
    # Section 13: long 1,000 at 50,000 (0.02 XBT) against short 1,000 at 62,500 (0.016 XBT): 0.004 XBT, no execution.
    legs = [{**BUY, "strategy": "Long"}, {**SELL, "strategy": "Short"}]
    net = fill("02T11:30", "Buy", 100, 50_000.0, -200_000, 100, strategy="OneWay")
    # 400,000 less fees of 1,900 settle.
    _, result = imported(tmp_path, [WALLET[0], settled(2, 398_100, 10_398_100)], [*legs, net])
    assert holes(result) == []
    assert (money(result).realized_pnl, money(result).equity) == (400_000, 10_398_100)
    assert [(row.side, row.qty) for row in result.positions] == [("long", "100")]


def test_spot_moves_two_wallets_and_what_is_held_stands_at_its_cost(tmp_path: Path) -> None:
    # 10.8: 0.001 XBT (100,000 satoshi) bought for 50 USDt, half of it sold for 30: 5 earned, 25 still held, fees 0.08.
    spot = {"symbol": "XBT_USDT", "settlCurrency": None}
    bought = fill("02T10:00", "Buy", 100_000, 50_000.0, 50_000_000, 50_000, **spot)
    sold = fill("02T11:00", "Sell", 50_000, 60_000.0, -30_000_000, 30_000, **spot)
    wallet = [
        paid(1, 100_000_000, 100_000_000, currency="USDt"),
        {**paid(2, 100_000, 100_000, "SpotTrade"), "transactTime": bought["transactTime"]},
        {**paid(2, -50_050_000, 49_950_000, "SpotTrade", currency="USDt"), "transactTime": bought["transactTime"]},
        {**paid(2, -50_000, 50_000, "SpotTrade"), "transactTime": sold["transactTime"]},
        {**paid(2, 29_970_000, 79_920_000, "SpotTrade", currency="USDt"), "transactTime": sold["transactTime"]},
    ]
    for row in wallet:
        row["timestamp"] = row["transactTime"]
    _, result = imported(tmp_path, wallet, [bought, sold])
    quote, base = money(result, "USDT"), money(result)
    assert (quote.realized_pnl, quote.fees, quote.transfers) == (5_000_000, 80_000, 75_000_000)
    assert (quote.equity, base.equity, base.transfers) == (79_920_000, 50_000, 50_000)
    assert result.identity_gaps() == {"USDT": 0, "XBT": 0}
    assert result.equity_series.minor["USDT"][-1] == 79_920_000
    assert result.equity_series.minor["XBT"][-1] == 50_000
