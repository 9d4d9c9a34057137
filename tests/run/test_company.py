"""Exchange blocks that contradict each other are told before anything starts, at the place of the later one."""

import pytest

from tests.workbench import Bench

CONFIG = """
exchanges:
  bitmex: {first}
  bitmex_perpetual: {second}
strategies:
  - {{use: one, exchange: bitmex, instruments: [XBT_USDT, {{exchange: bitmex_perpetual, symbol: XBTUSDT}}]}}
"""
IDLE = "def on_trade(self, trade): pass"
LIVE = "{mode: live, rest_url: 'http://h/api/v1', ws_url: 'ws://h/realtime', api_key: k, api_secret: s}"


@pytest.mark.parametrize(
    ("first", "second", "place", "told"),
    [
        (
            "{mode: replay}", "{mode: simulator}", "3:21",
            "a config replays all of its exchanges or none, and bitmex_perpetual is in mode simulator beside bitmex",
        ),
        ("{simulator: {speed: 15}}", LIVE, "2:31", "bitmex plays at 15 times the speed of time and bitmex_perp"),
        (
            "{simulator: {start: 2019-05-28T22:00:00Z}}", "{simulator: {start: 2019-05-29}}", "3:41",
            "share one simulator, and bitmex has simulator.start 2019-05-28T22:00:00.000Z for both; write",
        ),
        ("{simulator: {speed: 15}}", "{simulator: {speed: 1}}", "3:41", "bitmex has simulator.speed 15 for both"),
        (
            "{mode: simulator, latency: 5ms}", "{mode: simulator, latency: 0s}", "3:48",
            "bitmex has latency 5ms for both",
        ),
    ],
)  # fmt: skip
def test_contradictions_are_told(bench: Bench, first: str, second: str, place: str, told: str) -> None:
    bench.strategy(IDLE)
    bench.write("c.yaml", CONFIG.format(first=first, second=second))
    checked = bench.hbkit("check", "c.yaml")
    assert checked.code == 2
    assert f"error[HB114] c.yaml:{place} " in checked.err
    assert told in checked.err
    assert bench.left_behind == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{simulator: {speed: 15}}", "{simulator: {speed: 15, seed: 3}}"),
        ("{simulator: {url: 'http://127.0.0.1:1', speed: 2}}", "{simulator: {speed: 15}}"),
        ("{simulator: {start: 2019-05-28}}", "{mode: paper, latency: 5ms}"),
    ],
)
def test_what_one_says_and_the_other_leaves_out_is_no_contradiction(bench: Bench, first: str, second: str) -> None:
    bench.strategy(IDLE)
    bench.write("c.yaml", CONFIG.format(first=first, second=second))
    checked = bench.hbkit("check", "c.yaml")
    assert (checked.code, checked.err) == (0, "")


def test_what_only_the_second_says_of_the_shared_simulator_is_heard(bench: Bench) -> None:
    bench.strategy(IDLE)
    bench.write("c.yaml", CONFIG.format(first="", second="{simulator: {start: 2019-05-28T22:00:00Z, speed: 10}}"))
    ran = bench.hbkit("run", "c.yaml", "--virtual", "--for", "3s", "--json", "--no-view")
    assert ran.code == 0, ran.err
    # Three seconds at ten times the speed.
    assert (ran.json["started"], ran.json["stopped"][:19]) == ("2019-05-28T22:00:00.000Z", "2019-05-28T22:00:30")


OTHER = """
from dataclasses import replace

from hbkit_bitmex import plugin

from hbkit import hookimpl


@hookimpl
def hbkit_exchanges():
    spec = plugin.hbkit_exchanges()["bitmex_perpetual"]
    return {"other": replace(spec, name="other", connector="elsewhere:Exchange")}
"""


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("", "bitmex_perpetual (other) and bitmex (bitmex) are one account through two connectors"),
        (", api_key: mine, api_secret: ${SECRET:-x}", ""),
    ],
    ids=["one", "two"],
)
def test_one_account_has_one_connector(bench: Bench, key: str, told: str) -> None:
    bench.strategy(IDLE)
    bench.write("other.py", OTHER)
    second = f'{{plugin: other, mode: simulator{key}}}'.replace("${SECRET:-x}", '"${SECRET:-x}"')
    config = CONFIG.format(first="{mode: simulator}", second=second)
    bench.write("c.yaml", f"{config}plugins: {{load: [other.py]}}\n")
    checked = bench.hbkit("check", "c.yaml")
    assert (checked.code, told in checked.err) == (2 if told else 0, True)
