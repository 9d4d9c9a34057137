"""`--data`: a user's own files, what they may be called, and what is said of those that cannot be played."""

import pytest
from hbkit_bitmex.simulator.played import open_data

from hbkit.clock import MINUTE, SECOND, iso, parse_time
from hbkit.errors import DataError

BEGIN = parse_time("2021-03-05T00:00:00Z")


def candles(path, count=60, price=48_000.0):
    """One-minute candles stamped at their start: up five dollars, then back, ten a side."""
    lines = ["timestamp,open,high,low,close,volume"]
    for at in range(count):
        opened, close = price + at % 2 * 5, price + (at + 1) % 2 * 5
        high, low = max(opened, close) + 10, min(opened, close) - 10
        lines.append(f"{iso(BEGIN + at * MINUTE)},{opened},{high},{low},{close},4000")
    path.write_text("\n".join(lines) + "\n")
    return path


def quotes(path, count=600, price=2_000.0):
    lines = ["timestamp,bidPrice,bidSize,askPrice,askSize"]
    for at in range(count):
        bid = price + at // 60
        lines.append(f"{iso(BEGIN + at * SECOND)},{bid},3000,{bid + 0.5},7000")
    path.write_text("\n".join(lines) + "\n")
    return path


def trades(path, count=600):
    lines = ["timestamp,symbol,side,size,price"]
    for at in range(count):
        side = ("Buy", "Sell")[at % 2]
        lines.append(f"{iso(BEGIN + at * SECOND)},SOLUSDT,{side},1000,{12.01 if at % 2 else 12.03}")
    path.write_text("\n".join(lines) + "\n")
    return path


async def book_and_bins(desk, symbol):
    book = (await desk.call("GET", f"/orderBook/L2?symbol={symbol}", key=None)).body
    bins = (await desk.call("GET", f"/trade/bucketed?symbol={symbol}&count=500", key=None)).body
    return book, bins


def test_candles_become_prints_and_give_the_same_candles_again(at_the_desk, tmp_path):
    path = candles(tmp_path / "XBTUSD-1m.csv")

    async def story(desk):
        await desk.raw("POST", "/control/clock", '{"advance": 300}')
        book, bins = await book_and_bins(desk, "XBTUSD")
        bid, ask = await desk.touch()
        row = await desk.place(side="Buy", orderQty=1000, ordType="Market")
        rows = (await desk.call("GET", "/instrument?symbol=XBTUSD", key=None)).body
        return book, bins, bid, ask, row, rows[0]

    book, bins, bid, ask, row, instrument = at_the_desk(story, data=(str(path),), history=20 * MINUTE)
    closed = [one for one in bins if one["trades"]]
    assert len(closed) >= 20
    for one in closed[1:]:
        assert one["volume"] == 4000
        assert one["trades"] == 4
        assert (one["high"], one["low"]) == (48_015, 47_990)
        assert one["close"] in (48_000, 48_005)
    assert len(book) == 50
    assert bid < ask <= bid + 50
    assert row["ordStatus"] == "Filled"
    assert instrument["markPrice"] == pytest.approx(48_000, rel=0.001)
    # The other markets follow: ether was 0.02945 bitcoin on the day of the instrument rows.


def test_recorded_quotes_are_the_touch_and_the_depth_behind_is_drawn(at_the_desk, tmp_path):
    path = quotes(tmp_path / "eth.csv")

    async def story(desk):
        return await book_and_bins(desk, "ETHUSDT")

    book, _ = at_the_desk(story, data=(f"ETHUSDT={path}",))
    assert len(book) == 50
    ask, bid = book[24], book[25]
    assert ask["price"] - bid["price"] == 0.5
    assert (bid["size"], ask["size"]) == (3000, 7000)


def test_trades_with_their_own_symbol_and_two_files_at_once(at_the_desk, tmp_path):
    sol, eth = trades(tmp_path / "trades.csv"), quotes(tmp_path / "ETHUSDT_quotes.csv")

    async def story(desk):
        sol = await book_and_bins(desk, "SOLUSDT")
        eth = await book_and_bins(desk, "ETHUSDT")
        return sol, eth, desk.running.simulator.feed.awake

    (book, bins), (other, _), awake = at_the_desk(story, data=(str(sol), str(eth)))
    assert (book[24]["price"], book[25]["price"]) == (12.03, 12.02)
    assert sum(one["volume"] for one in bins) >= 60_000
    assert other[25]["price"] >= 2_000
    # Played markets never sleep and belong to no backdrop.
    assert awake == []


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["bitmex-2019-05-30"], 'no tape and no file is called "bitmex-2019-05-30"; did you mean "bitmex-2019-05-29"'),
        (["synthetic:calmer"], 'no synthetic market is called "calmer"; did you mean "calm"'),
        (["XBTUSD=nowhere.csv"], "no tape and no file is called"),
    ],
    ids=["tape", "style", "file"],
)
def test_unknown_names_are_errors_with_their_mend(texts, said):
    with pytest.raises(DataError, match=said.replace("(", r"\(")):
        open_data(texts, 1)


def test_files_that_cannot_be_played_say_why(tmp_path):
    path = candles(tmp_path / "mine.csv")
    with pytest.raises(DataError, match=r"whose rows are these"):
        open_data([str(path)], 1)
    with pytest.raises(DataError, match=r'the data is of "DASHUSD", which BitMEX did not list'):
        open_data([f"DASHUSD={path}"], 1)
    with pytest.raises(DataError, match=r"has to overlap in time: bitmex-2019-05-29: 2019.*; mine\.csv: 2021"):
        open_data(["bitmex-2019-05-29", f"ETHUSD={path}"], 1)
    broken = tmp_path / "XBTUSD.csv"
    broken.write_text(
        "timestamp,open,high,low,close,volume\n2021-03-05T00:00:00Z,1,2,1,x,5\n2021-03-05T00:01:00Z,1,2,1,1,5\n"
    )
    with pytest.raises(DataError, match=r"XBTUSD\.csv:2"):
        for _ in open_data([str(broken)], 1).source.windows(0, 2**62):
            pass
