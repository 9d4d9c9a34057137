"""From BitMEX to OKX before any money moves: `hbkit check --exchange ccxt:okx` over what OKX told, read by ccxt."""

from __future__ import annotations

import json
from pathlib import Path

import ccxt
import pytest
from hbkit_ccxt.listing import listed
from hbkit_ccxt.specs import spec_of

from hbkit.cli import run_cli
from hbkit.exchange import ListingRequest

pytest.importorskip("hbkit_bitmex")

CONFIG = """
exchanges: {main: {plugin: bitmex_perpetual, mode: simulator}}
strategies:
  - {use: maker.py, instruments: [SYMBOL], params: {qty: 100}}
risk: {max_position: 1000}
"""
MAKER = """
from hbkit import Param, Quote, Strategy

class Maker(Strategy):
    qty: float = Param(100, gt=0)

    def on_quote(self, quote: Quote) -> None:
        self.quote(bids=[(quote.bid, self.qty)], asks=[(quote.ask, self.qty)])
"""


def swap(base, quote, settle, size, counts, kind, tick, lot):
    """A row of OKX's `/api/v5/public/instruments`, as its documentation shows them."""
    return {
        "instType": "SWAP", "instId": f"{base}-{quote}-SWAP", "uly": f"{base}-{quote}", "instFamily": f"{base}-{quote}",
        "settleCcy": settle, "ctVal": size, "ctMult": "1", "ctValCcy": counts, "ctType": kind, "lever": "100",
        "tickSz": tick, "lotSz": lot, "minSz": lot, "maxLmtSz": "99999", "maxMktSz": "9999",
        "listTime": "1606468572000", "state": "live", "baseCcy": "", "quoteCcy": "", "expTime": "", "alias": "",
    }  # fmt: skip


ROWS = [
    swap("BTC", "USD", "BTC", "100", "USD", "inverse", "0.1", "1"),
    swap("BTC", "USDT", "USDT", "0.01", "BTC", "linear", "0.1", "0.01"),
    swap("ETH", "USDT", "USDT", "0.1", "ETH", "linear", "0.01", "0.01"),
]


@pytest.fixture
def told(tmp_path, monkeypatch, capsys):
    """OKX has told its instruments to a lister that asked; afterwards nobody may be asked any more."""
    monkeypatch.chdir(tmp_path)
    Path("maker.py").write_text(MAKER)

    def answer(self, params=None):
        markets = self.parse_markets(ROWS)
        return self.set_markets(markets)

    with monkeypatch.context() as asking:
        asking.setattr(ccxt.okx, "load_markets", lambda self, *_, **__: answer(self))
        assert len(listed(ListingRequest("ccxt:okx", "live", max_age=0))) == len(ROWS)

    def check(symbol, *words):
        Path("c.yaml").write_text(CONFIG.replace("SYMBOL", symbol))
        with pytest.raises(SystemExit) as left:
            run_cli(["check", "c.yaml", "--exchange", "ccxt:okx", "--json", *words])
        printed = capsys.readouterr()
        return left.value.code, json.loads(printed.out.splitlines()[-1])

    return check


def test_a_contract_of_a_dollar_becomes_one_of_a_hundred(told):
    code, said = told("XBTUSD")
    assert (code, said["faults"]) == (0, [])
    (market,) = said["markets"]
    assert (market["match"], market["there"]) == ("same", {"symbol": "BTC-USD-SWAP", "unified": "BTC/USD:BTC"})
    rows = {row["name"]: (row["here"], row["there"]) for row in market["rows"]}
    assert rows["qty counts"] == ("contract of 1 USD", "contract of 100 USD")
    assert rows["lot"] == ("100", "1")
    # 100 contracts of a dollar are one of a hundred; a position of 1000 dollars is ten of them.
    assert [(one["path"], one["alike"]) for one in market["quantities"]] == [
        ("strategies.maker.params.qty", "1"), ("risk.max_position", "10"),
    ]  # fmt: skip
    assert said["there"] == {"exchange": "ccxt:okx", "mode": "paper"}


def test_what_comes_closest_to_an_inverse_contract_that_is_not_there(told):
    code, said = told("ETHUSD")  # a quanto contract at BitMEX, settled in bitcoin
    assert code == 0
    (market,) = said["markets"]
    assert (market["match"], market["there"]["unified"]) == ("nearest", "ETH/USDT:USDT")
    assert any("settles in USDT" in text for text in said["changes"])


def test_on_the_venue_itself_it_takes_a_key_in_three_parts(told):
    _, said = told("XBTUSD", "--mode", "live", "--set", "exchanges.main.rest_url=http://h/api",
                   "--set", "exchanges.main.ws_url=ws://h/realtime")  # fmt: skip
    assert "exchanges.main: ccxt:okx needs a key: hbkit connect ccxt:okx" in said["changes"]
    assert "exchanges.main: ccxt:okx wants api_passphrase with the key" in said["changes"]
    code, said = told("XBTUSD", "--mode", "testnet", "--set", "exchanges.main.rest_url=http://h/api",
                      "--set", "exchanges.main.ws_url=ws://h/realtime")  # fmt: skip
    assert code == 4  # the sandbox has other instruments, and was not asked yet
    assert "run `hbkit check CONFIG --connect` once while online" in said["error"]["message"]
    assert [one.field for one in spec_of("ccxt:okx").prompts] == ["api_key", "api_secret", "api_passphrase"]
