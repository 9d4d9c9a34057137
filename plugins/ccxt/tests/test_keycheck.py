"""A key is asked about once, signed, before it is kept: `hbkit connect ccxt:<id>`."""

from __future__ import annotations

import sys

import ccxt
import pytest
from aiohttp import web
from hbkit_ccxt.keycheck import verify

from hbkit.errors import AuthenticationError, ExchangeError
from hbkit.log import Secret
from hbkit.net.virtual import run_virtual

KRAKEN_MARKETS = {"error": [], "result": {}}


@pytest.fixture
def asked(connection, served):
    """Verifies a key at a small server; returns the answer or the error, and the paths that were asked for."""

    def play(venue, answer, fields=(), **more):
        paths = []

        async def handle(request):
            paths.append(request.path)
            return web.json_response(answer(request.path))

        async def main(loop):
            async with served("venue", handle):
                there = connection(loop.clock, "venue", name=f"ccxt:{venue}", **more)
                try:
                    return await verify(there, dict(fields))
                except ExchangeError as error:
                    return error

        told = run_virtual(main)
        return told, paths

    return play


def kraken(path):
    if path.endswith("/Balance") or path.endswith("/BalanceEx"):
        return {"error": [], "result": {"ZUSD": {"balance": "12.5", "hold_trade": "0"}}}
    if path.endswith("/Time"):
        return {"error": [], "result": {"unixtime": 0}}
    return KRAKEN_MARKETS


def test_a_key_that_the_venue_answers_is_good_and_what_was_not_proved_is_said(asked):
    told, paths = asked("kraken", kraken, api_secret=Secret("c2VjcmV0LXNlY3JldC1zZWNyZXQ="))
    assert told.account == "of the key ..77"
    assert told.permissions == ()
    assert told.warnings == ("ccxt does not tell what the key may do: give it no right to withdraw",)
    assert [path for path in paths if "/private/" in path] == [paths[-1]]  # one signed question, the last


def test_the_account_is_the_one_that_was_named(asked):
    told, _ = asked("kraken", kraken, {"account": "main desk"}, api_secret=Secret("c2VjcmV0LXNlY3JldC1zZWNyZXQ="))
    assert told.account == "main desk"


def test_a_key_that_is_refused_is_no_key(asked):
    def refuse(path):
        return {"error": ["EAPI:Invalid key"]} if "/private/" in path else kraken(path)

    told, _ = asked("kraken", refuse, api_secret=Secret("c2VjcmV0LXNlY3JldC1zZWNyZXQ="))
    assert isinstance(told, AuthenticationError)
    assert "Invalid key" in str(told)
    assert "c2VjcmV0" not in str(told)


@pytest.mark.skipif("bitmex" not in ccxt.exchanges, reason="this ccxt has no bitmex: 4.5.83 was the last")
@pytest.mark.parametrize(("secret", "code"), [("demo-secret", 0), ("another-secret", 4)])
def test_connect_keeps_what_a_simulator_confirms(tmp_path, monkeypatch, capsys, secret, code):
    import io

    import keyring
    from keyring.backends import fail

    from hbkit.cli import run_cli

    pytest.importorskip("hbkit_bitmex")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HBKIT_PASSWORD", "tulip")
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"demo\n{secret}\n"))
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    try:
        with pytest.raises(SystemExit) as left:
            run_cli(["connect", "ccxt:bitmex", "--mode", "simulator"])
    finally:
        keyring.set_keyring(before)
    printed = capsys.readouterr()
    assert left.value.code == code, printed.err
    kept = [path.name for path in (tmp_path / "hbkit/keys").glob("*")] if (tmp_path / "hbkit/keys").exists() else []
    assert kept == (["ccxt+bitmex.json"] if code == 0 else [])
    assert secret not in printed.out + printed.err
