"""Which server ccxt speaks to when the config names another one."""

from __future__ import annotations

import ccxt.pro
import pytest
from hbkit_ccxt.urls import redirect

from hbkit.errors import ConfigError


def moved(venue, rest, socket):
    api = getattr(ccxt.pro, venue)()
    redirect(api, rest, socket)
    return api.urls["api"]


@pytest.mark.skipif("bitmex" not in ccxt.exchanges, reason="this ccxt has no bitmex")
@pytest.mark.parametrize("rest", ["http://127.0.0.1:8080", "http://127.0.0.1:8080/", "http://127.0.0.1:8080/api/v1"])
@pytest.mark.parametrize("socket", ["ws://127.0.0.1:8080", "ws://127.0.0.1:8080/realtime"])
def test_a_path_that_ccxt_adds_itself_may_stand_in_the_config_or_not(rest, socket):
    assert moved("bitmex", rest, socket) == {
        "public": "http://127.0.0.1:8080",
        "private": "http://127.0.0.1:8080",
        "ws": "ws://127.0.0.1:8080/realtime",
    }


def test_all_hosts_of_a_venue_become_one_and_paths_stay():
    found = moved("binance", "https://gateway.example", "wss://sockets.example:9443")
    assert found["public"] == "https://gateway.example/api/v3"
    assert found["fapiPrivate"] == "https://gateway.example/fapi/v1"
    assert found["dapiPublic"] == "https://gateway.example/dapi/v1"
    texts = [*leaves(found)]
    assert len(texts) > 30
    hosts = {text.split("/")[2] for text in texts}
    assert hosts == {"gateway.example", "sockets.example:9443"}


def test_a_path_of_ones_own_stands_before_those_of_ccxt():
    found = moved("binance", "https://gateway.example/binance", "")
    assert found["public"] == "https://gateway.example/binance/api/v3"


def test_hosts_that_ccxt_writes_with_a_variable_are_replaced_too():
    found = moved("okx", "http://127.0.0.1:1", "ws://127.0.0.1:2")
    assert found["rest"] == "http://127.0.0.1:1"
    assert {text.split("/")[2] for text in leaves(found)} == {"127.0.0.1:1", "127.0.0.1:2"}


def test_what_is_not_given_stays():
    before = [*leaves(ccxt.pro.okx().urls["api"])]
    assert [*leaves(moved("okx", "", ""))] == before


@pytest.mark.parametrize(
    "bad", ["gateway.example", "ws://gateway.example", "http://", "https://user:pw@gateway.example"]
)
def test_an_address_that_is_none_is_refused(bad):
    with pytest.raises(ConfigError, match="rest_url"):
        moved("okx", bad, "")


def leaves(node):
    if isinstance(node, dict):
        for one in node.values():
            yield from leaves(one)
    elif isinstance(node, str):
        yield node
