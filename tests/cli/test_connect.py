"""connect and disconnect: what is asked, what the exchange says to it, what is kept, and who may use it."""

from __future__ import annotations

import http.server
import io
import json
import os
import pty
import sys
import threading
from pathlib import Path

import keyring
import pytest
from keyring.backends import fail

from tests.cli.serving import simulator
from tests.workbench import environment

KEY, SECRET = "canary-key-of-mine-7q", "canary-secret-of-mine"
ASKED = ["Enter your bitmex API key >>> ", "Enter your bitmex secret key >>> "]
CLOSED = "error[HB437] BitMEX closed on 2026-09-23"


ACCOUNTS = f"""
accounts:
  - keys:
      - {{key: {KEY}, secret: {SECRET}, permissions: [order]}}
      - {{key: far-away-key, secret: {SECRET}, permissions: [order], cidrs: [10.0.0.0/8]}}
      - {{key: switched-off-key, secret: {SECRET}, permissions: [order], enabled: false}}
      - {{key: withdrawing-key, secret: {SECRET}, permissions: [order, withdraw]}}
      - {{key: reading-key, secret: {SECRET}}}
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """A simulator that knows our keys."""
    accounts = tmp_path_factory.mktemp("accounts") / "accounts.yaml"
    accounts.write_text(ACCOUNTS)
    with simulator("--account", f"@{accounts}") as there:
        yield there


@pytest.fixture(autouse=True)
def _place_of_its_own(tmp_path, monkeypatch):
    """The keys of whoever runs the tests are neither read nor written."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setenv("HBKIT_PASSWORD", "tulip")
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    yield
    keyring.set_keyring(before)


@pytest.fixture
def typed(bench, monkeypatch):
    """Runs a command with these lines on standard input."""

    def run(*words, lines=()):
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return bench.hbkit(*words)

    return run


def kept_files(tmp_path):
    return sorted(path.name for path in (tmp_path / "settings").rglob("*.json"))


# -- a key that is good


def test_spot_asks_for_key_and_secret_and_keeps_what_the_exchange_confirms(typed, url, tmp_path):
    done = typed("connect", "bitmex", "--rest-url", f"{url}/api/v1", lines=(KEY, SECRET))
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[:3] == [*ASKED, "You are now connected to bitmex"]
    assert "may order" in lines[3]
    assert "key ending ..7q" in lines[3]
    listed = typed("connect", "--list").out.splitlines()
    assert listed[1].split()[:2] == ["bitmex", url.removeprefix("http://")]
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"canary" not in everything
    assert "canary" not in done.out


def test_perpetual_asks_for_the_account_too_which_may_be_left_out_or_must_be_right(typed, url):
    where = ("connect", "bitmex_perpetual", "--rest-url", url)  # the venue's own path is added
    done = typed(*where, lines=(KEY, SECRET, ""))
    assert done.out.splitlines()[2:4] == [
        "Enter your bitmex_perpetual user id >>> ",
        "You are now connected to bitmex_perpetual",
    ]
    account = done.out.splitlines()[4].split()[1]
    assert typed(*where, lines=(KEY, SECRET, account)).code == 0
    wrong = typed(*where, lines=(KEY, SECRET, "77"))
    assert wrong.code == 4
    assert wrong.err.startswith(f"error[HB430] the key belongs to account {account}, not to 77; a sub-account")


def test_paper_asks_nothing(typed, tmp_path):
    done = typed("connect", "bitmex_paper_trade")
    assert done.code == 0
    assert done.out.splitlines()[0] == "You are now connected to bitmex_paper_trade"
    assert kept_files(tmp_path) == []


def test_a_key_that_is_kept_is_used_by_hand_and_by_runs_at_its_host(typed, bench, url):
    assert typed("connect", "bitmex", "--rest-url", url, lines=(KEY, SECRET)).code == 0
    mine = typed("balances", "bitmex", "--url", url, "--json").json["account"]
    assert typed("disconnect", "bitmex").code == 0
    assert typed("balances", "bitmex", "--url", url, "--json").json["account"] != mine


def test_forgotten_is_gone(typed, url, tmp_path):
    typed("connect", "bitmex", "--rest-url", url, lines=(KEY, SECRET))
    done = typed("disconnect", "bitmex")
    assert (done.code, kept_files(tmp_path)) == (0, [])
    again = typed("disconnect", "bitmex")
    assert again.code == 2
    assert again.err.startswith("error[HB001] no key of bitmex is kept")


def test_a_secret_that_is_typed_at_a_terminal_is_not_shown(url, tmp_path):
    words = [sys.executable, "-m", "hbkit", "connect", "bitmex", "--rest-url", url]
    environ = environment() | {"XDG_CONFIG_HOME": str(tmp_path / "settings")}
    environ |= {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    environ.pop("HBKIT_PASSWORD", None)
    pid, terminal = pty.fork()
    if not pid:
        os.execve(words[0], words, environ)
    shown = b""
    for question, answer in (
        (b"API key >>> ", KEY), (b"secret key >>> ", SECRET), (b"saves asking) >>> ", "rose"), (b"again >>> ", "rose")
    ):  # fmt: skip
        while not shown.endswith(question):
            shown += os.read(terminal, 1000)
        os.write(terminal, f"{answer}\n".encode())
    while True:
        try:
            more = os.read(terminal, 1000)
        except OSError:
            break
        if not more:
            break
        shown += more
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert b"You are now connected to bitmex" in shown
    assert KEY.encode() in shown
    assert SECRET.encode() not in shown
    assert b"rose" not in shown


# -- a key that is not


@pytest.mark.parametrize(
    ("lines", "part"),
    [
        ((KEY, "another-secret"), "(Signature not valid.): the key is known, but the secret is not the one"),
        (("another-key", SECRET), "(Invalid API Key.): there is no such key at 127.0.0.1:"),
        (("far-away-key", SECRET), "(Access Denied): the key allows other addresses than this machine's"),
        (("switched-off-key", SECRET), "(This key is disabled.): the key is switched off"),
    ],
    ids=["secret", "key", "address", "disabled"],
)
def test_a_refusal_says_which_part_is_wrong_and_nothing_is_kept(typed, url, tmp_path, lines, part):
    done = typed("connect", "bitmex", "--rest-url", url, lines=lines)
    assert done.code == 4
    assert done.err.startswith("error[HB430] BitMEX refused the key ending ..")
    assert part in done.err
    assert "How to create API keys" in done.err
    assert kept_files(tmp_path) == []
    assert SECRET not in done.err


@pytest.mark.parametrize(
    ("key", "warning"),
    [
        ("withdrawing-key", "warning: the key may withdraw money, which no bot needs"),
        ("reading-key", "warning: the key may only read: orders will be refused"),
    ],
)
def test_a_key_that_may_too_much_or_too_little_is_kept_with_a_warning(typed, url, key, warning):
    done = typed("connect", "bitmex", "--rest-url", url, lines=(key, SECRET))
    assert done.code == 0
    assert done.err.startswith(warning)


def test_a_host_that_is_not_there_is_named(typed):
    done = typed("connect", "bitmex", "--rest-url", "http://127.0.0.1:9", lines=(KEY, SECRET))
    assert done.code == 4
    assert done.err.startswith("error[HB432] cannot reach 127.0.0.1:9: ")


class Page(http.server.BaseHTTPRequestHandler):
    """A web server that is no exchange."""

    def do_GET(self):
        self.send_response(int(self.path.split("/")[1]))
        self.end_headers()
        self.wfile.write(b"<html>hello</html>")

    def log_message(self, *_):
        """In silence."""


@pytest.mark.parametrize("status", [200, 404, 403])
def test_a_host_of_another_kind_is_told_from_a_bad_key(typed, status):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever).start()
    try:
        there = f"http://127.0.0.1:{server.server_port}/{status}"
        done = typed("connect", "bitmex", "--rest-url", there, lines=(KEY, SECRET))
    finally:
        server.shutdown()
        server.server_close()
    assert done.code == 4
    assert done.err.startswith(f"error[HB432] 127.0.0.1:{server.server_port} does not answer as BitMEX does")


# -- nothing is asked


@pytest.mark.parametrize("name", ["bitmex", "bitmex_perpetual", "bitmex_testnet", "bitmex_perpetual_testnet"])
def test_the_venue_that_closed_is_named_before_anything_is_asked(typed, name):
    done = typed("connect", name)
    assert (done.code, done.out) == (4, "")
    assert done.err.startswith(CLOSED)
    assert f"To verify a key against a simulator: hbkit connect {name} --" in done.err


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("connect",), "name an exchange"),
        (("connect", "bitmx"), 'did you mean "bitmex"?'),
        (("connect", "bitmex", "--mode", "paper"), "'paper' is not one of"),
        (("connect", "bitmex_testnet", "--mode", "live"), 'bitmex_testnet has no mode "live"'),
        (("connect", "bitmex", "--rest-url", "host/api"), "is no base of a REST interface"),
        (("connect", "bitmex", "--rest-url", "http://a:b@host/"), "never written on the command line"),
        (("disconnect", "../../etc/passwd"), "is no name of an exchange"),
    ],
    ids=lambda value: None if isinstance(value, str) else " ".join(value),
)
def test_a_wrong_word_is_said(typed, words, part):
    done = typed(*words)
    assert done.code == 2
    assert part in done.err


@pytest.mark.parametrize(("lines", "part"), [((), "standard input ended"), ((KEY, ""), "there was no answer to")])
def test_answers_that_are_missing_are_named(typed, url, lines, part):
    done = typed("connect", "bitmex", "--rest-url", url, lines=lines)
    assert done.code == 2
    assert part in done.err
    assert "nothing was kept" in done.err


# -- keys go to their host alone


LIVE = """
exchanges:
  bitmex: {{mode: live, rest_url: {rest}, ws_url: {ws}}}
strategies: [{{use: one, instruments: [XBT_USDT]}}]
"""


def test_a_run_elsewhere_does_not_get_the_key(typed, bench, url):
    assert typed("connect", "bitmex", "--rest-url", url, lines=(KEY, SECRET)).code == 0
    bench.strategy("def on_start(self): ...")
    bench.write("c.yaml", LIVE.format(rest="http://127.0.0.1:9/api/v1", ws="ws://127.0.0.1:9/realtime"))
    done = typed("run", "c.yaml", "--for", "1s")
    assert done.code == 2
    assert f"the key of bitmex was verified at {url.removeprefix('http://')}, and exchanges.bitmex" in done.err
    assert "hbkit connect bitmex --rest-url http://127.0.0.1:9/api/v1" in done.err


def test_a_live_run_at_its_host_trades_with_the_key_that_is_kept(typed, bench, url):
    assert typed("connect", "bitmex", "--rest-url", url, lines=(KEY, SECRET)).code == 0
    bench.strategy("def on_start(self): self.log.info('here', total=self.balance('USDT').total)")
    websocket = f"ws{url.removeprefix('http')}/realtime"
    bench.write("c.yaml", LIVE.format(rest=f"{url}/api/v1", ws=websocket))
    done = bench.process("run", "c.yaml", "--for", "1s", "--json", "--no-view")
    assert done.code == 0, done.err
    assert json.loads(done.out.splitlines()[-1])["mode"] == "live"
    everything = b"".join(path.read_bytes() for path in Path().rglob("*") if path.is_file())
    assert SECRET.encode() not in everything
    assert SECRET not in done.out + done.err


def test_a_wrong_password_starts_nothing(typed, bench, url, monkeypatch):
    assert typed("connect", "bitmex", "--rest-url", url, lines=(KEY, SECRET)).code == 0
    monkeypatch.setenv("HBKIT_PASSWORD", "rose")
    done = typed("balances", "bitmex", "--url", url)
    assert done.code == 2
    assert "wrong password" in done.err
