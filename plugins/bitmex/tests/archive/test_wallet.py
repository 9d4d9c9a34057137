"""Wallet histories: every row once, held against the balances beside them, and nothing lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from hbkit.errors import DataError
from plugins.bitmex.tests.archive.exported import as_csv
from plugins.bitmex.tests.archive.ledger import Choices, import_account, imported, money, paid, settled

YEAR = [
    paid(1, 1_000, 1_000),
    settled(2, 50, 1_050),
    settled(3, -20, 1_030),
    paid(4, -330, 700, "Withdrawal", fee=30),
]
"""1000 in, 50 earned, 20 lost, 330 out (30 of it the network's fee): 700."""


def test_balance_transfers_and_profit_of_each_currency_come_from_the_rows(tmp_path: Path) -> None:
    dollars = [paid(2, 5_000_000, 5_000_000, currency="USDt"), settled(3, -1, 4_999_999, currency="USDt")]
    _, result = imported(tmp_path, [*YEAR, *dollars])
    xbt, usdt = money(result), money(result, "USDT")
    assert (xbt.starting_balance, xbt.transfers, xbt.realized_pnl, xbt.equity) == (0, 670, 30, 700)
    assert (usdt.transfers, usdt.realized_pnl, usdt.equity, usdt.scale) == (5_000_000, -1, 4_999_999, 6)
    assert result.identity_gaps() == {"XBT": 0, "USDT": 0}
    assert xbt.untold == ["fees", "funding", "unrealized_pnl"]
    assert result.equity_series.minor["XBT"][-1] == 700
    (table,) = [one for one in result.tables if one.title == "By day"]
    assert ["2024-01-03", "XBT", "0.00000000", "-0.00000020", "0.00001030"] in table.rows


def test_a_history_that_begins_in_the_middle_begins_with_the_balance_before_it(tmp_path: Path) -> None:
    _, result = imported(tmp_path, YEAR[1:])
    # 1050 after 50 were earned: 1000 were there.
    assert (money(result).starting_balance, money(result).equity) == (1_000, 700)


def test_the_exchange_tells_the_newest_first(tmp_path: Path) -> None:
    forward, backward = imported(tmp_path, YEAR), imported(tmp_path, YEAR[::-1])
    assert forward[1].run_id == backward[1].run_id
    assert forward[1].warnings == backward[1].warnings


def test_rows_of_one_second_may_share_their_last_balance(tmp_path: Path) -> None:
    _, result = imported(tmp_path, [YEAR[0], settled(2, 50, 1_030), settled(2, -20, 1_030, "ETHUSD")])
    assert money(result).equity == 1_030
    assert not [line for line in result.warnings if "HB517" in line]


def test_overlapping_files_count_each_row_once_and_make_the_same_run(tmp_path: Path) -> None:
    _, whole = imported(tmp_path, YEAR)
    _, parts = imported(tmp_path, YEAR[:3], YEAR[2:])
    assert (parts.run_id, parts.money) == (whole.run_id, whole.money)
    assert [line for line in parts.warnings if "HB515" in line] == [
        f"note[HB515] {tmp_path}/1.json:2: 1 rows are there more than once and count once"
    ]


def test_rows_without_an_id_are_told_apart_by_what_they_say(tmp_path: Path) -> None:
    """BitMEX's own page exported no id. Two equal rows of one file are two rows, of two files they are one."""
    twin = [paid(2, 50, 1_100), paid(2, 50, 1_100)]
    rows = [{**row, "transactID": ""} for row in [YEAR[0], *twin]]
    _, result = imported(tmp_path, rows, rows[1:])
    assert money(result).equity == 1_100
    assert any("2 rows are there more than once" in line for line in result.warnings)


def test_one_id_with_two_amounts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        imported(tmp_path, YEAR, [{**YEAR[1], "amount": 51}])
    assert f"error[HB514] {tmp_path}/1.json:2 transactID RealisedPNL-2-50: 51 XBT" in str(refused.value)


def test_what_was_pending_in_an_older_file_is_booked_by_the_newer_one(tmp_path: Path) -> None:
    pending = {**YEAR[3], "transactStatus": "Pending", "walletBalance": None}
    _, before = imported(tmp_path, [*YEAR[:3], pending])
    assert money(before).equity == 1_030
    _, after = imported(tmp_path, [*YEAR[:3], pending], [YEAR[3]])
    assert money(after).equity == 700


def test_canceled_and_pending_rows_do_not_count_and_are_kept(tmp_path: Path) -> None:
    account, result = imported(
        tmp_path,
        [*YEAR, paid(5, -100, 700, "Withdrawal", transactStatus="Canceled"), paid(6, 9, None, transactStatus="X")],
    )
    assert money(result).equity == 700
    assert len(account.wallet.left_out) == 2
    assert any('status "X" is unknown: 1 such rows do not count' in line for line in result.warnings)
    (table,) = [one for one in result.tables if one.title == "The wallet's rows"]
    assert ["XBT", "Withdrawal", "not booked: Canceled", "1", "-0.00000100", "0.00000000"] in table.rows


def test_a_gap_is_told_with_its_place_and_the_balance_still_ends_where_the_wallet_says(tmp_path: Path) -> None:
    _, result = imported(tmp_path, [YEAR[0], YEAR[1], YEAR[3]])
    # Without the loss of 20 the rows make 720, and the last one says 700.
    (line,) = [line for line in result.warnings if "HB517" in line]
    assert line.startswith(f"warning[HB517] {tmp_path}/0.json:27 the balance is 0.00000700 XBT, 0.00000020 less than")
    assert money(result).equity == 700
    assert money(result).transfers == 1_000 - 330 - 20
    (table,) = [one for one in result.tables if one.title == "Gaps"]
    assert table.rows == [["2024-01-04 09:00:00", "XBT", "-0.00000020", "0.00000700", "0.json:27"]]


def test_a_withdrawal_that_was_completed_later_is_no_gap(tmp_path: Path) -> None:
    """A file without `timestamp` knows when a withdrawal was asked for; its balance is that of its completion."""
    rows = [YEAR[0], paid(2, -400, 650, "Withdrawal"), settled(2, 30, 1_030), settled(3, 20, 1_050)]
    columns = ("transactTime", "transactType", "amount", "fee", "address", "transactStatus", "walletBalance")
    path = as_csv(tmp_path / "page.csv", rows[:], columns)
    _, result = import_account([path], Choices(currency="XBt"))
    # 1000, then 1030 and 1050 settled, then 400 leave: 650.
    assert money(result).equity == 650
    assert not [line for line in result.warnings if "HB517" in line]


def test_without_balances_rows_count_from_nothing_and_that_is_said(tmp_path: Path) -> None:
    _, result = imported(tmp_path, [{**row, "walletBalance": None} for row in YEAR])
    assert (money(result).starting_balance, money(result).equity) == (0, 700)
    assert any("XBT: no row has a walletBalance" in line for line in result.warnings)


def test_open_profit_is_that_of_the_newest_file(tmp_path: Path) -> None:
    nil = "00000000-0000-0000-0000-000000000000"
    older = paid(9, 5, 0, "UnrealisedPNL", transactTime=None, timestamp=None, transactID=nil, transactStatus="Pending")
    newer = {**older, "amount": 8}
    # A page wrote something where there is no time; another currency's file is newer than both.
    newer["transactTime"] = "Invalid Date"
    dollars = [paid(9, 7, 7, currency="USDt"), {**older, "currency": "USDt", "amount": -3}]
    _, result = imported(tmp_path, [newer, *YEAR], [older, *YEAR[:2]], dollars)
    assert (money(result).unrealized_pnl, money(result).equity) == (8, 708)
    assert (money(result, "USDT").unrealized_pnl, money(result, "USDT").equity) == (-3, 4)
    assert any("open profit as it stood when the file was made" in line for line in result.warnings)


def test_fundings_of_a_wallet_are_fundings_where_nothing_else_tells_of_them(tmp_path: Path) -> None:
    _, result = imported(tmp_path, [*YEAR, paid(5, -4, 696, "Funding")])
    row = money(result)
    assert (row.funding, row.realized_pnl, row.equity) == (-4, 30, 696)
    assert row.untold == ["fees", "unrealized_pnl"]


def test_a_kind_that_nobody_knows_counts_as_a_transfer_and_is_told(tmp_path: Path) -> None:
    _, result = imported(tmp_path, [*YEAR, paid(5, 10, 710, "Gift")])
    assert money(result).transfers == 680
    assert any('transactType "Gift" is unknown: 1 such rows count as transfers' in line for line in result.warnings)
