"""Makers of rows of a wallet history and of executions, small enough to reckon by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hbkit_bitmex.archive.cells import Choices
from hbkit_bitmex.archive.importing import import_account
from hbkit_bitmex.archive.outcome import Account

from hbkit.report.result import MoneyRow, RunResult
from plugins.bitmex.tests.archive.exported import as_json

Row = dict[str, Any]


def paid(day: int, amount: int, balance: int | None, kind: str = "Deposit", **more: Any) -> Row:
    """A row of the wallet on that day of January 2024, at 09:00; profit is settled at 12:00."""
    hour = "12:00:00.000" if kind == "RealisedPNL" else "09:00:00.000"
    moment = f"2024-01-{day:02d}T{hour}Z"
    row = {
        "transactID": f"{kind}-{day}-{amount}", "account": 7, "currency": "XBt", "transactType": kind, "amount": amount,
        "fee": 0, "transactStatus": "Completed", "transactTime": moment, "timestamp": moment, "walletBalance": balance,
    }  # fmt: skip
    return {**row, **more}


def settled(day: int, amount: int, balance: int | None, symbol: str = "XBTUSD", **more: Any) -> Row:
    """Realised profit of a session."""
    return paid(day, amount, balance, "RealisedPNL", address=symbol, **more)


def fill(moment: str, side: str, qty: int, price: float, cost: int, fee: int, **more: Any) -> Row:
    """A trade of XBTUSD in January 2024: `09T10:00` is the 9th at ten."""
    at = f"2024-01-{moment}:00.000Z"
    row = {
        "execID": f"{moment}-{side}-{qty}-{price}", "orderID": f"order-{moment}", "clOrdID": "", "account": 7,
        "symbol": "XBTUSD", "side": side, "lastQty": qty, "lastPx": price, "execType": "Trade", "ordType": "Limit",
        "ordStatus": "Filled", "orderQty": qty, "price": price, "cumQty": qty, "leavesQty": 0, "execCost": cost,
        "execComm": fee, "commission": 0.0005, "settlCurrency": "XBt", "lastLiquidityInd": "AddedLiquidity",
        "transactTime": at, "timestamp": at,
    }  # fmt: skip
    return {**row, **more}


def funding(moment: str, held: int, paid_out: int, **more: Any) -> Row:
    """A funding of XBTUSD on a position of `held` contracts at 50,000; positive was paid."""
    # 10.9: no side, the cost is the value of the position, which is negative for a long of an inverse contract.
    return fill(
        moment, "", abs(held), 50_000.0, -2_000 * held, paid_out, execID=f"funding-{moment}", orderID=None,
        execType="Funding", ordStatus="Filled", cumQty=abs(held), **more,
    )  # fmt: skip


def imported(folder: Path, *files: list[Row], **choices: Any) -> tuple[Account, RunResult]:
    """What these files make, in the order in which they are named."""
    paths = [as_json(folder / f"{at}.json", rows) for at, rows in enumerate(files)]
    return import_account(paths, Choices(**choices))


def money(result: RunResult, code: str = "XBT") -> MoneyRow:
    """One currency of a result."""
    return next(row for row in result.money if row.currency == code)
