"""What is wrong in a file is told with its line, its cause and the mend: all of it, before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hbkit_bitmex.archive.cells import MOST_FAULTS, Choices

from hbkit.errors import DataError
from plugins.bitmex.tests.archive.exported import as_csv
from plugins.bitmex.tests.archive.ledger import fill, import_account, imported, money, paid, settled


def refused(folder: Path, *files: list[dict[str, Any]], **choices: Any) -> str:
    with pytest.raises(DataError) as found:
        imported(folder, *files, **choices)
    assert found.value.exit_code == 2
    return str(found.value).replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"amount": "1.5"}, 'error[HB512] 0.json:2 amount "1.5" is no whole number; BitMEX counts minor units'),
        ({"amount": "12 XBt"}, 'amount "12 XBt" is not a number; write it without blanks, units and separators'),
        ({"amount": True}, "amount True is not a number"),
        ({"amount": None}, "no amount; fill it in or remove the line"),
        ({"transactType": ""}, "no transactType; fill it in or remove the line"),
        ({"currency": "XBX"}, 'currency "XBX" is not one that BitMEX had; did you mean'),
        ({"currency": None}, "the file has no column currency; say which it was, in BitMEX's code of the minor unit"),
        ({"transactTime": None, "timestamp": None}, "a Deposit without a time; fill in transactTime"),
        ({"timestamp": "5/1/2020, 1:00:00 PM"}, "names no zone: a browser wrote it in its own"),
    ],
)
def test_a_cell_of_a_wallet_that_cannot_be_read(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    assert told in refused(tmp_path, [{**paid(1, 5, 5), **changes}])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"side": "Long"}, 'error[HB512] 0.json:2 side "Long" is neither Buy nor Sell'),
        ({"lastPx": "n/a"}, 'lastPx "n/a" is not a number'),
        ({"lastQty": 1.5}, 'lastQty "1.5" is no whole number'),
        ({"symbol": None}, "no symbol; fill it in or remove the line"),
        ({"transactTime": None, "timestamp": None}, "an execution without a time"),
        (
            {"symbol": "XBTM17", "settlCurrency": None},
            "XBTM17 is in none of the packaged instrument rows, and the file has",
        ),
    ],
)
def test_a_cell_of_an_execution_that_cannot_be_read(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    row = {**fill("02T10:00", "Buy", 1_000, 50_000.0, -2_000_000, 1_000), **changes}
    assert told in refused(tmp_path, [row])


def test_a_cell_cannot_send_codes_to_the_terminal(tmp_path: Path) -> None:
    text = refused(tmp_path, [{**paid(1, 5, 5), "amount": "\x1b[2J5"}])
    assert "\\x1b[2J5" in text
    assert text.replace("\n", "").isprintable()


def test_all_faults_of_all_files_are_told_at_once_and_many_are_counted(tmp_path: Path) -> None:
    bad = [{**paid(1, 5, 5), "amount": "x"} for _ in range(30)]
    text = refused(tmp_path, [paid(2, 5, 5, fee="y")], bad)
    assert 'fee "y" is not a number' in text
    assert text.count("HB512") == MOST_FAULTS
    assert "and 6 more of the kind; mend these first" in text


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (["transactType", "transactTime"], "wallet history without the column amount; export it with this column"),
        (["transactType", "Amount", "transactTime"], 'without the column amount; is it the column "Amount"? rename it'),
        (["transactType", "amount"], "wallet history without the column transactTime"),
        (["execType", "symbol", "lastQty", "transactTime"], "executions without the column lastPx"),
        (["walletBalance", "availableMargin"], "this is a snapshot of the margin; export the wallet history"),
        (["orderID", "ordStatus"], "this is an order history; the fills and their money are in the execution"),
        (["a", "b"], "neither a wallet history (it has a column transactType) nor an execution history (execType)"),
        (["TransactType", "amount"], 'column "TransactType" looks like one of them'),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, columns: list[str], told: str) -> None:
    path = as_csv(tmp_path / "x.csv", [dict.fromkeys(columns, "1")])
    with pytest.raises(DataError) as found:
        import_account([path])
    assert told in str(found.value)


def test_an_empty_list_is_told(tmp_path: Path) -> None:
    assert "an empty list: the account has no such rows; leave the file out" in refused(tmp_path, [])


def test_two_accounts_are_refused_and_can_be_told_apart(tmp_path: Path) -> None:
    files = [paid(1, 5, 5)], [paid(2, 9, 9, account=8)]
    text = refused(tmp_path, *files)
    assert "error[HB513] 1.json:2 account 8, but 0.json:2 is of account 7" in text.replace(str(tmp_path), "")
    assert "--account 7 takes its rows only" in text
    _, result = imported(tmp_path, *files, account="8")
    assert money(result).equity == 9
    assert "there is no row in these files that is of this account" in refused(tmp_path, *files, account="9")


def test_unknown_columns_are_told_and_kept(tmp_path: Path) -> None:
    account, result = imported(tmp_path, [paid(1, 5, 5, mood="good")])
    assert [line for line in result.warnings if "HB516" in line] == [
        f'warning[HB516] {tmp_path}/0.json:1 unknown columns "mood": kept in the CSV files, used for nothing'
    ]
    assert account.wallet.purses["XBT"].movements[0].row.cells["mood"] == "good"


def test_settled_profit_at_another_hour_shows_that_the_zone_is_wrong(tmp_path: Path) -> None:
    rows = [settled(day, 1, None, transactTime=f"2024-01-{day:02d} 14:00:00", timestamp=None) for day in (2, 3)]
    _, result = imported(tmp_path, rows)
    (line,) = [line for line in result.warnings if "HB516" in line]
    assert (
        "most settled profit stands at 14:00, and BitMEX settled at 12:00 UTC; if the times are those of UTC+2" in line
    )


def test_currency_codes_are_matched_without_case_and_scales_are_those_of_the_exchange(tmp_path: Path) -> None:
    _, result = imported(tmp_path, [paid(1, 5, 5, currency="gwei"), paid(2, 7, 7, currency="LAMp")])
    assert [(row.currency, row.scale) for row in result.money] == [("ETH", 9), ("SOL", 9)]


def test_a_page_of_a_browser_is_read_with_its_zone_and_currency(tmp_path: Path) -> None:
    text = (
        '"transactTime","transactType","amount","fee","address","transactStatus","walletBalance"\n'
        '"1/14/2020, 1:00:00 PM","RealisedPNL","50","null","XBTUSD","Completed","1050"\n'
        '"1/3/2020, 10:00:00 AM","Deposit","1000","null","3BMEX","Completed","1000"\n'
    )
    path = tmp_path / "Wallet History - 2020-01-20.csv"
    path.write_text(text)
    _, result = import_account([path], Choices(zone=ZoneInfo("Europe/Berlin"), currency="XBt"))
    # 13 o'clock in Berlin is noon in UTC; one date has a 14, so the first number is the month.
    assert (result.started, result.stopped) == ("2020-01-03T09:00:00.000Z", "2020-01-14T12:00:00.000Z")
    assert money(result).equity == 1_050
    assert not [line for line in result.warnings if line.startswith("warning")]
