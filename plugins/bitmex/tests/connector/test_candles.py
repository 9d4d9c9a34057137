"""Candles of any interval against an independent resampling of the file that the simulator plays.

The file is the venue's own: stamped at the end of each minute, its opens at the close before, 99 minutes of an outage
in it. What it should come to is reckoned here from its text, without anything of hbkit.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.workbench import Bench, environment

FILE = Path(__file__).with_name("candles") / "XBTUSD-1m-2020-05-19.csv"
START = datetime(2020, 5, 19, 14, 30, tzinfo=UTC)
"""Where the simulator begins: 190 minutes of the file are past then."""
OUTAGE = datetime(2020, 5, 19, 12, 1, tzinfo=UTC), datetime(2020, 5, 19, 13, 40, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Row(NamedTuple):
    """One candle as it is told: prices and volume as decimal numbers."""

    open_time: datetime
    close_time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    is_empty: bool


def minutes(shift: timedelta) -> list[Row]:
    """The file's rows that are past when the simulator begins, at the market's time; its stamps are ends."""
    found = []
    with FILE.open() as file:
        for row in csv.DictReader(file):
            end = datetime.fromisoformat(row["timestamp"].replace("Z", "+00:00"))
            if end <= START:
                prices = (Decimal(row[name]) for name in ("open", "high", "low", "close"))
                times = (end - MINUTE + shift, end + shift)
                found.append(Row(*times, *prices, Decimal(row["volume"]), row["trades"] == "0"))
    return found


def joined(rows: list[Row], length: timedelta) -> list[Row]:
    """Whole candles of `length`, counted from the epoch; what was not traded in an empty minute counts for nothing."""
    epoch, found = datetime.fromtimestamp(0, UTC), []
    for first in (row for row in rows if (row.open_time - epoch) % length == timedelta()):
        inner = [row for row in rows if first.open_time <= row.open_time < first.open_time + length]
        if len(inner) * MINUTE < length:
            continue
        traded = [row for row in inner if not row.is_empty] or inner
        high, low = max(row.high for row in traded), min(row.low for row in traded)
        total = sum((row.volume for row in inner), Decimal(0))
        end = first.open_time + length
        found.append(
            Row(first.open_time, end, first.open, high, low, inner[-1].close, total, all(row.is_empty for row in inner))
        )
    return found


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """A simulator whose market stands still at START."""
    start = f"{START:%Y-%m-%dT%H:%M:%SZ}"
    words = ["simulator", "bitmex", "--data", f"XBTUSD={FILE}", "--start", start, "--speed", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "hbkit", *words], stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split("rest=")[1].split("/api/v1")[0]
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def shift(base: str) -> timedelta:
    """How far the file's times are moved: by whole minutes, so that START is now."""
    with urllib.request.urlopen(f"{base}/control/clock") as answer:
        now = json.load(answer)["now"]
    return datetime.fromtimestamp(now // 60_000_000_000 * 60, UTC) - START


@pytest.fixture
def told(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[Row]]:
    """What `hbkit candles` prints of XBTUSD."""
    monkeypatch.chdir(tmp_path)
    bench = Bench(tmp_path, capsys)

    def ask(*words: str) -> list[Row]:
        done = bench.hbkit("candles", "bitmex_perpetual", "XBTUSD", "--url", base, "--json", *words)
        assert done.code == 0, done.err
        return [_row(one) for one in done.json["candles"]]

    return ask


def _row(one: dict[str, Any]) -> Row:
    times = (datetime.fromisoformat(one[name].replace("Z", "+00:00")) for name in ("open_time", "close_time"))
    numbers = (Decimal(one[name]) for name in ("open", "high", "low", "close", "volume"))
    return Row(*times, *numbers, one["trades"] == 0)


INTERVALS = {"1m": 1, "5m": 5, "1h": 60, "3m": 3, "15m": 15, "30m": 30}
"""The exchange's own, and what is put together from them."""


@pytest.mark.parametrize("interval", INTERVALS)
def test_candles_equal_an_independent_resampling_of_the_file(
    told: Callable[..., list[Row]], shift: timedelta, interval: str
) -> None:
    known = minutes(shift)
    since = f"{known[0].open_time + MINUTE:%Y-%m-%dT%H:%M:%SZ}"  # the very first minute has no close before it
    expected = joined(known[1:], timedelta(minutes=INTERVALS[interval]))
    assert told("--interval", interval, "--from", since) == expected
    assert expected


def test_the_outage_is_there_minute_by_minute_and_flagged(told: Callable[..., list[Row]], shift: timedelta) -> None:
    first, last = (f"{one + shift:%Y-%m-%dT%H:%M:%SZ}" for one in OUTAGE)
    rows = told("--from", first, "--to", last)
    assert len(rows) == 99
    assert all(row.is_empty and not row.volume for row in rows)
    # The price of the last trade before it, flat all through.
    assert {(row.open, row.high, row.low, row.close) for row in rows} == {(rows[0].open,) * 4}
