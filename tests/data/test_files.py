"""Data files as people have them: every way of writing that is read, and every fault with its place and mend."""

import gzip
import json
import time
from pathlib import Path

import numpy as np
import pytest

from hbkit.clock import DAY, HOUR, MINUTE, SECOND, iso
from hbkit.data import reader
from hbkit.data.files import FileSource
from hbkit.data.source import COLUMNS, Batch, Rows
from hbkit.errors import DataError

FIXTURES = Path(__file__).parent / "fixtures"
FOREVER = (0, 2**62)
T0 = 1_704_067_200 * SECOND  # 2024-01-01T00:00Z


def write(folder: Path, text: str | bytes, name: str = "data.csv") -> Path:
    path = folder / name
    data = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def source(*paths: Path, symbol: str | None = "XBTUSD") -> FileSource:
    return FileSource(paths, symbol=symbol, name="test")


def read(*paths: Path, symbol: str | None = "XBTUSD") -> list[Batch]:
    return [batch for window in source(*paths, symbol=symbol).windows(*FOREVER) for batch in window]


def one(*paths: Path, symbol: str | None = "XBTUSD") -> dict[str, list[float]]:
    """The columns of a source with one batch."""
    (batch,) = read(*paths, symbol=symbol)
    names = ("ts", *COLUMNS[batch.kind])
    return dict(zip(names, (column.tolist() for column in (batch.ts, *batch.columns)), strict=True))


def fault(*paths: Path, symbol: str | None = "XBTUSD") -> str:
    """The text of the error that reading everything raises."""
    with pytest.raises(DataError) as caught:
        read(*paths, symbol=symbol)
    return str(caught.value)


# -- kinds and columns -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "rows", "kind", "expected"),
    [
        (
            "timestamp,open,high,low,close,volume,trades",
            ["1704067200,1,4,0.5,2,10,3", "1704067260,2,3,1,2,0,0"],
            Rows.CANDLE,
            {"ts": [T0 + MINUTE, T0 + 2 * MINUTE], "open_ts": [T0, T0 + MINUTE], "trades": [3, 0], "volume": [10, 0]},
        ),
        (
            "T,O,H,L,C,V,N",
            ["1704067200,1,4,0.5,2,10,3", "1704067260,2,3,1,2,0,0"],
            Rows.CANDLE,
            {"high": [4, 3], "low": [0.5, 1], "trades": [3, 0]},
        ),
        (
            "open_time,open,high,low,close,volume,close_time,count",
            ["1704067200000,1,4,0.5,2,10,1704067259999,3", "1704067260000,2,3,1,2,0,1704067319999,0"],
            Rows.CANDLE,
            {"ts": [T0 + MINUTE, T0 + 2 * MINUTE]},
        ),
        (
            "close_time,open,high,low,close",
            ["1704067259999,1,4,0.5,2", "1704067319999,2,3,1,2"],
            Rows.CANDLE,
            {"ts": [T0 + MINUTE, T0 + 2 * MINUTE], "volume": [0, 0], "trades": [-1, -1]},
        ),
        (
            "timestamp,open,high,low,close,volume,vwap,turnover",
            ["2024-01-01T00:01:00.000Z,1,4,0.5,2,10,,1", "2024-01-01T00:02:00.000Z,2,3,1,2,0,,0"],
            Rows.CANDLE,
            {"ts": [T0 + MINUTE, T0 + 2 * MINUTE], "trades": [-1, 0]},
        ),
        (
            "time,open,high,low,close,vwap,volume",
            ["1704067200,1,4,0.5,2,2,", "1704067260,2,3,1,2,2,7"],
            Rows.CANDLE,
            {"ts": [T0 + MINUTE, T0 + 2 * MINUTE], "volume": [np.nan, 7]},
        ),
        (
            "date,time,open,high,low,close,volume",
            ["20240101,0000,2.889e-05,2.878e-05,2.808e-05,2.808e-05,1", "20240101,0100,1,1,1,1,1"],
            Rows.CANDLE,
            {"open_ts": [T0, T0 + HOUR], "open": [2.889e-05, 1]},
        ),
        (
            "ts,side,price,size",
            ["1704067200000.0,1.0,50000.5,100.0", "1704067200000.0,-1.0,50000.0,200.0"],
            Rows.TRADE,
            {"ts": [T0, T0], "side": [1, -1], "price": [50000.5, 50000], "qty": [100, 200]},
        ),
        (
            "transact_time,price,quantity,is_buyer_maker",
            ["1704067200000,1,2,true", "1704067200001,1,3,False"],
            Rows.TRADE,
            {"side": [-1, 1], "qty": [2, 3]},
        ),
        ("ts,px,amount", ["1704067200,1,2"], Rows.TRADE, {"side": [0], "price": [1]}),
        ("# ts_ms,price,qty", ["1.704067200000000000e+12,1e0,2e0"], Rows.TRADE, {"ts": [T0], "qty": [2]}),
        (
            "timestamp,bidSize,bidPrice,askPrice,askSize",
            ["2024-01-01D00:00:00.000000000,10,1,2,20", "2024-01-01D00:00:00.000000001,,1,2,20"],
            Rows.QUOTE,
            {"ts": [T0, T0 + 1], "bid": [1, 1], "ask": [2, 2], "bid_qty": [10, np.nan], "ask_qty": [20, 20]},
        ),
        ("ts,bid,ask", ["1704067200,1,2"], Rows.QUOTE, {"bid": [1], "bid_qty": [np.nan]}),
        (
            "timestamp,markPrice,indicativeSettlePrice",
            ["1704067200,1,2", "1704067201,1,"],
            Rows.MARK,
            {"price": [1, 1], "index": [2, np.nan]},
        ),
        (
            "timestamp,fundingRate,next",
            ["1704067200,-1e-4,1704096000", "1704067201,0,"],
            Rows.FUNDING,
            {"rate": [-1e-4, 0], "next_ts": [T0 + 8 * HOUR, 0]},
        ),
        ("timestamp;price;size", ["1704067200;1;2"], Rows.TRADE, {"price": [1]}),
        ("timestamp\tprice\tsize", ["1704067200\t1\t2"], Rows.TRADE, {"price": [1]}),
        ('"timestamp", "price", "size"', ['"1704067200", "1", "2"'], Rows.TRADE, {"price": [1], "qty": [2]}),
        (
            ",open,high,low,close,volume",
            ["2024-01-01 00:00:00+00:00,1,4,0.5,2,10", "2024-01-01 00:01:00+00:00,2,3,1,2,0"],
            Rows.CANDLE,
            {"open_ts": [T0, T0 + MINUTE]},
        ),
        (",timestamp,price,size", ["0,1704067200,1,2", "1,1704067200,1,2"], Rows.TRADE, {"ts": [T0, T0]}),
    ],
    ids=[
        *(
            "candles",
            "one letter",
            "open and close time",
            "close time",
            "bitmex end of bin",
            "vwap alone is not bitmex",
        ),
        *("date and time", "trades of floats", "maker flag", "no side", "savetxt", "quotes of a daily dump"),
        *("quotes without sizes", "marks", "funding", "semicolon", "tab", "quoted", "frame index", "frame numbers"),
    ],
)
def test_kind_and_columns_are_found(
    tmp_path: Path, header: str, rows: list[str], kind: Rows, expected: dict[str, list[float]]
) -> None:
    path = write(tmp_path, "\n".join([header, *rows]) + "\n")
    assert source(path).info().kinds == {"XBTUSD": frozenset({kind})}
    found = one(path)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019-05-28T18:23:03.341Z", 1_559_067_783_341_000_000),
        ("2019-05-28T18:23:03Z", 1_559_067_783_000_000_000),
        ("2019-05-28 18:23:03", 1_559_067_783_000_000_000),
        ("2019-05-28T18:23", 1_559_067_780_000_000_000),
        ("2019-05-28T20:23:03.341+02:00", 1_559_067_783_341_000_000),
        ("2019-05-28T18:23:03.341+00:00", 1_559_067_783_341_000_000),
        ("2019-05-28T18:23:03.341000000", 1_559_067_783_341_000_000),
        ("2019-05-28", 1_559_001_600_000_000_000),
        ("20190528", 1_559_001_600_000_000_000),
        ("1559067783", 1_559_067_783_000_000_000),
        ("1559067783.341", 1_559_067_783_341_000_000),
        ("1559067783341", 1_559_067_783_341_000_000),
        ("1559067783341.0", 1_559_067_783_341_000_000),
        ("1.559067783341e+12", 1_559_067_783_341_000_000),
        ("1559067783341123", 1_559_067_783_341_123_000),
        ("1559067783341123456", 1_559_067_783_341_123_456),
    ],
)
def test_time_is_read_in_every_form(tmp_path: Path, text: str, expected: int) -> None:
    assert one(write(tmp_path, f"time,price,size\n{text},1,1\n"))["ts"] == [expected]


def test_times_of_unequal_length_may_follow_each_other(tmp_path: Path) -> None:
    stamps = ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00.5Z", "2024-01-01T01:00:01+01:00", "2024-01-01T00:00:01.5Z"]
    path = write(tmp_path, "time,price,size\n" + "".join(f"{stamp},1,1\n" for stamp in stamps))
    assert one(path)["ts"] == [T0, T0 + SECOND // 2, T0 + SECOND, T0 + 3 * SECOND // 2]


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of a process can be set on POSIX only")
def test_time_without_a_zone_is_utc_wherever_the_machine_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 2024-03-10 02:30 does not exist in New York.
    path = write(tmp_path, "time,price,size\n2024-03-10 02:30:00,1,1\n2024-03-10T02:30,1,1\n")
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert one(path)["ts"] == [T0 + 69 * DAY + 150 * MINUTE] * 2
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [(text, 1) for text in ("Buy", "buy", "B", "1", "1.0", "+1", "1.0e+00")]
    + [(text, -1) for text in ("Sell", "SELL", "s", "-1", "-1.0")]
    + [(text, 0) for text in ("", "0", "unknown")],
)
def test_side_is_read_in_every_form(tmp_path: Path, text: str, expected: int) -> None:
    assert one(write(tmp_path, f"time,side,price,size\n1704067200,{text},1,1\n"))["side"] == [expected]


@pytest.mark.parametrize("name", ["data.csv", "data.csv.gz", "data.txt", "data.csv.backup"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_csv_is_told_by_its_content(tmp_path: Path, name: str, newline: str) -> None:
    lines = ["time,price,size", "1704067200,1,1", "", "1704067201,2,1"]
    path = write(tmp_path, "\ufeff" + newline.join(lines), name)
    assert one(path)["price"] == [1, 2]


@pytest.mark.parametrize("name", ["data.jsonl", "data.jsonl.gz", "data.json"])
def test_json_lines_may_mix_numbers_and_text(tmp_path: Path, name: str) -> None:
    rows = [
        {"timestamp": "2024-01-01T00:00:00.000Z", "symbol": "XBTUSD", "side": "Buy", "size": 100, "price": 50000.5},
        {"symbol": "XBTUSD", "side": None, "timestamp": "2024-01-01T00:00:01.000Z", "size": "200", "price": 50000},
    ]
    path = write(tmp_path, "\n".join(map(json.dumps, rows)) + "\n\n", name)
    found = one(path, symbol=None)
    assert found == {"ts": [T0, T0 + SECOND], "side": [1, 0], "price": [50000.5, 50000], "qty": [100, 200]}


# -- what a source says of itself --------------------------------------------------------------------------------------


def test_info_of_recorded_candles() -> None:
    info = source(FIXTURES / "XBTUSD-1m-2019-05-29.csv.gz", symbol=None).info()
    assert info.intervals == {"XBTUSD": ("1m",)}
    assert (iso(info.start), iso(info.end)) == ("2019-05-29T00:01:00.000Z", "2019-05-30T00:00:00.000Z")
    assert info.rows == 1440
    assert info.open_is_previous_close
    (line,) = info.provenance
    assert line.origin == "recorded"
    assert line.text == (
        "XBTUSD-1m-2019-05-29.csv.gz: 1,440 1m candles, XBTUSD; 2019-05-29T00:01:00.000Z to 2019-05-30T00:00:00.000Z; "
        "stamped at the end of the interval"
    )


def test_recorded_quotes_with_a_pair_of_columns_per_symbol() -> None:
    path = FIXTURES / "XBTUSD-XBTM19-bbo-2019-05-28.csv.gz"
    assert set(source(path, symbol=None).info().kinds) == {"XBTUSD", "XBTM19"}
    assert {batch.symbol: len(batch) for batch in read(path, symbol=None)} == {"XBTUSD": 287, "XBTM19": 287}
    assert one(path, symbol="XBTM19")["bid"][0] == 8953
    assert "no columns of ETHUSD; the file has XBTUSD, XBTM19" in fault(path, symbol="ETHUSD")


@pytest.mark.parametrize(("sizes", "expected"), [(",bid_qty,ask_qty", True), ("", False)], ids=["sizes", "none"])
def test_sizes_are_known_where_quotes_carry_them(tmp_path: Path, sizes: str, expected: bool) -> None:
    path = write(tmp_path, f"ts,bid,ask{sizes}\n1704067200,1,2{',1,1' if sizes else ''}\n")
    assert source(path).info().sizes_known is expected


@pytest.mark.parametrize(
    ("step", "expected"), [(MINUTE, "1m"), (5 * MINUTE, "5m"), (HOUR, "1h"), (DAY, "1d"), (SECOND, "1s")]
)
def test_interval_is_the_step_between_rows_and_gaps_are_counted(tmp_path: Path, step: int, expected: str) -> None:
    rows = [f"{(T0 + at * step) // SECOND},1,1,1,1" for at in (0, 3, 4, 5, 9)]
    path = write(tmp_path, "time,open,high,low,close\n" + "\n".join(rows))
    info = source(path).info()
    assert info.intervals == {"XBTUSD": (expected,)}
    assert "5 intervals missing (kept as gaps); no volume column (volume is 0)" in info.provenance[0].text
    assert len(one(path)["ts"]) == 5


def test_symbols_of_a_column_become_batches_of_their_own(tmp_path: Path) -> None:
    text = "time,symbol,price,size\n1704067200,A,1,1\n1704067200,B,2,1\n1704067201,A,3,1\n"
    path = write(tmp_path, text)
    assert set(source(path, symbol=None).info().kinds) == {"A", "B"}
    assert [(batch.symbol, batch.columns[1].tolist()) for batch in read(path, symbol=None)] == [
        ("A", [1, 3]),
        ("B", [2]),
    ]


def test_wanted_symbol_is_picked_even_where_the_file_is_grouped_by_symbol(tmp_path: Path) -> None:
    path = write(tmp_path, "time,symbol,price,size\n1704067205,A,1,1\n1704067200,B,2,1\n1704067201,B,3,1\n")
    assert one(path, symbol="B")["ts"] == [T0, T0 + SECOND]
    info = source(path, symbol="B").info()
    assert (set(info.kinds), info.start, info.end, info.rows) == ({"B"}, T0, T0 + SECOND, 2)


def test_files_that_follow_each_other_are_one_source_in_any_order(tmp_path: Path) -> None:
    text = "time,open,high,low,close\n"
    late = write(tmp_path, text + "1704067320,3,3,3,3\n1704067380,4,4,4,4\n", "late.csv")
    early = write(tmp_path, text + "1704067200,1,1,1,1\n1704067260,2,2,2,2\n", "early.csv")
    closes = [value for batch in read(late, early) for value in batch.columns[4].tolist()]
    assert closes == [1, 2, 3, 4]
    info = source(late, early).info()
    assert (info.start, info.end, info.rows) == (T0 + MINUTE, T0 + 4 * MINUTE, 4)


def test_windows_are_cut_by_time_and_size_and_hold_every_row_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "CHUNK_ROWS", 7)
    path = write(tmp_path, "time,price,size\n" + "".join(f"{1704067200 + at},{at + 1},1\n" for at in range(50)))
    windows = list(source(path).windows(T0 + 5 * SECOND, T0 + 31 * SECOND))
    assert [value for window in windows for batch in window for value in batch.columns[1].tolist()] == list(
        range(6, 32)
    )
    assert max(len(batch) for window in windows for batch in window) <= 7


def test_open_outside_high_and_low_is_kept() -> None:
    (batch,) = read(FIXTURES / "XBTUSD-1m-2019-05-29.csv.gz", symbol=None)
    _, opened, high, low, *_ = batch.columns
    assert ((opened > high) | (opened < low)).sum() > 10


def test_check_warns_of_outages_and_gaps(tmp_path: Path) -> None:
    (warning,) = source(FIXTURES / "XBTUSD-1m-2020-05-19-halt.csv.gz", symbol=None).warnings()
    assert str(warning) == (
        "warning[HB502] XBTUSD: 99 1m candles without trades (kept, flagged); "
        "the longest stretch is 99 from 2020-05-19T12:01:00.000Z"
    )
    rows = "".join(f"{1704067200 + 60 * minute},1,1,1,1\n" for minute in (0, 1, 5, 6, 8))
    (warning,) = source(write(tmp_path, "time,open,high,low,close\n" + rows)).warnings()
    assert str(warning) == (
        "warning[HB502] XBTUSD: 4 1m candles are missing (left out, not invented); "
        "the longest gap is 3 from 2024-01-01T00:02:00.000Z"
    )
    assert source(FIXTURES / "XBTUSD-trades-2019-05-03T12.csv.gz").warnings() == []


# -- faults ------------------------------------------------------------------------------------------------------------

TRADES = "time,side,price,size\n"
CANDLES = "time,open,high,low,close,volume\n"
GOOD_TRADE = "2024-01-01T00:00:00Z,Buy,1,1\n"
C0, C1, C2 = (f"2024-01-01T00:0{minute}:00Z,1,2,1,2,5\n" for minute in range(3))


@pytest.mark.parametrize(
    ("text", "code", "line", "words"),
    [
        ("", "HB501", None, ["the file is empty", "write a header line"]),
        ("\n \n", "HB501", None, ["the file is empty"]),
        (TRADES, "HB501", None, ["a header, but no rows"]),
        ("1704067200,1,2,3\n", "HB501", 1, ["no header line", "timestamp,open,high,low,close,volume"]),
        ("time,foo,bar\n1,2,3\n", "HB501", 1, ["time, foo, bar", "candles need open, high", "quotes bid, ask"]),
        ("price,size\n1,2\n", "HB501", 1, ["price, size hold no time", "add a column timestamp"]),
        ("[1,2]\n", "HB501", 1, ["JSON array", "one JSON object per line"]),
        (TRADES + GOOD_TRADE + "2024-01-01T00:00:01Z,Buy,one,1\n", "HB501", 3, ['"one" in column price', "8756.5"]),
        (TRADES + GOOD_TRADE + "\n2024-01-01T00:00:01Z,Buy,,1\n", "HB501", 4, ["no value in column price"]),
        (TRADES + GOOD_TRADE + "2024-01-01T00:00:01Z,Buy,0,1\n", "HB501", 3, ["price is 0; a price is above 0"]),
        (TRADES + GOOD_TRADE + "2024-01-01T00:00:01Z,Buy,nan,1\n", "HB501", 3, ["price is nan"]),
        (TRADES + GOOD_TRADE + "2024-01-01T00:00:01Z,Buy,inf,1\n", "HB501", 3, ["price is inf"]),
        (TRADES + GOOD_TRADE + "2024-01-01T00:00:01Z,Buy,1,-5\n", "HB501", 3, ["size is -5; a quantity is 0 or more"]),
        (TRADES + GOOD_TRADE + "2024-01-01T00:00:01Z,Hold,1,5\n", "HB501", 3, ['"Hold" in column side', "buy, sell"]),
        (TRADES + GOOD_TRADE + "yesterday,Buy,1,5\n", "HB501", 3, ['"yesterday" in column time is not a time']),
        (TRADES + GOOD_TRADE + "2024-13-01T00:00:01Z,Buy,1,5\n", "HB501", 3, ['"2024-13-01T00:00:01Z"', "not a time"]),
        (TRADES + GOOD_TRADE + "2924-01-01T00:00:01Z,Buy,1,5\n", "HB501", 3, ['"2924-01-01T00:00:01Z"', "not a time"]),
        (TRADES + "50000000000,Buy,1,1\n", "HB501", 2, ['"50000000000" in column time is not a time']),
        (TRADES + GOOD_TRADE + "2" * 5000 + ",Buy,1,5\n", "HB501", 3, ['22..." in column time is not a time']),
        (TRADES + GOOD_TRADE + ",Buy,1,5\n", "HB501", 3, ["no time in column time"]),
        (TRADES + "1704067200,Buy,1,1\n1704067200000,Buy,1,1\n", "HB501", 3, ['"1704067200000"', "unit"]),
        (TRADES + "12345,Buy,1,1\n", "HB501", 2, ['"12345" in column time is not a time']),
        (TRADES + GOOD_TRADE + "2024-01-01T00:00:01Z,Buy,1\n", "HB501", 3, ["3 cells", "names 4 columns"]),
        (TRADES + GOOD_TRADE + "2024-01-01T00:00:01Z,Buy,1,1,1\n", "HB501", 3, ["5 cells"]),
        (
            TRADES + 2 * GOOD_TRADE + TRADES + GOOD_TRADE + TRADES + GOOD_TRADE,
            "HB501",
            4,
            ["repeated header; remove line 4 (2 such lines)"],
        ),
        (TRADES + GOOD_TRADE + TRADES, "HB501", 3, ["repeated header; remove line 3 (1 such line)"]),
        (
            TRADES + "2024-01-01T00:00:05Z,Buy,1,1\n2024-01-01T00:00:03Z,Buy,1,1\n2024-01-01T00:00:09Z,Buy,1,1\n",
            "HB504",
            3,
            ["2024-01-01T00:00:03.000Z comes after 2024-01-01T00:00:05.000Z", "sort the file by time"],
        ),
        (TRADES + "1704067209,Buy,1,1\n1704067203,Buy,1,1\n", "HB504", 3, ["sort the file by time"]),
        (CANDLES + C0 + C1 + C1 + C2, "HB501", 4, ["a second candle for 2024-01-01T00:01:00.000Z", "remove one"]),
        (CANDLES + C0 + C1 + C2 + "2024-01-01T00:03:30Z,1,1,1,1,1\n", "HB501", 5, ["90s after", "1m apart"]),
        (CANDLES + C0, "HB501", None, ["one candle only", "at least two rows"]),
        (CANDLES + C0 + "2024-01-08T00:00:00Z,1,1,1,1,1\n", "HB501", None, ["1w apart", "1s to 1d"]),
        (CANDLES + "1704067200.0,1,1,1,1,1\n1704067200.5,1,1,1,1,1\n", "HB501", None, ["500ms apart"]),
        (CANDLES + C0 + "2024-01-01T00:01:00Z,1,1,2,1,1\n", "HB501", 3, ["high 1 is below low"]),
        (
            "time,price,size,symbol\n1704067200,1,1,XBTUSD\n1704067201,1,1,\n",
            "HB501",
            3,
            ["no value in the column symbol"],
        ),
        ("time,price,size,symbol\n1704067200,1,1,ETHUSD\n", "HB501", None, ["no rows of XBTUSD", "{ETHUSD: data.csv}"]),
        (
            "time,symbol,price,size\n1704067200,XBTUSD,1,1\ntime,symbol,price,size\n1704067200,XBTUSD,1,1\n",
            "HB501",
            3,
            ["repeated header; remove line 3 (1 such line)"],
        ),
        (b"time,price,size\n1704067200,1,1\n1704067201,\xff\xfe,1\n", "HB501", 3, ["not UTF-8 text"]),
        ("time,price,size\n1704067200,1,1\n".encode("utf-16"), "HB501", 1, ["not UTF-8 text"]),
        (b"time,price,size\n1704067200,1,1\n1704067201,\x00,1\n", "HB501", 3, []),
        (b"PAR1\x00\x00", "HB501", None, ["a Parquet file", "write it as CSV"]),
        (b"PK\x03\x04\x00\x00", "HB501", None, ["a zip archive"]),
        ('{"time": 1704067200, "price": 1, "size": 1}\nnonsense\n', "HB501", 2, ["not a JSON object"]),
        ('{"time": 1704067200, "price": 1, "size": 1}\n[1]\n', "HB501", 2, ["not a JSON object"]),
        (
            '{"time": 1704067200, "price": 1, "size": 1}\n{"time": 1704067201}\n',
            "HB501",
            2,
            ["no value in column price"],
        ),
        ('{"time": 1704067200, "price": 1, "size": 1, "symbol": "A"}\nx\n', "HB501", 2, ["not a JSON object"]),
        (
            '{"time": 1704067200, "price": 1, "size": 1, "symbol": "XBTUSD"}\n{"time": 1704067200, "symbol": null}\n',
            "HB501",
            2,
            ["no value in the column symbol"],
        ),
        ('{"time": 1704067200, "price": [1], "size": 1}\n', "HB501", 1, ['"[1]" in column price']),
    ],
    ids=lambda value: None if not isinstance(value, list) else (value[0][:30] if value else "null byte"),
)
def test_fault_names_code_place_and_mend(
    tmp_path: Path, text: str | bytes, code: str, line: int | None, words: list[str]
) -> None:
    path = write(tmp_path, text)
    message = fault(path)
    place = f"{path}:{line}" if line else f"{path}"
    assert message.startswith(f"error[{code}] {place} ")
    for word in words:
        assert word in message


def test_fault_in_a_later_chunk_has_the_line_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "CHUNK_ROWS", 10)
    rows = [f"{1704067200 + at},Buy,1,1\n" for at in range(1500)]
    rows[1203] = "1704067100,Buy,1,1\n"
    path = write(tmp_path, TRADES + "".join(rows))
    assert f"{path}:1205 2023-12-31T23:58:20.000Z comes after" in fault(path)
    rows[1203] = "1704068403,Buy,-1,1\n"
    assert f"{write(tmp_path, TRADES + ''.join(rows))}:1205 price is -1" in fault(path)


def test_rows_before_a_fault_are_handed_out_but_never_the_window_that_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "CHUNK_ROWS", 2)
    path = write(tmp_path, "time,price,size\n1704067200,1,1\n1704067201,1,1\n1704067202,1,1\n1704067203,x,1\n")
    windows = source(path).windows(*FOREVER)
    assert len(next(iter(windows))[0]) == 2
    with pytest.raises(DataError, match=r'"x" in column price'):
        next(iter(windows))


def test_missing_file_lists_those_of_its_kind(tmp_path: Path) -> None:
    for at in range(7):
        write(tmp_path, "x", f"data{at}.csv.gz")
    write(tmp_path, "x", "other.csv")
    message = fault(tmp_path / "missing.csv.gz")
    assert message.startswith("error[HB500] ")
    assert 'missing.csv.gz" not found; .csv.gz files in that folder: data0.csv.gz, ' in message
    assert message.endswith("data4.csv.gz, ...")
    assert "no .jsonl files in that folder" in fault(tmp_path / "missing.jsonl")
    assert "there is no folder" in fault(tmp_path / "nowhere" / "missing.jsonl")
    assert "is a folder" in fault(tmp_path)
    assert "no data file is named" in fault()


@pytest.mark.parametrize("size", [-8, -1, 12], ids=["no checksum", "one byte short", "after the head"])
def test_gzip_that_breaks_off_is_refused(tmp_path: Path, size: int) -> None:
    packed = gzip.compress((TRADES + GOOD_TRADE * 100).encode())
    path = tmp_path / "data.csv.gz"
    path.write_bytes(packed[:size])
    message = fault(path)
    assert message.startswith(f"error[HB501] {path} gzip cannot be read")


def test_plain_text_with_the_name_of_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.csv.gz"
    path.write_text(TRADES + GOOD_TRADE)
    assert "not gzip in spite of its name; rename it to data.csv" in fault(path)


def test_rows_without_a_symbol_ask_for_one(tmp_path: Path) -> None:
    path = write(tmp_path, TRADES + GOOD_TRADE)
    assert "write replay: {data: {XBTUSD: data.csv}}" in fault(path, symbol=None)


@pytest.mark.parametrize(
    ("start", "end"),
    [(T0 + HOUR, T0 + 2 * HOUR), (T0 - HOUR, T0), (T0 + SECOND + 1, T0 + HOUR)],
    ids=["after", "before", "just after"],
)
def test_range_outside_the_data_is_refused(tmp_path: Path, start: int, end: int) -> None:
    path = write(tmp_path, "time,price,size\n1704067200,1,1\n1704067201,1,1\n")
    with pytest.raises(DataError) as caught:
        list(source(path).windows(start, end))
    assert caught.value.code == "HB503"
    assert "data covers 2024-01-01T00:00:00.000Z..2024-01-01T00:00:01.000Z; asked " + iso(start) in str(caught.value)


@pytest.mark.parametrize(
    ("first", "second", "code", "words"),
    [
        (CANDLES + C0 + C1, CANDLES + C1 + C2, "HB504", "before a.csv ends"),
        (TRADES + GOOD_TRADE, CANDLES + C1 + C2, "HB501", "1m candles, but a.csv holds trades"),
        (
            CANDLES + C0 + C1,
            CANDLES + "2024-01-02T00:00:00Z,1,1,1,1,1\n2024-01-02T01:00:00Z,1,1,1,1,1\n",
            "HB501",
            "1h candles, but a.csv holds 1m candles",
        ),
    ],
    ids=["overlap", "other kind", "other interval"],
)
def test_files_that_do_not_follow_each_other_are_refused(
    tmp_path: Path, first: str, second: str, code: str, words: str
) -> None:
    paths = write(tmp_path, first, "a.csv"), write(tmp_path, second, "b.csv")
    message = fault(*paths)
    assert message.startswith(f"error[{code}] {paths[1]} ")
    assert words in message
