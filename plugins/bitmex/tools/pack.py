"""Makes the packaged data files from the raw ones, so that the packing can be repeated; run by hand.

    python plugins/bitmex/tools/pack.py DATA_DIR

`DATA_DIR` holds the folders `candles`, `funding`, `instruments`, `quotes` and `trades`. The same raw files give the
same bytes. What is packed, and from which public repository, stands in `hbkit_bitmex/data/PROVENANCE.md`; the layout
of the tapes is described in `hbkit_bitmex/recording.py`, which reads them.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from hbkit.clock import MINUTE, parse_time

TARGET = Path(__file__).parent.parent / "hbkit_bitmex" / "data"
MILLISECOND = 1_000_000
TICKS_PER_POINT = 2
"""XBTUSD of 2019 moved in steps of 0.5; prices are packed as whole steps."""

TEXT_COLUMNS = frozenset(
    {
        "symbol", "state", "typ", "listing", "expiry", "settle", "underlying", "quoteCurrency", "settlCurrency",
        "closingTimestamp", "fairMethod", "front", "fundingBaseSymbol", "fundingInterval", "fundingPremiumSymbol",
        "fundingQuoteSymbol", "fundingTimestamp", "lastTickDirection", "listedSettle", "markMethod", "openingTimestamp",
        "pool", "positionCurrency", "reference", "referenceSymbol", "rootSymbol", "timestamp", "underlyingSymbol",
        "currency", "majorCurrency", "name", "currencyType", "asset",
    }
)  # fmt: skip


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a packed CSV file as text."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def typed(column: str, text: str) -> Any:
    """A CSV cell as the JSON value that the exchange's own API sends for it."""
    if column == "networks":
        return json.loads(text)
    if column in TEXT_COLUMNS:
        return text
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text)
    except ValueError:
        return float(text)


def full(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row without its empty columns: the exchange treats absent, null and empty text alike (protocol 0.3)."""
    return {column: value for column, value in row.items() if value is not None and value != ""}


def write_rows(name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """One JSON array, a row a line, in a gzip file without a time stamp."""
    lines = ",\n".join(json.dumps(full(row), separators=(",", ":")) for row in rows)
    data = gzip.compress(f"[{lines}]\n".encode(), compresslevel=9, mtime=0)
    (TARGET / name).write_bytes(data)


def write_columns(name: str, columns: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Columns as a compressed .npz; numpy writes a constant time stamp into it."""
    np.savez_compressed(TARGET / name, **columns)  # type: ignore[arg-type]


def pack_instruments(source: Path) -> None:
    """The instrument rows of both eras and the assets."""
    for name in ("instrument-open-2026-05-03", "wallet-assets-2026-05-03"):
        rows = [
            {column: typed(column, text) for column, text in row.items() if text != ""}
            for row in rows_of(source / f"{name}.csv.gz")
        ]
        write_rows(
            f"{'assets' if name.startswith('wallet') else 'instruments'}-2026-05-03.json.gz",
            rows,
        )
    with gzip.open(source / "instrument-active-2021-07-22.json.gz", "rb") as file:
        write_rows("instruments-2021-07-22.json.gz", json.load(file))


def ticks(prices: Iterable[str]) -> np.ndarray[Any, Any]:
    """Prices as whole steps of 0.5; a price off the grid stops the packing."""
    steps = [Decimal(price) * TICKS_PER_POINT for price in prices]
    if any(step != int(step) for step in steps):
        raise SystemExit("a price is not on the 0.5 grid")
    return np.array([int(step) for step in steps], dtype=np.int64)


def deltas(numbers: Sequence[int] | np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """First number, then differences, in the smallest type that holds them: what compresses best."""
    steps = np.diff(np.asarray(numbers, dtype=np.int64), prepend=0)
    return small(steps)


def small(numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same numbers in the smallest signed type."""
    for kind in (np.int8, np.int16, np.int32):
        bounds = np.iinfo(kind)
        if len(numbers) == 0 or (numbers.min() >= bounds.min and numbers.max() <= bounds.max):
            return numbers.astype(kind)
    return numbers


def stamped(numbers: Sequence[int]) -> dict[str, np.ndarray[Any, Any]]:
    """Times in ms as the first one and the differences, apart so that the differences stay small."""
    return {"first_ms": np.array([numbers[0]], dtype=np.int64), "ms": deltas([n - numbers[0] for n in numbers])}


def milliseconds(text: str) -> int:
    """Milliseconds since the epoch of an ISO text."""
    return parse_time(text) // MILLISECOND


def candles_between(path: Path, first: int, last: int) -> dict[str, np.ndarray[Any, Any]]:
    """Columns of the candles whose stamp (their END, protocol 4.4) lies in [first, last] ns."""
    rows = [row for row in rows_of(path) if first <= parse_time(row["timestamp"]) <= last]
    ends = [parse_time(row["timestamp"]) for row in rows]
    if ends != list(range(first, last + 1, MINUTE)):
        raise SystemExit("a candle is missing")
    if any(0 < int(row["volume"]) < int(row["trades"]) for row in rows):
        raise SystemExit("a candle has fewer contracts than trades")
    close = ticks(row["close"] for row in rows)
    return {
        "candle_first_end_ms": np.array([ends[0] // MILLISECOND], dtype=np.int64),
        "candle_close": deltas(close),
        **{f"candle_{name}": small(ticks(row[name] for row in rows) - close) for name in ("open", "high", "low")},
        **{
            f"candle_{name}": small(np.array([int(row[name]) for row in rows], dtype=np.int64))
            for name in ("volume", "trades")
        },
    }


def funding_around(path: Path, first: int, last: int) -> dict[str, np.ndarray[Any, Any]]:
    """Funding times and rates in millionths, up to the first one after `last`: the mark price needs that rate."""
    kept: list[tuple[int, int]] = []
    for row in rows_of(path):
        ts = parse_time(row["timestamp"])
        if ts < first:
            continue
        rate = Decimal(row["fundingRate"]) * 1_000_000
        if rate != int(rate):
            raise SystemExit("a funding rate has more than six decimals")
        kept.append((ts // MILLISECOND, int(rate)))
        if ts > last:
            break
    times, rates = zip(*kept, strict=True)
    return {"funding_ms": np.array(times, dtype=np.int64), "funding_rate": small(np.array(rates, dtype=np.int64))}


def pack_quote_tape(source: Path) -> None:
    """Tape bitmex-2019-05-29: quotes of the perpetual, their minutes' candles and fundings."""
    last_of: dict[int, tuple[str, str]] = {}
    for row in rows_of(source / "quotes" / "XBTUSD-XBTM19-bbo-1s-2019-05-29.csv.gz"):
        # The poller repeated the server's time; of several rows with one time the last one holds.
        last_of[milliseconds(row["timestamp"])] = (row["xbtusd_bid"], row["xbtusd_ask"])
    times = sorted(last_of)
    bid, ask = (ticks(last_of[time][side] for time in times) for side in (0, 1))
    first, last = (times[index] * MILLISECOND // MINUTE * MINUTE + MINUTE for index in (0, -1))
    write_columns(
        "bitmex-2019-05-29.npz",
        {
            **{f"quote_{name}": column for name, column in stamped(times).items()},
            "quote_bid": deltas(bid),
            "quote_spread": small(ask - bid),
            **candles_between(source / "candles" / "XBTUSD-1m-2019-05.csv.gz", first, last),
            **funding_around(
                source / "funding" / "XBTUSD-funding-2019-01_2020-11.csv.gz", times[0] * MILLISECOND, last
            ),
        },
    )


def pack_trade_tape(source: Path) -> None:
    """Tape bitmex-2019-05-03-trades: six minutes of prints, their candles, and the funding rate in force."""
    rows = rows_of(source / "trades" / "XBTUSD-trades-2019-05-03T12.csv.gz")
    times = [milliseconds(row["timestamp"]) for row in rows]
    first, last = (times[index] * MILLISECOND // MINUTE * MINUTE + MINUTE for index in (0, -1))
    write_columns(
        "bitmex-2019-05-03-trades.npz",
        {
            **{f"print_{name}": column for name, column in stamped(times).items()},
            "print_side": np.array([1 if row["side"] == "Buy" else -1 for row in rows], dtype=np.int8),
            "print_price": deltas(ticks(row["price"] for row in rows)),
            "print_qty": small(np.array([int(row["size"]) for row in rows], dtype=np.int64)),
            **candles_between(source / "candles" / "XBTUSD-1m-2019-05.csv.gz", first, last),
            **funding_around(
                source / "funding" / "XBTUSD-funding-2019-01_2020-11.csv.gz", times[0] * MILLISECOND, last
            ),
        },
    )


def pack_past(source: Path) -> None:
    """What lies before the tapes: minutes of XBTUSD with their average price, and the rates paid since January."""
    name = source / "candles" / "XBTUSD-1m-2019-05.csv.gz"
    first, last = parse_time("2019-05-01T00:00:00Z"), parse_time("2019-05-28T18:23:00Z")
    rows = [row for row in rows_of(name) if first <= parse_time(row["timestamp"]) <= last]
    lows = ticks(row["low"] for row in rows)
    # Tenths of a dollar above the low; a minute without a trade has no average.
    above = [round(float(row["vwap"] or row["low"]) * 10) - int(low) * 5 for row, low in zip(rows, lows, strict=True)]
    paid = [
        # One rate carries the noise of a float behind its six decimals.
        (milliseconds(row["timestamp"]), round(Decimal(row["fundingRate"]) * 1_000_000))
        for row in rows_of(source / "funding" / "XBTUSD-funding-2019-01_2020-11.csv.gz")
        if parse_time(row["timestamp"]) <= parse_time("2019-05-29T20:00:00Z")
    ]
    write_columns(
        "xbtusd-past.npz",
        {
            **candles_between(name, first, last),
            "candle_vwap": small(np.array(above, dtype=np.int64)),
            "funding_ms": deltas([ms for ms, _ in paid]),
            "funding_rate": small(np.array([rate for _, rate in paid], dtype=np.int64)),
        },
    )


def main() -> None:
    """Pack everything and say how large it became."""
    parser = argparse.ArgumentParser(description="Make the packaged data files from the raw ones.")
    parser.add_argument("data_dir", type=Path, help="folder of the raw files")
    source: Path = parser.parse_args().data_dir
    pack_instruments(source / "instruments")
    pack_quote_tape(source)
    pack_trade_tape(source)
    pack_past(source)
    for path in sorted(TARGET.glob("*[gz]")):
        sys.stdout.write(f"{path.stat().st_size:>8} {path.name}\n")


if __name__ == "__main__":
    main()
