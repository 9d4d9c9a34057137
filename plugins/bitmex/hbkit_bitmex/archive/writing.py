"""The folder of an imported run: its page, its result, and two CSV files in which nothing of the input is lost.

`fills-and-funding.csv` has every execution, and profit that was settled without one; its column `net` adds up to what
trading earned. `wallet.csv` has every row of the wallet, those that do not count too. Both name the line that a row
came from, and keep columns that nobody knows in `other`, as JSON.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hbkit.clock import iso
from hbkit.errors import StateError
from hbkit.model import Currency
from hbkit.report.html import page
from hbkit.report.result import RunResult
from hbkit_bitmex.archive.cells import EXECUTION_COLUMNS, WALLET_COLUMNS
from hbkit_bitmex.archive.files import Row
from hbkit_bitmex.archive.outcome import Account

FILLS = "fills-and-funding.csv"
WALLET = "wallet.csv"
_FILL_HEADS = (
    "time", "kind", "instrument", "side", "leg", "qty", "price", "value", "liquidity", "realized", "fee", "funding",
    "net", "currency", "order", "execution", "place", "other",
)  # fmt: skip
_WALLET_HEADS = (
    "time", "asked", "kind", "status", "currency", "amount", "fee", "balance", "instrument", "counts", "transaction",
    "network", "address", "tx", "text", "place", "other",
)  # fmt: skip


def write(account: Account, result: RunResult, runs: Path) -> tuple[Path, bool]:
    """Write the run's folder; returns it, and whether it was there before.

    What was there before is written again: it says the same, perhaps under other file names or by an older version.
    """
    folder = runs / result.run_id
    was_there = (folder / "result.json").is_file()
    result.report = str(folder / "report.html")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _csv(folder / FILLS, _FILL_HEADS, _fills(account, result))
        _csv(folder / WALLET, _WALLET_HEADS, _wallet(account))
        (folder / "report.html").write_text(page(result), encoding="utf-8")
        result.save(folder / "result.json")
    except OSError as error:
        raise StateError(
            f"cannot write the run to {folder} ({error.strerror}); choose another place with --dir"
        ) from None
    return folder, was_there


def _csv(path: Path, heads: Iterable[str], rows: Iterable[tuple[int, list[str]]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(heads)
        writer.writerows(cells for _, cells in sorted(rows, key=lambda row: row[0]))


def _fills(account: Account, result: RunResult) -> Iterator[tuple[int, list[str]]]:
    for row, booked in zip(result.fill_rows, account.trades.booked, strict=True):
        unit = booked.execution.instrument.settle
        fee = unit.text(booked.execution.fee)
        fee, funding = ("", unit.text(-booked.execution.fee)) if booked.is_funding else (fee, "")
        line = booked.line
        yield (
            line.ts,
            [
                iso(line.ts), row.kind, safe(row.instrument), row.side, row.position_side, row.qty, row.price,
                row.value, row.liquidity, row.realized, fee, funding, unit.text(booked.net), unit.code,
                safe(row.order_id), safe(line.id), line.row.short_place, _other(line.row, EXECUTION_COLUMNS),
            ],
        )  # fmt: skip
    for one in account.trades.unbooked:
        kind = f"not booked: {one.values.execType}"
        yield one.ts, _plain(_FILL_HEADS, one.row, iso(one.ts), safe(kind), safe(one.values.symbol or ""))
    for netted in account.trades.netted:
        unit = netted.instrument.settle
        yield netted.line.ts, _settled(netted.line.ts, "netted", netted.instrument.symbol, unit, netted.net, "")
    for mine in account.books:
        for settled in mine.settled:
            yield (
                settled.ts,
                _settled(
                    settled.ts, "settled", settled.symbol, settled.currency, settled.amount, settled.row.short_place
                ),
            )
        if mine.purse is not None and not mine.booked:
            for paid in (one for one in mine.purse.movements if one.kind == "Funding"):
                cells = _settled(paid.ts, "funding", paid.symbol, paid.currency, paid.amount, paid.row.short_place)
                cells[9], cells[11] = "", cells[9]
                yield paid.ts, cells


def _settled(ts: int, kind: str, symbol: str, unit: Currency, amount: int, place: str) -> list[str]:
    cells = [iso(ts), kind, safe(symbol), *[""] * 15]
    cells[9] = cells[12] = unit.text(amount)
    cells[13], cells[16] = unit.code, place
    return cells


def _plain(heads: tuple[str, ...], row: Row, *first: str) -> list[str]:
    """A row that could not be booked: all its cells are kept as they stood."""
    cells = [*first, *[""] * (len(heads) - len(first))]
    cells[-2], cells[-1] = row.short_place, _other(row, frozenset())
    return cells


def _wallet(account: Account) -> Iterator[tuple[int, list[str]]]:
    counted = [one for purse in account.wallet.purses.values() for one in purse.movements]
    for one in (*counted, *account.wallet.left_out, *account.wallet.open_profit):
        unit, cells = one.currency, one.row.cells
        yield (
            one.ts,
            [
                iso(one.ts) if one.ts else "", iso(one.transacted) if one.ts else "", safe(one.kind), safe(one.status),
                unit.code, unit.text(one.amount), unit.text(one.fee),
                "" if one.balance is None else unit.text(one.balance), safe(one.symbol),
                "yes" if one.counts and one.ts else "no", safe(one.id),
                *(safe(cells.get(name, "")) for name in ("network", "address", "tx", "text")),
                one.row.short_place, _other(one.row, WALLET_COLUMNS),
            ],
        )  # fmt: skip


def _other(row: Row, known: frozenset[str]) -> str:
    rest = {name: cell for name, cell in row.cells.items() if name not in known}
    return json.dumps(rest, default=str, sort_keys=True) if rest else ""


def safe(cell: Any) -> str:
    """Text from outside: a spreadsheet must not take it for a formula, nor a terminal for a command."""
    text = "".join(char if char.isprintable() else " " for char in str(cell))
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
