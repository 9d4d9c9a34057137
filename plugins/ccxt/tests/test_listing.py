"""Instruments of an exchange that has to be asked: asked over HTTP, kept in a file, read from there again."""

from __future__ import annotations

import asyncio
import json
import threading
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import ccxt
import pytest
from hbkit_ccxt.listing import listed

from hbkit.clock import DAY, HOUR, parse_time
from hbkit.errors import ExchangeError
from hbkit.exchange import ListingRequest

TOLD = parse_time("2026-01-01T00:00:00Z")
PAIR = {
    "altname": "XBTUSDT", "wsname": "XBT/USDT", "aclass_base": "currency", "base": "XXBT", "aclass_quote": "currency",
    "quote": "USDT", "lot": "unit", "cost_decimals": 8, "pair_decimals": 1, "lot_decimals": 8, "lot_multiplier": 1,
    "leverage_buy": [], "leverage_sell": [], "fees": [[0, 0.25]], "fees_maker": [[0, 0.16]],
    "fee_volume_currency": "ZUSD", "margin_call": 80, "margin_stop": 40, "ordermin": "0.00005", "costmin": "0.5",
    "tick_size": "0.1", "status": "online",
}  # fmt: skip
ASSETS = {
    "XXBT": {"aclass": "currency", "altname": "XBT", "decimals": 10, "display_decimals": 5, "status": "enabled"},
    "USDT": {"aclass": "currency", "altname": "USDT", "decimals": 8, "display_decimals": 4, "status": "enabled"},
}


class Clock:
    def __init__(self, now=TOLD):
        self.ts = now

    def now(self):
        return self.ts


class Venue:
    """Kraken's public routes on loopback, as far as its markets go."""

    def __init__(self):
        self.pairs = {"XBTUSDT": PAIR}
        self.status = 200
        self.asked = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                body = json.dumps(outer.answer(self.path)).encode()
                self.send_response(outer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=lambda: self.server.serve_forever(0.01))
        self.thread.start()

    def answer(self, path):
        result = self.pairs if "AssetPairs" in path else ASSETS if "Assets" in path else {"unixtime": 1}
        return {"error": [], "result": result}

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def venue():
    served = Venue()
    yield served
    served.close()


@pytest.fixture
def request_for(tmp_path, venue):
    def make(**values):
        told = {"feed": "live", "rest_url": venue.url, "folder": tmp_path / "markets", "clock": Clock(), "max_age": DAY}
        return ListingRequest("ccxt:kraken", **{**told, **values})

    return make


def test_a_venue_is_asked_once_and_then_its_file_is_read(request_for, venue, tmp_path):
    (one,) = listed(request_for())
    assert (one.symbol, one.unified, one.tick_size, one.lot_size) == (
        "XBTUSDT",
        "BTC/USDT",
        Decimal("0.1"),
        Decimal("1E-8"),
    )
    assert (one.min_qty, one.min_cost) == (Decimal("0.00005"), Decimal("0.5"))
    assert (one.maker_fee, one.taker_fee) == (Decimal("0.0016"), Decimal("0.0025"))
    asked = len(venue.asked)
    assert listed(request_for()) == [one]
    assert listed(request_for(may_ask=False))[0].min_cost == Decimal("0.5")
    assert len(venue.asked) == asked
    (file,) = (tmp_path / "markets").iterdir()
    held = json.loads(file.read_text())
    assert (held["exchange"], held["feed"], held["ccxt"]) == ("ccxt:kraken", "live", ccxt.__version__)
    assert held["told"].startswith("2026-01-01T00:00:00")


def test_it_may_be_asked_inside_a_running_loop(request_for):
    async def main():
        return listed(request_for())

    assert len(asyncio.run(main())) == 1


def test_an_old_list_is_asked_for_again(request_for, venue):
    listed(request_for())
    venue.pairs = {**venue.pairs, "ETHUSDT": {**PAIR, "altname": "ETHUSDT", "wsname": "ETH/USDT", "base": "XETH"}}
    assert len(listed(request_for(clock=Clock(TOLD + DAY - 1)))) == 1
    assert len(listed(request_for(clock=Clock(TOLD + DAY)))) == 2


def test_an_old_list_serves_with_a_warning_where_the_venue_is_out_of_reach(request_for, venue):
    listed(request_for())
    venue.status = 503
    warned = []
    (one,) = listed(request_for(clock=Clock(TOLD + 3 * DAY + HOUR), warn=warned.append))
    assert one.symbol == "XBTUSDT"
    (text,) = warned
    assert "ccxt:kraken did not tell its instruments" in text
    assert "kept 3 days ago (2026-01-01T00:00:00" in text


def test_one_that_is_wanted_now_is_not_made_up_for_by_an_old_list(request_for, venue):
    listed(request_for())
    venue.status = 503
    with pytest.raises(ExchangeError, match="did not tell its instruments"):
        listed(request_for(max_age=0))


def test_where_nothing_is_to_be_sent_an_old_list_serves_and_its_day_is_told(request_for, venue):
    listed(request_for())
    asked, warned = len(venue.asked), []
    assert len(listed(request_for(may_ask=False, clock=Clock(TOLD + 40 * DAY), warn=warned.append))) == 1
    assert len(venue.asked) == asked
    assert "its instruments are those of 2026-01-01T00:00:00" in warned[0]
    assert "run `hbkit instruments ccxt:kraken`" in warned[0]


def test_where_nothing_is_kept_and_nothing_is_to_be_sent_the_mend_is_a_command(request_for, venue):
    with pytest.raises(ExchangeError, match="run `hbkit instruments ccxt:kraken` once while online") as caught:
        listed(request_for(may_ask=False))
    assert caught.value.code == "HB443"
    assert venue.asked == []


def test_the_list_of_another_host_does_not_stand_in_for_the_venues(request_for, venue):
    listed(request_for())
    with pytest.raises(ExchangeError, match="none are kept"):
        listed(request_for(rest_url="", may_ask=False))


@pytest.mark.parametrize("text", ["", "{", '{"format": 0}', '{"format": 1, "told": "x", "markets": []}', "[1]"])
def test_a_broken_file_is_asked_for_anew(request_for, tmp_path, venue, text):
    listed(request_for())
    (file,) = (tmp_path / "markets").iterdir()
    file.write_text(text)
    assert len(listed(request_for())) == 1


def test_a_folder_that_cannot_be_written_costs_a_warning(request_for, tmp_path):
    (tmp_path / "markets").write_text("a file where a folder is wanted")
    warned = []
    assert len(listed(request_for(warn=warned.append))) == 1
    assert "could not be kept" in warned[0]


def test_a_venue_that_nothing_of_can_be_traded_says_why(request_for, venue):
    venue.pairs = {"XBTUSDT": {**PAIR, "status": "cancel_only"}}
    with pytest.raises(
        ExchangeError, match=r"ccxt:kraken has nothing that hbkit can trade: 1 not active; choose another"
    ):
        listed(request_for())


def test_an_answer_that_ccxt_cannot_read_is_told_as_that(request_for, venue):
    venue.pairs = {"XBTUSDT": 5}
    # Later releases of ccxt leave such a row out.
    with pytest.raises(ExchangeError, match=r"did not tell its instruments|it told none; choose"):
        listed(request_for())


def test_a_sandbox_that_is_not_there_is_refused_before_anything_is_sent(request_for, venue):
    with pytest.raises(ExchangeError, match="ccxt:kraken has no sandbox; mode: paper trades on its market") as caught:
        listed(request_for(feed="testnet", rest_url=""))
    assert (caught.value.code, venue.asked) == ("HB431", [])


def test_recorded_data_is_content_with_the_list_of_the_venue_itself(request_for, venue, tmp_path):
    listed(request_for())
    (file,) = (tmp_path / "markets").iterdir()
    file.rename(tmp_path / "markets" / "ccxt+kraken.live.json")
    assert len(listed(request_for(feed="data", rest_url="", may_ask=False, max_age=None))) == 1
