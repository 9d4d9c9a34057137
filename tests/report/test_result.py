"""The result keeps its promise to programs: the keys of `--json`, money that adds up, a file that comes back alike."""

import json
import math

import msgspec
import pytest

from hbkit.errors import DataError
from hbkit.report.result import MoneyRow, PriceSeries, RunResult, StrategyRow

KEYS = {
    "run_id", "mode", "seed", "started", "stopped", "stop_reason", "exit_code", "events", "orders", "fills", "rejects",
    "starting_balance", "transfers", "fees", "funding", "realized_pnl", "unrealized_pnl", "equity", "positions",
    "accounts", "report", "journal", "journal_hash", "strategies",
}  # fmt: skip


def test_json_has_exactly_the_keys_of_the_contract(maker):
    assert set(maker().to_json()) == KEYS
    json.dumps(maker().to_json())


def test_json_counts_are_numbers_and_money_is_text_with_all_decimals(maker):
    shown = maker().to_json()
    assert (shown["events"], shown["orders"], shown["fills"], shown["rejects"]) == (48_211, 3, 3, 1)
    assert shown["fees"] == {"XBT": "0.00000140"}
    assert shown["unrealized_pnl"] == {"XBT": "-0.00000360"}
    assert shown["equity"] == {"XBT": "1.00003000"}


def test_json_lists_positions_and_strategies_by_name(maker):
    shown = maker().to_json()
    assert shown["positions"] == [
        {"exchange": "bitmex_perpetual", "instrument": "XBTUSD", "side": "net", "qty": "100", "entry_price": "8703.5"}
    ]
    assert shown["strategies"] == [
        {"name": "market_maker", "orders": 3, "fills": 3, "realized_pnl": {"XBT": "0.00003000"}}
    ]


def test_realized_profit_of_a_currency_without_account_is_written_as_it_is(maker):
    result = maker(strategies=[StrategyRow(name="s", realized_pnl={"ETH": 5})])
    assert result.to_json()["strategies"][0]["realized_pnl"] == {"ETH": "5"}


def test_money_adds_up(maker):
    assert maker().identity_gaps() == {"XBT": 0}


def test_a_gap_is_named_per_currency(maker):
    # 1000 + 50 + 20 + 3 - 7 - 6 = 1060; an equity of 1055 is 5 short.
    row = MoneyRow(
        currency="USDT", scale=6, starting_balance=1000, transfers=50, realized_pnl=20, funding=3, fees=7,
        unrealized_pnl=-6, equity=1055,
    )  # fmt: skip
    assert maker(money=[row]).identity_gaps() == {"USDT": 5}
    # 1055 - 1000 - 50
    assert row.net_profit == 5


def test_only_the_head_of_a_result_is_required():
    result = RunResult(
        run_id="r", name="n", mode="paper", seed=0, started="", stopped="", stop_reason="failed", exit_code=5
    )
    assert result.to_json()["equity"] == {}


def test_a_saved_result_comes_back_alike(maker, tmp_path):
    result = maker()
    result.save(tmp_path / "result.json")
    assert RunResult.load(tmp_path / "result.json") == result


def test_a_gap_in_a_price_comes_back_as_none(maker, tmp_path):
    result = maker(prices=[PriceSeries(instrument="XBTUSD", ts=[1, 2], price=[8700.0, math.nan])])
    result.save(tmp_path / "result.json")
    assert RunResult.load(tmp_path / "result.json").prices[0].price == [8700.0, None]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"run_id": 3}', b'{"run_id": "\xff"}'],
    ids=["empty", "cut", "list", "type", "bytes"],
)
def test_a_damaged_file_is_an_error_that_names_it(tmp_path, content):
    path = tmp_path / "result.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"result\.json: not a result .*run it again"):
        RunResult.load(path)


def test_a_missing_file_is_an_error_that_names_the_mend(tmp_path):
    with pytest.raises(DataError, match=r"none\.json: cannot read .*hbkit runs"):
        RunResult.load(tmp_path / "none.json")


def test_results_do_not_share_their_empty_lists():
    head = {"run_id": "r", "name": "n", "mode": "m", "started": "", "stopped": "", "stop_reason": ""}
    first, second = (msgspec.convert({**head, "seed": 0, "exit_code": 0}, RunResult) for _ in range(2))
    first.warnings.append("only here")
    assert second.warnings == []


def test_currencies_that_never_moved_are_named_in_one_line(maker):
    idle = MoneyRow(currency="ETH", scale=9, starting_balance=10**10, equity=10**10)
    result = maker(money=[*maker().money, idle])
    assert [row.currency for row in result.moved()] == [row.currency for row in maker().money]
    assert result.idle_text() == "10.000000000 ETH"
    assert maker(money=[idle]).moved() == [idle], "a run in which nothing moved still shows its money"
