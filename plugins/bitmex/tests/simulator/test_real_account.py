"""A real account's rows out of the simulator's own books, to the satoshi (`tests/account/PROVENANCE.md`)."""

import csv
import gzip
import json
import math
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from pathlib import Path

import pytest
from hbkit_bitmex.simulator.accounts import VenueAccount
from hbkit_bitmex.simulator.rows import position_row

from hbkit.clock import parse_time
from hbkit.matching.margin import Terms
from hbkit.model import PositionSide

NET = PositionSide.NET
FILES = Path(__file__).parents[1] / "account"
PAYLOADS = Path(__file__).parents[1] / "payloads"


def history():
    with gzip.open(FILES / "wallet-history-2020-05_2021-12.csv.gz", "rt") as file:
        return list(csv.DictReader(file))


def moment(row):
    return row["timestamp"] or row["transactTime"], row["transactType"]


def test_twenty_months_of_wallet_history_come_out_to_the_satoshi(bench):
    venue, clearing = bench.venue, bench.venue.clearing
    account = bench.account
    account.cash.clear()
    known = venue.markets["XBTUSD"].instrument
    balance = 0
    rows = history()
    for (time, _), group in groupby(rows, key=moment):
        found = list(group)
        venue.begin(parse_time(time), venue.wall)
        written = len(account.transactions)
        for row in found:
            amount, fee = int(row["amount"]), int(row["fee"] or 0)
            if row["transactType"] == "Deposit":
                clearing.pay_in(account, "XBT", amount)
            elif row["transactType"] == "Withdrawal":
                clearing.pay_out(account, "XBT", -amount - fee, fee)
            else:
                account.move(known.settle, amount)
                account.earn(replace(known, symbol=row["symbol"]), NET, amount, 0)
        if found[0]["transactType"] == "RealisedPNL":
            clearing.close_session()
        new = account.transactions[written:]
        assert sorted((row["transactType"], row["amount"], row["fee"]) for row in new) == sorted(
            (row["transactType"], int(row["amount"]), int(row["fee"] or 0)) for row in found
        )
        # Rows of one moment share the balance after the last of them.
        balance += sum(row["amount"] for row in new)
        assert new[-1]["walletBalance"] == balance == int(found[-1]["walletBalance"])
        assert venue.wallet(account, "XBT")["amount"] == balance
    assert len(account.transactions) == len(rows) == 2396
    assert balance == 5_086_215_465


def test_a_cross_position_of_2026_comes_out_to_the_satoshi(bench):
    shown = json.loads((FILES / "snapshot-2026-05-03.json").read_text())["position"]
    instrument = bench.venue.markets["XBTUSD"].instrument
    # The rate of that moment was not recorded: 9,802,356 of maintenance on this cost says 0.000024, paid by shorts.
    account = VenueAccount(1, {}, lambda _: shown["markPrice"], lambda _: Fraction(-24, 10**6))
    leg = account.leg(instrument, NET)
    leg.units, leg.cost = shown["currentQty"], shown["posCost"]
    row = position_row(account, leg, NET, shown["markPrice"], "XBt", 0)
    exact = (
        "posMaint posMargin maintMargin markValue unrealisedCost posCost posInit posComm initMarginReq maintMarginReq "
        "riskLimit leverage crossMargin commission foreignNotional homeNotional currentQty isOpen strategy currency"
    )
    assert {name: row[name] for name in exact.split()} == {name: shown[name] for name in exact.split()}
    assert row["unrealisedPnl"] == shown["unrealisedPnl"] == -111_601_719
    assert (row["unrealisedPnlPcnt"], row["unrealisedRoePcnt"]) == (-0.0572, -5.7199)
    # A harmonic mean of many fills: the exchange's own differs in the seventh digit (10.2).
    assert math.isclose(row["avgEntryPrice"], shown["avgEntryPrice"], rel_tol=1e-5)


def test_the_margin_row_of_2026_keeps_the_identities():
    row = json.loads((FILES / "snapshot-2026-05-03.json").read_text())["margin"]
    assert row["marginBalance"] == row["walletBalance"] + row["unrealisedPnl"]
    assert row["excessMargin"] == row["marginBalance"] - row["maintMargin"] - row["initMargin"]
    assert row["availableMargin"] == row["excessMargin"]
    assert row["riskValue"] == row["grossMarkValue"] + row["grossOpenCost"]
    assert row["marginLeverage"] == round(row["grossMarkValue"] / row["marginBalance"], 4)
    assert row["marginUsedPcnt"] == round((row["initMargin"] + row["maintMargin"]) / row["marginBalance"], 4)


def test_the_isolated_position_of_2022_comes_out_to_the_unit(bench):
    (shown,) = json.loads((PAYLOADS / "ccxt_http_position_ethusdt_isolated.json").read_text().join("[]"))
    today = bench.venue.markets["XBTUSDT"].instrument
    # ETHUSDT of 2022 (9.3): 10 micro-USDt a contract and dollar, 100000 contracts an ether, tick 0.05, lot 1000.
    instrument = replace(
        today, symbol="ETHUSDT", base="ETH", tick_size=Decimal("0.05"), lot_size=Decimal(1000), multiplier=Decimal(10),
        maker_fee=Decimal("-0.00025"), taker_fee=Decimal("0.00075"), init_margin=Decimal("0.02"),
        maint_margin=Decimal("0.01"), risk_limit=10**12,
        info={**today.info, "underlyingToPositionMultiplier": "100000"},
    )  # fmt: skip
    account = VenueAccount(1, {}, lambda _: shown["markPrice"], lambda _: Fraction(1, 10_000))

    def isolate(terms: Terms) -> None:
        terms.isolated, terms.leverage = True, Fraction(3)

    isolate(account.terms(instrument, NET))
    account.leg(instrument, NET).apply(shown["currentQty"], shown["currentCost"])
    account.book_trade(instrument, NET, shown["currentCost"], shown["currentComm"])
    row = position_row(account, account.leg(instrument, NET), NET, shown["markPrice"], "USDt", 0)
    exact = (
        "posInit posComm posMargin posMaint maintMargin markValue riskValue unrealisedPnl unrealisedPnlPcnt "
        "unrealisedRoePcnt avgEntryPrice breakEvenPrice liquidationPrice bankruptPrice marginCallPrice posCost "
        "currentCost currentComm realisedCost realisedPnl homeNotional foreignNotional leverage crossMargin commission"
    )
    assert {name: row[name] for name in exact.split()} == {name: shown[name] for name in exact.split()}


@pytest.mark.parametrize("fees", [0, 100_000])
def test_what_is_paid_out_holds_the_fee(bench, fees):
    bench.venue.clearing.pay_out(bench.account, "XBT", 600_000, fees)
    row = bench.account.transactions[-1]
    assert (row["transactType"], row["amount"], row["fee"]) == ("Withdrawal", -600_000 - fees, fees)
    assert bench.venue.wallet(bench.account, "XBT")["withdrawn"] == 600_000 + fees
