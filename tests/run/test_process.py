"""A run as a process of its own against a simulator that outlives it: signals, kills, locks, what is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 30.0
"""Seconds that a process may take for what takes it two or three."""
ACCOUNTS = ("interrupted", "killed", "twice", "cancelled", "ignored", "margin")
STRATEGY = """
from hbkit import Quote, Strategy


class Patient(Strategy):
    def on_quote(self, quote: Quote) -> None:
        self.quote(bids=[(quote.bid - 50, 100)], asks=[(quote.ask + 50, 100)])
"""


class Venue:
    """A simulator process."""

    def __init__(self, process: subprocess.Popen[str], base: str) -> None:
        self.process = process
        self.base = base

    def account(self, name: str) -> dict[str, Any]:
        """What the simulator knows of an account: `demo` is the first, the others follow in their order."""
        with urllib.request.urlopen(f"{self.base}/control/truth") as answer:
            return json.load(answer)["accounts"][1 + ACCOUNTS.index(name)]

    def open_orders(self, name: str) -> list[str]:
        """Client ids of the open orders of an account."""
        return [one["clOrdID"] for one in self.account(name)["orders"] if one["ordStatus"] == "New"]


@pytest.fixture(scope="module")
def venue() -> Iterator[Venue]:
    words = [sys.executable, "-m", "hbkit", "simulator", "bitmex", "--start", "2019-05-28T20:00:00Z", "--speed", "10"]
    for name in ACCOUNTS:
        words += ["--account", f"{name}:{name}-secret"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        try:
            yield Venue(process, ready.split("rest=")[1].split("/api/v1")[0])
        finally:
            process.terminate()


@pytest.fixture(autouse=True)
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Every run of a test, ended with it whatever happened."""
    processes: list[subprocess.Popen[str]] = []
    Folder.processes = processes
    yield processes
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


class Folder:
    """A folder with a config, and the runs that are started in it."""

    processes: ClassVar[list[subprocess.Popen[str]]]

    def __init__(self, path: Path, venue: Venue, account: str, strategy: str = "patient", params: str = "{}") -> None:
        self.path = path
        (path / "strategies").mkdir()
        (path / "strategies" / "patient.py").write_text(STRATEGY)
        (path / "c.yaml").write_text(
            f"exchanges:\n"
            f"  bitmex_perpetual:\n"
            f"    simulator: {{url: '{venue.base}'}}\n"
            f"    api_key: {account}\n"
            f"    api_secret: {account}-secret\n"
            f"strategies: [{{use: {strategy}, instruments: [XBTUSD], params: {params}}}]\n"
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        return launch(self.path, "c.yaml", "--json", *words)

    def run(self, *words: str) -> tuple[int, Any, str]:
        """To its end: exit code, the object on the last line, what it logged."""
        process = self.start(*words)
        out, err = process.communicate(timeout=DEADLINE)
        return process.returncode, json.loads(out.splitlines()[-1]), err


def launch(folder: Path, *words: str) -> subprocess.Popen[str]:
    """`hbkit run` in `folder`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hbkit", "run", *words],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    Folder.processes.append(process)
    return process


def until(condition: Callable[[], Any]) -> Any:
    """Poll other processes until they have done what they are about to do."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come about in time")


def test_an_interrupted_run_takes_its_orders_away_and_reports(tmp_path: Path, venue: Venue) -> None:
    folder = Folder(tmp_path, venue, "interrupted")
    process = folder.start()
    until(lambda: len(venue.open_orders("interrupted")) == 2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=DEADLINE)
    result = json.loads(out.splitlines()[-1])
    assert process.returncode == 130, err
    assert (result["exit_code"], result["stop_reason"]) == (130, "interrupted")
    assert venue.open_orders("interrupted") == []
    assert (tmp_path / result["report"]).is_file()


def test_sigterm_is_a_clean_stop(tmp_path: Path, venue: Venue) -> None:
    folder = Folder(tmp_path, venue, "interrupted")
    process = folder.start()
    until(lambda: len(venue.open_orders("interrupted")) == 2)
    process.terminate()
    out, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    assert json.loads(out.splitlines()[-1])["stop_reason"] == "terminated"
    assert venue.open_orders("interrupted") == []


def killed(folder: Folder, venue: Venue, account: str) -> list[str]:
    """Start a run, kill it once it has two orders, and hand back their ids."""
    process = folder.start()
    ids: list[str] = until(lambda: len(ids := venue.open_orders(account)) == 2 and ids)
    process.kill()
    process.wait()
    return ids


def test_a_killed_run_leaves_its_orders_and_the_next_start_goes_on_with_them(tmp_path: Path, venue: Venue) -> None:
    folder = Folder(tmp_path, venue, "killed")
    ids = killed(folder, venue, "killed")
    assert sorted(venue.open_orders("killed")) == sorted(ids)
    code, told, err = folder.run("--for", "1s")
    assert (code, told["error"]["code"]) == (4, "HB421")
    assert all(one in told["error"]["message"] for one in ids)
    assert "--on-existing adopt" in err
    assert sorted(venue.open_orders("killed")) == sorted(ids)
    code, told, err = folder.run("--for", "2s", "--on-existing", "adopt")
    assert code == 0, err
    # What stood was amended and cancelled by the strategy that it belongs to; ids go on, none is used twice.
    assert venue.open_orders("killed") == []
    used = [one["clOrdID"] for one in venue.account("killed")["orders"]]
    assert len(used) == len(set(used))
    assert set(ids) <= set(used)


@pytest.mark.parametrize(("policy", "left"), [("cancel", 0), ("ignore", 2)])
def test_what_a_killed_run_left_is_treated_as_configured(tmp_path: Path, venue: Venue, policy: str, left: int) -> None:
    account = {"cancel": "cancelled", "ignore": "ignored"}[policy]
    folder = Folder(tmp_path, venue, account)
    ids = killed(folder, venue, account)
    code, _, err = folder.run("--for", "1s", "--on-existing", policy)
    assert code == 0, err
    standing = venue.open_orders(account)
    assert len(standing) == left
    assert set(standing) <= set(ids)


def test_a_second_copy_is_refused_and_names_the_first(tmp_path: Path, venue: Venue) -> None:
    folder = Folder(tmp_path, venue, "twice")
    first = folder.start()
    try:
        until(lambda: len(venue.open_orders("twice")) == 2)
        code, told, _ = folder.run("--for", "1s")
        assert (code, told["error"]["code"]) == (3, "HB440")
        assert str(first.pid) in told["error"]["message"]
        assert len(venue.open_orders("twice")) == 2
    finally:
        first.kill()
        first.wait()
    # The system let the lock go with the process.
    assert folder.run("--for", "1s", "--on-existing", "cancel")[0] == 0


def test_the_money_is_the_exchanges_own_to_the_unit(tmp_path: Path, venue: Venue) -> None:
    folder = Folder(tmp_path, venue, "margin", str(ROOT / "strategies" / "market_maker.py"), "{spread_bps: 1}")
    code, result, err = folder.run("--for", "4s")
    assert code == 0, err
    assert result["fills"] > 0
    for currency in result["equity"]:
        total = sum(
            Decimal(result[part][currency])
            for part in ("starting_balance", "transfers", "realized_pnl", "funding", "unrealized_pnl")
        ) - Decimal(result["fees"][currency])
        assert total == Decimal(result["equity"][currency])
    row = next(one for one in venue.account("margin")["margins"] if one["currency"] == "XBt")
    settled = Decimal(result["equity"]["XBT"]) - Decimal(result["unrealized_pnl"]["XBT"])
    assert settled * 10**8 == row["walletBalance"]


def test_a_run_of_its_own_simulator_talks_to_nobody_beyond_loopback(tmp_path: Path) -> None:
    # The hook is in every Python that the run starts: in its own process and in the simulator's.
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "def seen(event, arguments):\n"
        "    if event in ('socket.connect', 'socket.bind', 'socket.sendto', 'socket.getaddrinfo'):\n"
        f"        with open({str(tmp_path / 'seen.txt')!r}, 'a') as file:\n"
        "            print(event, arguments[-1] if event != 'socket.getaddrinfo' else arguments[0], file=file)\n"
        "sys.addaudithook(seen)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "hbkit", "run", str(ROOT / "configs" / "quickstart.yaml"), "--for", "3s", "--no-view"],
        cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "seen.txt").read_text().splitlines()
    assert any(line.startswith("socket.connect ('127.0.0.1'") for line in lines)
    assert any(line.startswith("socket.bind ('127.0.0.1'") for line in lines)
    assert [line for line in lines if "127.0.0.1" not in line] == []


def test_a_simulator_of_its_own_that_dies_ends_the_run_with_the_reason(tmp_path: Path) -> None:
    process = launch(tmp_path, str(ROOT / "configs" / "quickstart.yaml"), "--no-view", "--json")
    child = int(until(lambda: _children(process.pid))[0])
    until(lambda: any(tmp_path.glob("runs/*/run.log")) and "event=trading" in _log(tmp_path))
    os.kill(child, signal.SIGKILL)
    out, _ = process.communicate(timeout=DEADLINE)
    result = json.loads(out.splitlines()[-1])
    assert (process.returncode, result["exit_code"]) == (4, 4)
    assert "the simulator's process ended with code -9" in result["stop_reason"]


def test_a_killed_run_takes_a_simulator_of_its_own_with_it(tmp_path: Path) -> None:
    process = launch(tmp_path, str(ROOT / "configs" / "quickstart.yaml"), "--no-view")
    child = int(until(lambda: _children(process.pid))[0])
    until(lambda: any(tmp_path.glob("runs/*/run.log")) and "event=trading" in _log(tmp_path))
    process.kill()
    process.wait()
    until(lambda: not _is_alive(child))


def _log(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.glob("runs/*/run.log"))


def _children(pid: int) -> list[str]:
    done = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.split()


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
