"""instruments, candles, book, balances, orders, positions: an exchange read by hand, by name, by config and by URL."""

import asyncio
import csv
import http.server
import io
import os
import subprocess
import sys
import threading
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hbkit_bitmex.exchange import BitmexExchange
from pyarrow import parquet

from hbkit.clock import MINUTE, parse_time
from hbkit.data.files import FileSource
from hbkit.model import OrderRequest, OrderType, PositionSide, Side
from hbkit.plugins import Plugins
from hbkit.run.visit import plan_visit, visit
from tests.cli.serving import simulator
from tests.workbench import environment

ADVICE = "error[HB437] BitMEX closed on 2026-09-23: trade against its simulator"


@pytest.fixture(scope="module")
def url():
    """A simulator that runs, with the market at its default pace."""
    with simulator() as there:
        yield there


@pytest.fixture(scope="module")
def held(url):
    """100 contracts long, and an order to buy 200 more far below the market; returns the order's id and price."""

    async def act():
        plan = plan_visit("bitmex_perpetual", Plugins(), url=url)
        async with visit(plan, account=True) as there:
            market = await there.market("XBTUSD")
            low = (await there.book(market, 1)).bids[0][0] // 2
            for name, units, ticks in (("held-1", 100, None), ("held-2", 200, low)):
                kind = OrderType.MARKET if ticks is None else OrderType.LIMIT
                there.exchange.submit(OrderRequest(name, market, Side.BUY, PositionSide.NET, kind, units, ticks))
            async with asyncio.timeout(10):
                orders, positions = [], []
                while not (orders and positions):
                    orders, positions = await there.exchange.open_orders(), await there.exchange.positions()
            return "held-2", market.price_text(low)

    return asyncio.run(act())


def rows(outcome):
    return [line.split() for line in outcome.out.splitlines()]


# -- what there is to read


def test_instruments_by_themselves_are_the_plugins_own_and_say_so(bench):
    done = bench.hbkit("instruments", "bitmex_perpetual")
    assert (done.code, done.err) == (0, "")
    assert rows(done)[0] == ["symbol", "unified", "kind", "qty", "counts", "tick", "lot", "least", "maker", "taker"]
    (xbt,) = [row for row in rows(done) if row[:1] == ["XBTUSD"]]
    assert " ".join(xbt[1:]) == "BTC/USD:BTC inverse contract of 1 USD 0.1 100 100 0.0500 % 0.0500 %"
    assert done.out.splitlines()[-1].startswith("108 instruments of hbkit-bitmex ")
    assert done.out.endswith("; nothing was sent\n")
    listed = bench.hbkit("instruments", "bitmex_perpetual", "--json").json["instruments"]
    told = {"tick": "0.1", "lot": "100", "min_qty": "100", "min_cost": None, "contract_size": "1"}
    assert {"symbol": "XBTUSD", "maker_fee": "0.0005", "listed": None, **told}.items() <= next(
        one for one in listed if one["symbol"] == "XBTUSD"
    ).items()
    assert not {one["kind"] for one in listed} & {"spot"}
    assert {one["kind"] for one in bench.hbkit("instruments", "bitmex", "--json").json["instruments"]} == {"spot"}


def test_instruments_of_an_exchange_are_those_that_it_lists_now(bench, url):
    done = bench.hbkit("instruments", "bitmex_perpetual", "--url", url)
    assert (done.code, done.err) == (0, "")
    # The plugin knows the same 108 contracts of 2026-05-03 that its simulator lists.
    assert {"XBTUSD", "ETHUSD", "XBTUSDT"} <= {row[0] for row in rows(done) if row}
    everything = bench.hbkit("instruments", "bitmex_perpetual", "--url", url, "--all", "--json").json["instruments"]
    assert len(everything) == 108
    assert all(one["listed"] for one in everything)


def test_the_book_is_the_same_by_either_symbol(bench, url):
    shown = bench.hbkit("book", "bitmex_perpetual", "BTC/USD:BTC", "--url", url, "--depth", "3")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith("XBTUSD (BTC/USD:BTC) at bitmex_perpetual, ")
    assert rows(shown)[2] == ["bid", "qty", "bid", "ask", "ask", "qty"]
    assert len([row for row in rows(shown) if len(row) == 4]) == 3
    book = bench.hbkit("book", "bitmex_perpetual", "XBTUSD", "--url", url, "--json").json
    bids, asks = ([Decimal(level["price"]) for level in book[side]] for side in ("bids", "asks"))
    assert len(bids) == len(asks) == 10
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < asks[0]
    assert all(Decimal(level["qty"]) > 0 for level in book["bids"] + book["asks"])


def test_a_spot_book_counts_its_base_currency(bench, url):
    book = bench.hbkit("book", "bitmex", "BTC/USDT", "--url", url, "--json").json
    assert (book["symbol"], book["qty_counts"]) == ("XBT_USDT", "XBT")


def test_candles_follow_each_other_without_a_hole(bench, url):
    done = bench.hbkit("candles", "bitmex_perpetual", "XBTUSD", "--url", url, "--last", "600", "--json")
    candles = done.json
    opened = [parse_time(one["open_time"]) for one in candles["candles"]]
    # What lies before the tape is known too: four weeks of it.
    assert (len(opened), done.err) == (600, "")
    assert {after - before for before, after in pairwise(opened)} == {MINUTE}
    assert all(
        Decimal(one["volume"]) == 0 and one["open"] == one["close"] for one in candles["candles"] if not one["trades"]
    )


def test_a_span_that_begins_before_the_first_candle_says_so(bench, url):
    words = ["candles", "bitmex_perpetual", "XBTUSD", "--url", url, "--interval", "1d", "--last", "60"]
    done = bench.hbkit(*words, "--json")
    assert 26 <= len(done.json["candles"]) <= 29
    assert done.err == f"bitmex_perpetual has no 1d candles before {done.json['candles'][0]['open_time']}\n"


def test_candles_of_a_span_make_a_file_that_replay_reads(bench, url):
    words = ["candles", "bitmex_perpetual", "XBTUSD", "--url", url, "--interval", "5m"]
    last = bench.hbkit(*words, "--last", "3", "--json")
    span = [one["open_time"] for one in last.json["candles"]]
    done = bench.hbkit(*words, "--from", span[0], "--to", span[-1], "--out", "x.csv")
    assert (done.code, done.out) == (0, f"{len(span) - 1} candles written to x.csv\n")
    with Path("x.csv").open() as file:
        written = list(csv.DictReader(file))
    assert [row["timestamp"] for row in written] == span[:-1]
    assert [row["close"] for row in written] == [one["close"] for one in last.json["candles"][:-1]]
    info = FileSource([Path("x.csv")], symbol="XBTUSD", name="x.csv").info()
    assert info.intervals == {"XBTUSD": ("5m",)}
    shown = bench.hbkit("candles", "bitmex_perpetual", "XBTUSD", "--url", url, "--last", "2")
    assert rows(shown)[0] == ["open", "time", "(UTC)", "open", "high", "low", "close", "volume", "trades"]
    assert len({len(line) for line in shown.out.splitlines()}) == 1


def test_an_interval_that_the_exchange_lacks_is_put_together(bench, url):
    words = ["candles", "bitmex_perpetual", "XBTUSD", "--url", url, "--json"]
    large = bench.hbkit(*words, "--interval", "15m", "--last", "3").json["candles"]
    assert [one["interval"] for one in [bench.hbkit(*words, "--interval", "15m").json]] == ["15m"]
    small = bench.hbkit(*words, "--from", large[0]["open_time"], "--to", large[-1]["close_time"]).json["candles"]
    assert len(small) == 15 * len(large) > 0
    for at, candle in enumerate(large):
        inner = small[15 * at : 15 * at + 15]
        # What was not traded in an empty minute counts for nothing.
        traded = [one for one in inner if one["trades"]] or inner
        assert candle["open"] == inner[0]["open"]
        assert candle["close"] == inner[-1]["close"]
        assert Decimal(candle["high"]) == max(Decimal(one["high"]) for one in traded)
        assert Decimal(candle["low"]) == min(Decimal(one["low"]) for one in traded)
        assert Decimal(candle["volume"]) == sum(Decimal(one["volume"]) for one in inner)
        assert candle["trades"] == sum(one["trades"] for one in inner)


def test_candles_can_be_a_parquet_file(bench, url):
    words = ["candles", "bitmex_perpetual", "XBTUSD", "--url", url, "--last", "5", "--json"]
    done = bench.hbkit(*words, "--out", "x.parquet").json
    rows = parquet.read_table("x.parquet").to_pylist()
    assert [row["timestamp"].value for row in rows] == [parse_time(one["open_time"]) for one in done["candles"]]
    for name in ("open", "high", "low", "close", "volume"):
        assert [Decimal(repr(row[name])) for row in rows] == [Decimal(one[name]) for one in done["candles"]]
    assert [row["trades"] for row in rows] == [one["trades"] for one in done["candles"]]


@pytest.mark.parametrize("interval", ["7s", "90s", "2d", "x"])
def test_an_interval_that_cannot_be_made_is_refused_before_anything_is_asked(bench, interval):
    done = bench.hbkit("candles", "bitmex_perpetual", "XBTUSD", "--interval", interval)
    assert done.code == 2
    assert done.err.startswith("error[HB001] --interval: ")


def test_the_account_as_the_exchange_books_it(bench, url, held):
    order_id, price = held
    (order,) = bench.hbkit("orders", "bitmex_perpetual", "--url", url, "--json").json["orders"]
    assert {"id": order_id, "side": "buy", "qty": "200", "filled": "0", "price": price, "status": "open"}.items() <= (
        order.items()
    )
    assert rows(bench.hbkit("orders", "bitmex_perpetual", "--url", url))[1][2:5] == ["XBTUSD", "buy", "200"]
    (position,) = bench.hbkit("positions", "bitmex_perpetual", "--url", url, "--json").json["positions"]
    assert {"instrument": "XBTUSD", "side": "long", "qty": "100", "currency": "XBT"}.items() <= position.items()
    # An inverse contract of 1 USD: profit = qty * (1 / entry - 1 / mark), each rounded to a satoshi.
    entry, mark = Decimal(position["entry_price"]), Decimal(position["mark_price"])
    expected = 100 * (1 / entry - 1 / mark)
    assert abs(Decimal(position["unrealized_pnl"]) - expected) <= Decimal("0.00000002")
    assert rows(bench.hbkit("positions", "bitmex_perpetual", "--url", url))[1][:3] == ["XBTUSD", "long", "100"]
    money = bench.hbkit("balances", "bitmex_perpetual", "--url", url, "--json").json["balances"]
    # A taker's fee of 0.05 % on 100 USD at some 8,700 USD: 0.00000575 XBT.
    assert Decimal("0.999994") < Decimal(money["XBT"]["balance"]) < 1
    assert Decimal(money["XBT"]["available"]) < Decimal(money["XBT"]["equity"])
    assert money["USDT"] == {
        "balance": "10000.000000", "open_profit": "0.000000", "equity": "10000.000000", "available": "10000.000000"
    }  # fmt: skip


def test_the_position_mode_is_shown_and_its_switch_refused_with_the_reason(bench, url, held):
    assert bench.hbkit("position-mode", "bitmex_perpetual", "--url", url).out == f"bitmex_perpetual ({url}): one_way\n"
    refused = bench.hbkit("position-mode", "bitmex_perpetual", "hedge", "--url", url)
    assert refused.code == 4
    assert "error[HB420] bitmex_perpetual stays in one_way mode (Cannot change position mode with open" in refused.err


def test_flatten_leaves_no_order_and_no_position(bench, url, held):
    before = bench.hbkit("balances", "bitmex_perpetual", "--url", url, "--json").json
    done = bench.hbkit("flatten", "bitmex_perpetual", "--url", url)
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        f"bitmex_perpetual ({url}): 1 orders found, positions found: XBTUSD 100",
        "flat: no orders, no positions",
    ]
    assert bench.hbkit("orders", "bitmex_perpetual", "--url", url, "--json").json["orders"] == []
    assert bench.hbkit("positions", "bitmex_perpetual", "--url", url, "--json").json["positions"] == []
    again = bench.hbkit("flatten", "bitmex_perpetual", "--url", url, "--json").json
    assert (again["flat"], again["orders"], again["positions"]) == (True, 0, [])
    # Closing 100 USD cost one more taker's fee and the spread.
    after = bench.hbkit("balances", "bitmex_perpetual", "--url", url, "--json").json
    assert Decimal(after["balances"]["XBT"]["equity"]) < Decimal(before["balances"]["XBT"]["equity"])


def test_the_position_mode_is_switched_there_and_back(bench, url, held):
    told = bench.hbkit("position-mode", "bitmex_perpetual", "hedge", "--url", url, "--json").json
    assert (told["previous"], told["mode"]) == ("one_way", "hedge")
    back = bench.hbkit("position-mode", "bitmex_perpetual", "oneway", "--url", url)
    assert back.out == f"bitmex_perpetual ({url}): one_way\n"


def test_the_position_mode_is_one_of_two(bench, url):
    done = bench.hbkit("position-mode", "bitmex_perpetual", "sideways", "--url", url)
    assert done.code == 2
    assert 'error[HB001] "sideways" is no position mode; it is one of one_way, hedge' in done.err
    assert bench.hbkit("position-mode", "bitmex_perpetual", "hedge").code == 2


NO_LEGS = {
    "spot": (
        ["bitmex", "hedge", "--url", "http://127.0.0.1:1"],
        "error[HB420] bitmex stays as it is: spot has no positions to hedge\n",
    ),
    "capped": (
        ["bitmex_perpetual", "hedge", "--config", "c.yaml"],
        "error[HB420] bitmex_perpetual stays as it is: P_POWELLK26 is capped: hedge mode does not apply\n",
    ),
    "closed": (["bitmex_perpetual_testnet", "hedge", "--config", "c.yaml"], ADVICE),
}


@pytest.mark.parametrize(("words", "text"), NO_LEGS.values(), ids=NO_LEGS)
def test_a_position_mode_that_cannot_be_is_refused_before_anything_is_sent(bench, words, text):
    bench.write("c.yaml", """
        exchanges:
          bitmex_perpetual: {simulator: {url: "http://127.0.0.1:1"}}
          bitmex_perpetual_testnet: {api_key: k, api_secret: canary-secret}
        strategies: [{use: one, exchange: bitmex_perpetual, instruments: [P_POWELLK26]}]
        """)
    done = bench.hbkit("position-mode", *words)
    assert (done.code, done.err.count("\n")) == (4, 1)
    assert done.err.startswith(text)


def test_flatten_wants_to_be_told_which_account(bench):
    done = bench.hbkit("flatten", "bitmex_perpetual")
    assert done.code == 2
    assert done.err.startswith("error[HB001] say which account: --config FILE")


def test_flatten_asks_before_it_touches_real_money(bench, monkeypatch):
    bench.strategy("def on_start(self): ...")
    bench.write("c.yaml", """
        exchanges:
          bitmex_perpetual: {mode: live, rest_url: "https://a.invalid/api/v1", ws_url: "wss://a.invalid/realtime",
                             api_key: k, api_secret: "${SECRET}"}
        strategies: [{use: one, instruments: [XBTUSD]}]
        """)  # fmt: skip
    monkeypatch.setenv("SECRET", "canary-secret")
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    done = bench.hbkit("flatten", "bitmex_perpetual", "--config", "c.yaml")
    assert done.code == 2
    assert "flatten the account of bitmex_perpetual at a.invalid" in done.err
    assert done.err.rstrip().endswith("Say --yes")


def test_with_neither_a_simulator_is_started_and_that_is_said(bench):
    done = bench.process("balances", "bitmex_perpetual", "--json")
    assert done.code == 0
    assert done.err == (
        "asking a simulator started for this: a recorded market, a fresh account; --url or --config names another\n"
    )
    assert done.json["balances"]["XBT"]["equity"] == "1.00000000"
    assert bench.left_behind == []


# -- by a config


CONFIG = """
exchanges:
  bitmex_perpetual: {{mode: simulator, simulator: {{url: "{url}"}}}}
  wrong: {{plugin: bitmex_perpetual, simulator: {{url: "{url}"}}, api_key: abcdef, api_secret: not-the-one}}
  own: {{plugin: bitmex_perpetual, mode: live, rest_url: "{url}/api/v1", ws_url: "{ws}/realtime",
         api_key: demo, api_secret: demo-secret}}
  mute: {{plugin: bitmex_perpetual, mode: testnet, rest_url: "{url}/api/v1", ws_url: "{ws}/realtime"}}
  closed: {{plugin: bitmex_perpetual, mode: live, api_key: abcdef, api_secret: not-the-one}}
  past: {{plugin: bitmex_perpetual, mode: replay}}
  paper: {{plugin: bitmex_perpetual, mode: paper}}
strategies: []
"""


@pytest.fixture
def config(bench, url):
    bench.write("c.yaml", CONFIG.format(url=url, ws=url.replace("http", "ws")))
    return "c.yaml"


def test_a_config_says_where_and_with_which_key(bench, config):
    for name in ("bitmex_perpetual", "own"):
        done = bench.hbkit("balances", name, "--config", config)
        assert (done.code, done.err) == (0, "")
        assert rows(done)[0] == ["currency", "balance", "open", "profit", "equity", "available"]


def test_the_market_is_read_without_a_key(bench, config):
    assert len(bench.hbkit("book", "mute", "XBTUSD", "--config", config, "--json").json["bids"]) == 10
    done = bench.hbkit("orders", "mute", "--config", config)
    assert (done.code, done.err[:12]) == (2, "error[HB110]")


REFUSED = {
    "wrong_key": (["balances", "wrong"], 4, "error[HB430] BitMEX refused the key ending ..ef "),
    "closed": (["balances", "closed"], 4, ADVICE),
    "closed_market": (["book", "closed", "XBTUSD"], 4, ADVICE),
    "replay": (["book", "past", "XBTUSD"], 2, "error[HB001] past is in mode replay, which has no exchange to ask"),
    "paper": (["orders", "paper"], 2, "error[HB001] the account of paper is kept by its run (mode paper)"),
    "no_block": (["orders", "owm"], 2, 'error[HB001] c.yaml has no exchange "owm"; did you mean "own"?'),
}


@pytest.mark.parametrize(("words", "code", "text"), REFUSED.values(), ids=REFUSED)
def test_a_block_that_cannot_be_asked_is_told_in_a_line(bench, config, words, code, text):
    done = bench.hbkit(*words, "--config", config, "--json")
    assert done.code == code
    assert done.err.startswith(text)
    assert done.err.count("\n") == 1
    assert done.json["exit_code"] == code
    assert "not-the-one" not in done.out + done.err


# -- words that mean nothing


WRONG = {
    "exchange": (["book", "bitmexx", "XBTUSD"], 2, 'error[HB201] exchange "bitmexx" needs a plugin that is not '),
    "symbol": (["book", "bitmex_perpetual", "XBTUDS"], 2, 'no instrument "XBTUDS"; did you mean "XBTUSD"?'),
    "spot": (["book", "bitmex_perpetual", "XBT_USDT"], 2, "XBT_USDT is spot; use the exchange bitmex for it"),
    "contract": (["candles", "bitmex", "XBTUSD"], 2, "XBTUSD is a contract; use the exchange bitmex_perpetual for it"),
    "interval": (["candles", "bitmex", "BTC/USDT", "--interval", "90s"], 2, "90s candles cannot be made of 1m"),
    "from": (["candles", "bitmex_perpetual", "XBTUSD", "--from", "monday"], 2, '--from: "monday" is not a time'),
    "order": (
        ["candles", "bitmex_perpetual", "XBTUSD", "--from", "2026-01-02", "--to", "2026-01-01"], 2, "--to must be later"
    ),
    "two_begins": (
        ["candles", "bitmex_perpetual", "XBTUSD", "--from", "2026-01-02", "--last", "3"], 2, "--from and --last both"
    ),
    "out": (["candles", "bitmex_perpetual", "XBTUSD", "--out", "no/x.csv"], 2, "there is no folder no"),
    "both": (["orders", "bitmex", "--url", "http://127.0.0.1:1", "--config", "c.yaml"], 2, "name two exchanges"),
    "path": (["orders", "bitmex", "--url", "http://127.0.0.1:1/api/v1"], 2, "no base without a path; write it as http"),
    "scheme": (["orders", "bitmex", "--url", "127.0.0.1:1"], 2, "write it as http://127.0.0.1:8080"),
    "config": (["orders", "bitmex", "--config", "none.yaml"], 2, 'error[HB100] config file "none.yaml" not found'),
    "nobody": (["orders", "bitmex", "--url", "http://127.0.0.1:1"], 4, "error[HB432] no simulator at http://127.0.0.1:1"),
    "testnet": (["balances", "bitmex_testnet"], 4, ADVICE),
}  # fmt: skip


@pytest.mark.parametrize(("words", "code", "text"), WRONG.values(), ids=WRONG)
def test_wrong_words_get_one_line_with_the_way_out(bench, words, code, text):
    done = bench.hbkit(*words, "--json")
    assert done.code == code
    assert text in done.err
    assert done.err.count("\n") == 1
    assert done.json["exit_code"] == code


def test_a_market_that_is_not_listed_there_is_told_with_those_that_are(bench, url, monkeypatch):
    async def listed(_):
        return ["XBTUSD", "XBTUSDT"]  # a venue that delisted the others; the simulator lists all that we know

    monkeypatch.setattr(BitmexExchange, "listed", listed)
    done = bench.hbkit("book", "bitmex_perpetual", "ETHUSD", "--url", url)
    assert done.code == 2
    assert done.err == "error[HB401] ETHUSD is not listed at bitmex_perpetual now; listed: XBTUSD, XBTUSDT\n"


def test_a_server_that_is_no_simulator_is_told(bench):
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        server.timeout = 10
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        done = bench.hbkit("book", "bitmex_perpetual", "XBTUSD", "--url", f"http://127.0.0.1:{server.server_port}")
        thread.join()
    assert done.code == 4
    assert "error[HB432] no simulator at http://127.0.0.1:" in done.err


def test_a_reader_that_goes_away_ends_in_silence(bench):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "hbkit", "instruments", "bitmex_perpetual"],
        cwd=bench.folder, env=environment(), stdout=write, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")
