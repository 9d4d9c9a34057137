"""Starts that an account, a host or a config does not allow: one message with the mend, an exit code, and no order.

Each run is one against a simulator process that stands for a host of its own (`mode: testnet` with addresses).
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from hbkit.clock import SECOND, WallClock
from tests.workbench import Bench, environment

ACCOUNTS = ("mine", "hedged", "busy", "holding", "isolated")
CONFIG = """
exchanges:
  {name}:
    mode: testnet
    rest_url: "{base}/api/v1"
    ws_url: "{ws}/realtime"
    api_key: {key}
    api_secret: "${{S}}"
    {more}
strategies:
  - {{use: one, exchange: {name}, instruments: [{symbol}]}}
run: {{duration: 1s}}
"""
STRATEGY = """
def on_quote(self, quote):
    if not self.orders:
        self.buy(100, quote.bid - 50)
"""


class Host:
    """A simulator process, and what its accounts hold."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.name = base.removeprefix("http://")

    def orders(self) -> list[str]:
        """Client ids of all orders of all accounts."""
        with urllib.request.urlopen(f"{self.base}/control/truth") as answer:
            return [order["clOrdID"] for account in json.load(answer)["accounts"] for order in account["orders"]]


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    words = [sys.executable, "-m", "hbkit", "simulator", "bitmex"]
    for name in ACCOUNTS:
        words += ["--account", f"{name}:{name}-secret"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        try:
            yield Host(process.stdout.readline().split("rest=")[1].split("/api/v1")[0])
        finally:
            process.terminate()


@pytest.fixture
def bench(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    made = Bench(tmp_path, capsys)
    made.strategy(STRATEGY)
    return made


@pytest.fixture
def started(bench, host, monkeypatch):
    """Runs a config that differs from a sound one in what is given; returns exit code and the one line of stderr."""

    def run(secret=None, base=None, key="mine", name="bitmex_perpetual", symbol="XBTUSD", more="", all_lines=False):
        monkeypatch.setenv("S", f"{key}-secret" if secret is None else secret)
        there = base or host.base
        ws = there.replace("http", "ws", 1)
        path = bench.write("c.yaml", CONFIG.format(name=name, base=there, ws=ws, key=key, symbol=symbol, more=more))
        if key is None:
            path.write_text(re.sub(r"    api_(key|secret).*\n", "", path.read_text()))
        before = host.orders()
        done = bench.hbkit("run", "c.yaml", "--no-view", "--json")
        assert host.orders() == before, "an order was sent"
        assert done.json["exit_code"] == done.code
        assert "-secret" not in done.out + done.err
        assert bench.run_folders == [], "a start that is refused leaves no run"
        said = done.err.rstrip()
        return done.code, said if all_lines else said.splitlines()[-1], done.json["error"]["code"]

    return run


KEYS = {
    "unknown": (
        {"key": "nobody"},
        "error[HB430] BitMEX refused the key ending ..dy (Invalid API Key.): there is no such key at {host}; look for "
        "a piece that was not copied, or for a key of another network (a testnet key is unknown on the main one, and "
        "the other way round)",
    ),
    "wrong_secret": (
        {"secret": "another-secret-altogether"},
        "error[HB430] BitMEX refused the key ending ..ne (Signature not valid.): the key is known, but the secret is "
        "not the one that belongs to it",
    ),
}


@pytest.mark.parametrize(("changes", "text"), KEYS.values(), ids=KEYS)
def test_a_key_that_is_refused_is_told_with_what_that_means(started, host, changes, text):
    assert started(**changes) == (4, text.format(host=host.name), "HB430")


@pytest.mark.parametrize(("seconds", "way"), [(-41, "behind"), (3600, "ahead of")])
def test_a_clock_that_is_far_off_is_told_with_how_to_set_it(started, monkeypatch, seconds, way):
    right = WallClock.now
    monkeypatch.setattr(WallClock, "now", lambda self: right(self) + seconds * SECOND)
    assert started() == (
        4,
        f"error[HB431] this machine's clock is {abs(seconds)} s {way} bitmex_perpetual's; set it (timedatectl set-ntp "
        "true)",
        "HB431",
    )


NOBODY = {
    "refused": ("http://127.0.0.1:1", "no connection (Connect call failed ('127.0.0.1', 1)); it was not sent"),
    "name": ("http://no-such-host.invalid", "the server's name cannot be resolved; it was not sent"),
}


@pytest.mark.parametrize(("base", "reason"), NOBODY.values(), ids=NOBODY)
def test_a_host_that_cannot_be_reached_is_named(started, base, reason):
    assert started(base=base) == (
        4,
        f"error[HB432] cannot reach {base.removeprefix('http://')}: GET /api/v1/: {reason}; offline? mode: simulator "
        "needs no network",
        "HB432",
    )


FOUND_BEFORE = {
    "unknown_symbol": (
        {"symbol": "BTCUSD"},
        'error[HB401] c.yaml:10:58 bitmex_perpetual has no instrument "BTCUSD"; did you mean "XBTUSD"?',
    ),
    "misspelt_future": (
        {"symbol": "XBTZ71"},
        'error[HB401] c.yaml:10:58 bitmex_perpetual has no instrument "XBTZ71"; did you mean "XBTZ26"?',
    ),
    "settled_future": (
        {"symbol": "XBTZ17"},
        "error[HB402] c.yaml:10:58 XBTZ17 settled on 2017-12-29; open XBT futures: XBTK26, XBTM26, XBTU26, XBTZ26",
    ),
    "settled_kind": (
        {"symbol": "LTCU21"},
        "error[HB402] c.yaml:10:58 LTCU21 settled on 2021-09-24; there are no LTC futures any more",
    ),
    "gone": (
        {"symbol": "ALTMEXUSD"},
        "error[HB402] c.yaml:10:58 ALTMEXUSD is not listed any more; it was on 2021-07-22",
    ),
    "spot_elsewhere": (
        {"symbol": "XBT_USDT"},
        "error[HB403] c.yaml:10:58 XBT_USDT is spot; use the exchange bitmex for it",
    ),
    "spot_in_hedge_mode": (
        {"name": "bitmex", "symbol": "XBT_USDT", "more": "position_mode: hedge"},
        "error[HB403] c.yaml:8:20 position_mode is for perpetuals; XBT_USDT is spot",
    ),
    "spot_on_margin": (
        {"name": "bitmex", "symbol": "XBT_USDT", "more": "margin: {leverage: 2}"},
        "error[HB403] c.yaml:8:24 margin is for perpetuals; XBT_USDT is spot",
    ),
    "capped_in_hedge_mode": (
        {"symbol": "P_POWELLK26", "more": "position_mode: hedge"},
        "error[HB420] c.yaml:8:20 P_POWELLK26 is capped: hedge mode does not apply; leave position_mode out",
    ),
    "leverage": (
        {"more": "margin: {leverage: 250}"},
        "error[HB413] c.yaml:8:24 leverage 250 > 100 allowed for XBTUSD",
    ),
}


@pytest.mark.parametrize(("changes", "text"), FOUND_BEFORE.values(), ids=FOUND_BEFORE)
def test_what_a_config_tells_by_itself_is_refused_before_anything_is_sent(started, changes, text):
    # Nobody listens there: that it is refused for another reason shows that nobody was asked.
    assert started(base="http://127.0.0.1:1", **changes) == (2, text, text[6:11])


# -- what the account says


def call(host: Host, key: str, verb: str, route: str, **body: object) -> Any:
    """Somebody by hand, with the same key."""
    target, text = f"/api/v1{route}", json.dumps(body) if body else ""
    at = str(WallClock().now() // SECOND + 30)
    digest = hmac.new(f"{key}-secret".encode(), f"{verb}{target}{at}{text}".encode(), hashlib.sha256).hexdigest()
    headers = {"api-key": key, "api-expires": at, "api-signature": digest, "Content-Type": "application/json"}
    asked = urllib.request.Request(f"{host.base}{target}", text.encode() or None, headers, method=verb)
    with urllib.request.urlopen(asked) as answer:
        return json.load(answer)


LIMIT = {"symbol": "XBTUSD", "ordType": "Limit", "side": "Buy", "orderQty": 100, "price": 100, "clOrdID": "by-hand"}
MARKET = {"symbol": "XBTUSD", "ordType": "Market", "side": "Sell", "orderQty": 200, "clOrdID": "by-hand-2"}


def test_orders_in_the_way_of_the_configs_position_mode_are_told(started, host):
    call(host, "busy", "POST", "/order", **LIMIT)
    assert started(key="busy", more="position_mode: hedge") == (
        4,
        "error[HB420] the account of bitmex_perpetual is in one_way mode, the config says hedge; 1 open order prevents "
        "the switch (Cannot change position mode with open orders). Use position_mode: one_way, or close what is in "
        "the way and run hbkit position-mode bitmex_perpetual hedge",
        "HB420",
    )
    assert call(host, "busy", "GET", "/user")["positionMode"] == "OneWay"


def test_an_isolated_position_in_the_way_is_told(started, host):
    call(host, "isolated", "POST", "/order", **MARKET)
    call(host, "isolated", "POST", "/position/isolate", symbol="XBTUSD", enabled=True)
    code, told, error = started(key="isolated", more="position_mode: hedge")
    assert (code, error) == (4, "HB420")
    assert "the config says hedge; an isolated position prevents the switch (" in told


def test_an_account_in_hedge_mode_that_the_config_wants_one_way_is_told(started, host):
    call(host, "hedged", "POST", "/user/positionMode", positionMode="MultiWay")
    call(host, "hedged", "POST", "/order", **LIMIT, strategy="Long")
    code, told, error = started(key="hedged", more="position_mode: one_way")
    assert (code, error) == (4, "HB420")
    assert told.startswith(
        "error[HB420] the account of bitmex_perpetual is in hedge mode, the config says one_way; 1 open order prevents "
    )
    assert told.endswith("run hbkit position-mode bitmex_perpetual one_way")


def test_what_is_found_on_the_account_is_shown_with_the_ways_out(started, host):
    call(host, "holding", "POST", "/order", **LIMIT)
    call(host, "holding", "POST", "/order", **MARKET)
    code, told, error = started(key="holding", all_lines=True)
    assert (code, error) == (4, "HB421")
    assert told[told.index("error[") :] == (
        "error[HB421] the account of bitmex_perpetual is not empty:\n"
        "  order buy 100 XBTUSD at 100 (by-hand, not this bot's)\n"
        "  position XBTUSD net -200\n"
        "start refused; choose --on-existing adopt (go on with the bot's own orders, take the positions over), cancel "
        "(take all orders away, take the positions over) or ignore, or set state: {on_existing: ...}"
    )


def test_a_key_that_is_kept_for_another_host_goes_nowhere(started, host, monkeypatch, bench):
    monkeypatch.setenv("HBKIT_PASSWORD", "tulip")
    monkeypatch.setattr(sys, "stdin", io.StringIO("mine\nmine-secret\n\n"))
    kept = bench.hbkit("connect", "bitmex_perpetual", "--rest-url", host.base)
    assert kept.code == 0, kept.err
    code, told, error = started(base="http://127.0.0.1:1", key=None)
    assert (code, error) == (2, "HB430")
    assert told == (
        f"error[HB430] the key of bitmex_perpetual was verified at {host.name}, and exchanges.bitmex_perpetual trades "
        "at 127.0.0.1:1; run: hbkit connect bitmex_perpetual --rest-url http://127.0.0.1:1/api/v1"
    )
