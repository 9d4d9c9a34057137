"""Where a run may send something: to the chosen host and to no other; to the closed venue's own hosts, nothing.

The runs are processes of their own with an audit hook on sockets and names, in every Python that they start.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.workbench import environment

DEADLINE = 60.0
HOOK = """
import sys
SEEN = {seen!r}
WATCHED = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname",
           "socket.gethostbyaddr", "urllib.Request")
def seen(event, arguments):
    if event in WATCHED:
        what = arguments[1] if event in ("socket.connect", "socket.sendto") else arguments[:2]
        with open(SEEN, "a") as file:
            print(event, what, file=file)
sys.addaudithook(seen)
"""
ADVICE = (
    "error[HB437] BitMEX closed on 2026-09-23: trade against its simulator (mode: simulator, which is the default), or "
    "on another exchange by changing this block of the config; a host of your own is reached with rest_url and ws_url. "
    "Nothing was sent."
)
STRATEGY = """
from hbkit import Quote, Strategy


class One(Strategy):
    def on_quote(self, quote: Quote) -> None:
        self.quote(bids=[(quote.bid - 50, self.instrument.lot_size)])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a strategy, and the audit hook for every Python that is started with it on its path."""
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "one.py").write_text(STRATEGY)
    (tmp_path / "sitecustomize.py").write_text(HOOK.format(seen=str(tmp_path / "seen.txt")))
    return tmp_path


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    """Host and port of a simulator that stands for a testnet."""
    words = [sys.executable, "-m", "hbkit", "simulator", "bitmex", "--account", "mine:mine-secret"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split("rest=http://")[1].split("/api/v1")[0]
        finally:
            process.terminate()


def audited(folder: Path, *words: str, **environ: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """A command in `folder`, and every address and name that it or its children spoke to."""
    path = os.pathsep.join([str(folder), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, timeout=DEADLINE, check=False,
        env={**os.environ, "PYTHONPATH": path, "XDG_CONFIG_HOME": str(folder / "settings"), **environ},
    )  # fmt: skip
    seen = folder / "seen.txt"
    return done, seen.read_text().splitlines() if seen.exists() else []


@pytest.mark.parametrize("name", ["bitmex_perpetual", "bitmex_testnet"])
def test_a_testnet_run_speaks_to_the_chosen_host_and_to_no_other(folder: Path, host: str, name: str) -> None:
    symbol = "XBTUSD" if name == "bitmex_perpetual" else "XBT_USDT"
    (folder / "c.yaml").write_text(f"""
exchanges:
  {name}: {{mode: testnet, rest_url: "http://{host}/api/v1", ws_url: "ws://{host}/realtime",
            api_key: mine, api_secret: "${{S}}", dead_man_switch: 15s}}
strategies: [{{use: one, instruments: [{symbol}]}}]
""")
    # A proxy of the environment is somebody else too.
    elsewhere = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), "http://proxy.invalid:3128")
    done, seen = audited(
        folder, "-m", "hbkit", "run", "c.yaml", "--for", "1s", "--no-view", "--json", S="mine-secret", **elsewhere
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["mode"], result["orders"] > 0) == ("testnet", True)
    there = str(tuple(int(one) if one.isdigit() else one for one in host.split(":")))
    assert {line.partition(" ")[2] for line in seen if line.startswith("socket.connect")} == {there}
    assert [line for line in seen if there not in line] == []


CLOSED = {
    "bitmex": ("live", "testnet"),
    "bitmex_perpetual": ("live", "testnet"),
    "bitmex_testnet": (None,),
    "bitmex_perpetual_testnet": (None,),
}
OWN = {"rest_url": "https://www.bitmex.com/api/v1", "ws_url": "wss://ws.bitmex.com/realtime"}
TESTNET = {"rest_url": "https://testnet.bitmex.com/api/v1", "ws_url": "wss://ws.testnet.bitmex.com/realtime"}
ADDRESSES = ({}, {"rest_url": "https://a.invalid/api/v1"}, {"ws_url": "wss://a.invalid/realtime"}, OWN, TESTNET)
"""None, half of one's own, and the venue's own written out."""
CHILD = """
import contextlib, io, json, sys
from hbkit.cli import run_cli
told = []
for words in json.loads(sys.stdin.read()):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            run_cli(words)
        except SystemExit as left:
            told.append([left.code, err.getvalue()])
print(json.dumps(told))
"""


def test_live_and_testnet_on_the_closed_venues_own_hosts_say_so_and_send_nothing(folder: Path) -> None:
    """With keys and without, with half an address, with the word for real money and without: always the sentence."""
    runs: list[list[str]] = []
    for name, modes in CLOSED.items():
        for mode in modes:
            for at, addresses in enumerate(ADDRESSES):
                block: dict[str, Any] = {**addresses, **({"mode": mode} if mode else {})}
                if at % 2:
                    block |= {"api_key": "k", "api_secret": "canary-secret"}
                symbol = "XBTUSD" if "perpetual" in name else "XBT_USDT"
                path = folder / f"{name}-{mode}-{at}.yaml"
                strategies = [{"use": "one", "instruments": [symbol]}]
                path.write_text(json.dumps({"exchanges": {name: block}, "strategies": strategies}))
                runs.append(["run", path.name, "--no-view"])
    runs.append([*runs[0], "--live"])
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); import sitecustomize\n" + CHILD
    path = os.pathsep.join([str(folder), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, input=json.dumps(runs), capture_output=True, text=True,
        timeout=DEADLINE, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(told) == len(runs) == 31
    for words, (left, said) in zip(runs, told, strict=True):
        assert (left, said.splitlines()[-1]) == (4, ADVICE), words
        assert "canary" not in said
    assert not (folder / "seen.txt").exists(), "somebody was asked"
    assert list(folder.glob("runs/*")) == []


PAPER = [("bitmex_paper_trade", "XBT_USDT"), ("bitmex_perpetual_paper_trade", "XBTUSD")]


@pytest.mark.parametrize(("name", "symbol"), PAPER)
def test_paper_by_its_name_trades_on_the_simulators_market_and_says_so(folder: Path, name: str, symbol: str) -> None:
    (folder / "c.yaml").write_text(
        f"exchanges: {{{name}: {{}}}}\nstrategies: [{{use: one, instruments: [{symbol}]}}]\n"
    )
    done, seen = audited(folder, "-m", "hbkit", "run", "c.yaml", "--for", "1s", "--no-view", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["mode"], result["orders"] > 0) == ("paper", True)
    assert done.stderr.count("has closed: the paper feed is its simulator's") == 1
    assert [line for line in seen if "127.0.0.1" not in line] == []


def test_half_an_address_of_ones_own_is_no_way_to_the_venue(folder: Path, host: str) -> None:
    """Only one of the two addresses is chosen: the other one would be the venue's, so nothing is sent to either."""
    (folder / "c.yaml").write_text(f"""
exchanges: {{bitmex_perpetual: {{mode: live, rest_url: "http://{host}/api/v1", api_key: mine, api_secret: "${{S}}"}}}}
strategies: [{{use: one, instruments: [XBTUSD]}}]
""")
    done, seen = audited(folder, "-m", "hbkit", "run", "c.yaml", "--no-view", S="mine-secret")
    assert (done.returncode, done.stderr.splitlines()[-1], seen) == (4, ADVICE, [])
