"""The live view: what is in the picture, that it fits every terminal, and that a terminal never holds up a run."""

import asyncio
import fcntl
import io
import json
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
from decimal import Decimal

import aiohttp
import pyte
import pytest

from hbkit import log
from hbkit.chance import Chance
from hbkit.cli.screen import Cost, Printed, Warnings
from hbkit.cli.unblocked import MOST_BYTES, Unblocked
from hbkit.cli.view import View
from hbkit.clock import ManualClock, monotonic
from hbkit.config import load_config
from hbkit.net.virtual import DEFAULT_START, run_virtual
from hbkit.plugins import Plugins
from hbkit.run.ground import VirtualGround
from hbkit.run.live import LiveRun
from hbkit.run.plan import make_plan
from tests.workbench import environment

CONFIG = """
exchanges:
  bitmex_perpetual: {mode: simulator, simulator: {speed: 2}}
strategies: [{use: one, instruments: [XBTUSD]}]
run: {duration: 60s}
"""
QUOTES_DEEP = """
def on_start(self):
    self.done = False

def on_book(self, book):
    if not self.done and book.best_bid:
        self.done = True
        self.buy(100)
        self.buy(200, book.best_bid - 2)
        self.sell(300, book.best_ask + 100)
        self.buy(50_000_000, book.best_bid - 3)
"""


def filmed(bench, body, *shots, fault=None, config=CONFIG):
    """Runs a strategy in virtual time; a picture (columns, rows) at each of the given seconds, as lines of text."""
    bench.strategy(body)
    bench.write("c.yaml", config)
    plan = make_plan(load_config("c.yaml", environ={}), Plugins())
    pictures = []

    async def on(loop):
        ground = VirtualGround(loop, Chance(0))
        run = LiveRun(plan, ground)
        log.configure(stream=io.StringIO(), clock=run.clock)
        view = View(run)
        playing = asyncio.create_task(run.play())
        began = loop.time()
        try:
            for at, columns, rows in shots:
                await asyncio.sleep(began + at - loop.time())
                if fault is not None and pictures:
                    async with aiohttp.ClientSession(connector=ground.connector()) as http:
                        await http.post("http://simulator/control/faults", json=fault)
                    await asyncio.sleep(0.2)
                pictures.append([line.plain.rstrip() for line in view.lines(columns, rows, Cost())])
        finally:
            run.stop("seen", 0)
            await playing
            log.close()

    run_virtual(on, start=DEFAULT_START)
    return pictures


def line_with(lines, *texts):
    return next((line for line in lines if all(text in line for text in texts)), None)


# -- the picture


def test_the_picture_shows_market_position_money_and_orders(bench):
    before, lines = filmed(bench, QUOTES_DEEP, (0, 80, 24), (5, 80, 30))
    assert before[1].startswith("connecting to bitmex_perpetual ...")
    assert re.fullmatch(r"c simulator ×2 · \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC · 0:55 left · 0:05 on", lines[0])
    # A taker's fee of 0.05 % on 100 USD at some 8,700 USD.
    money = re.fullmatch(r"equity (\S+) XBT  profit (\S+) [+-]0\.\d+ % · fees (0\.0000057\d)", lines[1])
    equity, profit, fees = map(Decimal, money.groups())
    assert equity == 1 + profit
    position = re.match(r"XBTUSD  long 100 at [\d,.]+  open ([+-]?0\.\d+) XBT  mark ", lines[2])
    assert Decimal(position[1]) == profit + fees
    assert lines[3].split() == ["own", "qty", "bid", "ask", "qty", "own"]
    # Five levels of each side; own orders in their level, the one beyond them takes the place of the last.
    ladder = lines[4:9]
    assert [row.split()[0] for row in ladder if not row.startswith(" " * 8)] == ["200"]
    assert ladder[-1].split()[-1] == "300"
    assert line_with(lines, "bought 100 at ", "taker", "fee 0.0000057")
    assert line_with(lines, "placed buy 200 at ")
    assert line_with(lines, "refused buy 50000000 at ", ": ")
    assert line_with(lines, "bitmex_perpetual up", "calls left", "reconnects 0")
    assert line_with(lines, "loop lag 0.0 ms", "4 orders, 1 fill, 1 refused", "drawing", "Ctrl-C stops")


def test_the_picture_shows_everything_in_the_reporting_currency(bench):
    (lines,) = filmed(bench, QUOTES_DEEP, (5, 80, 30), config=f"{CONFIG}report: {{currency: USD}}\n")
    equity = Decimal(re.match(r"equity (\S+) XBT", lines[1])[1])
    told = re.fullmatch(r"everything (\d+\.\d\d) USD  profit ([+-]?\d+\.\d\d)", lines[2])
    mark = Decimal(re.search(r"mark ([\d.,]+)", lines[3])[1].replace(",", ""))
    # An XBT or so at the mark; what the mark itself did since the start is in the profit.
    assert abs(Decimal(told[1]) - equity * mark) < Decimal("0.1")


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (40, 24), (30, 8), (200, 60)])
def test_the_picture_fits(bench, columns, rows):
    (lines,) = filmed(bench, QUOTES_DEEP, (5, columns, rows))
    assert len(lines) <= rows
    assert max(map(len, lines)) <= columns
    assert line_with(lines, "XBTUSD")
    assert line_with(lines, "long 100")


def test_what_a_strategy_does_not_listen_to_is_not_there(bench):
    (lines,) = filmed(bench, "def on_start(self): self.every(60, lambda: None)", (5, 80, 24))
    assert lines[2].split()[:2] == ["XBTUSD", "flat"]
    assert line_with(lines, "own", "qty") is None


def test_an_exchange_out_of_reach_is_told_at_the_top(bench):
    shots = (4, 80, 24), (5, 80, 24), (15, 80, 24)
    up, down, again = filmed(bench, QUOTES_DEEP, *shots, fault={"fault": "cut"})
    assert "OUT OF REACH" not in "".join(up)
    assert down[1].startswith(" bitmex_perpetual OUT OF REACH for 0 s: no new orders, connecting again")
    assert line_with(down, "bitmex_perpetual out of reach")
    assert line_with(again, "reconnects 1")


def test_a_strategy_that_failed_is_told_at_the_top(bench):
    bench.strategy("def on_start(self): self.every(60, lambda: None)", "other")
    body = """
    def on_start(self):
        self.every(1, self.fail)

    def fail(self):
        raise ValueError("no \\x1b[31m way")
    """
    both = "[{use: one, instruments: [XBTUSD]}, {use: other, instruments: [XBTUSDT]}]"
    (lines,) = filmed(bench, body, (5, 80, 24), config=CONFIG.replace("[{use: one, instruments: [XBTUSD]}]", both))
    assert lines[1].startswith(" one STOPPED: ValueError: no  [31m way at strategies/one.py:")
    assert line_with(lines, "XBTUSD ", "strategy stopped", "flat")
    assert line_with(lines, "XBTUSDT", "flat")
    assert "\x1b" not in "".join(lines)


# -- what would tear the picture


def test_warnings_go_into_the_picture_and_all_lines_into_the_file(tmp_path):
    told = []
    stream = Warnings(lambda *item: told.append(item), passed_over=("run",))
    log.configure(stream=stream, clock=ManualClock(), file=tmp_path / "run.log")
    try:
        log.get_logger("one").info("not for the picture")
        log.get_logger("one").warning('a "quoted"\nwarning', x=1)
        log.get_logger("run").warning("shown anyway")
        log.get_logger("one").error("failed", exc_info=ValueError("why"))
    finally:
        log.close()
    assert told == [("warning", 'a "quoted"\\nwarning x=1'), ("error", "failed")]
    assert len(stream.kept) == 2
    written = (tmp_path / "run.log").read_text()
    assert all(text in written for text in ("not for the picture", "shown anyway", "ValueError: why"))


def test_what_is_printed_is_told_line_by_line():
    told = []
    log.configure(stream=io.StringIO(), clock=ManualClock())
    try:
        out = Printed(lambda *item: told.append(item))
        print("one", 2, file=out)
        print("thr", end="", file=out)
        print("ee\n\nfour", file=out)
    finally:
        log.close()
    assert told == [("print", "one 2"), ("print", "three"), ("print", "four")]


async def test_a_reader_that_does_not_read_holds_nobody_up():
    read, write = os.pipe()
    with os.fdopen(write, "w") as stream:
        out = Unblocked(stream)
        began = monotonic()
        for _ in range(2 * MOST_BYTES // 100):
            out.write("x" * 99 + "\n")
        await out.close(0.05)  # nobody reads: it is left behind
        assert monotonic() - began < 5
        assert out.busy
    taken = 0
    while out.busy:  # and what was queued arrives once somebody reads
        if select.select([read], [], [], 0.1)[0]:
            taken += len(os.read(read, 1 << 16))
    while select.select([read], [], [], 0)[0] and (last := os.read(read, 1 << 16)):
        taken += len(last)  # what was written when nothing was queued any more
    os.close(read)
    # Each line either arrived or was counted; the word on those that were lost may itself have been lost.
    assert taken > MOST_BYTES // 2
    assert abs(taken + 100 * out.lost - 2 * MOST_BYTES) <= 300
    await out.close()


async def test_a_reader_that_is_gone_is_no_failure():
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream:
        out = Unblocked(stream)
        out.write("nobody\n")
        await out.close()
        assert not out.busy


# -- a real terminal, a real run


class Terminal:
    """A pseudo-terminal with a program in it, and what its screen shows."""

    def __init__(self, words, columns, rows, **environ):
        self.raw = b""
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.pid, self._file = pty.fork()
        if not self.pid:
            os.execve(sys.executable, [sys.executable, "-m", "hbkit", *words], environment(**environ))
        self.resize(columns, rows)

    def resize(self, columns, rows):
        self._screen.resize(rows, columns)
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys):
        os.write(self._file, keys)

    def until(self, seen, seconds=20.0):
        """Read until `seen` of the screen's lines; the lines then."""
        end = monotonic() + seconds
        while True:
            lines = [line.rstrip() for line in self._screen.display]
            if seen(lines):
                return lines
            assert monotonic() < end, "\n".join(lines)
            if select.select([self._file], [], [], 0.1)[0]:
                self.raw += (new := os.read(self._file, 1 << 16))
                self._stream.feed(new)

    def rest(self):
        """Read to the end of the program; its exit code."""
        try:
            while new := os.read(self._file, 1 << 16):
                self.raw += new
        except OSError:
            pass  # how Linux says that the other end is closed
        os.close(self._file)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_a_run_in_a_terminal(bench):
    bench.strategy(QUOTES_DEEP)
    bench.write("c.yaml", CONFIG)
    # A shell may have exported the size that the terminal had once.
    exported = {"COLUMNS": "80", "LINES": "24"}
    there = Terminal(["run", "c.yaml"], 80, 24, TERM="xterm-256color", PYTHONUTF8="1", **exported)
    there.until(lambda lines: "starting the simulator" in lines[1])
    lines = there.until(lambda lines: line_with(lines, "bought 100 at ") is not None)
    assert re.match(r"c simulator ×2 ", lines[0])
    assert line_with(lines, "own", "bid", "ask")
    there.resize(40, 16)
    # A screen may be seen half drawn: all of the narrow picture has to be there at once.
    there.until(
        lambda lines: (
            lines[0].endswith("left")
            and line_with(lines, "bought 100") is not None
            and lines[-1].startswith("4 orders")
        )
    )
    # Ctrl-S: the terminal takes nothing more; the run goes on, ends when it is told to, and leaves its result.
    there.type(b"\x13")
    os.kill(there.pid, signal.SIGTERM)
    end = monotonic() + 20
    while not (results := list(bench.folder.glob("runs/*/result.json"))):
        assert monotonic() < end, "the run waits for its terminal"
    there.type(b"\x11")
    assert there.rest() == 0
    result = json.loads(results[0].read_text())
    assert (result["stop_reason"], result["orders"]) == ("terminated", 4)
    shown = there.raw.decode()
    assert shown.index("\x1b[?1049h") < shown.index("\x1b[?1049l") < shown.index("Starting balance")
    assert "order filled" in (bench.folder / "runs" / result["run_id"] / "run.log").read_text()


def test_without_a_terminal_it_says_what_happens_in_plain_lines(bench):
    bench.strategy(QUOTES_DEEP)
    bench.write("c.yaml", CONFIG)
    done = bench.process("run", "c.yaml", "--for", "3s")
    assert done.code == 0
    assert "\x1b" not in done.out + done.err
    events = [re.search(r'level=(\w+) .*event=("[^"]*"|\S+)', line).groups() for line in done.err.splitlines()]
    for one in [("info", "trading"), ("warning", '"order refused"'), ("info", "ended")]:
        assert events.count(one) == 1
    # Three orders stood: one was taken at once, the far one is cancelled at the end, the near one may have filled.
    filled, canceled = (events.count(("info", f'"order {word}"')) for word in ("filled", "canceled"))
    assert (filled, canceled) in ((1, 2), (2, 1))
    assert events.count(("info", "fill")) >= filled
    fill = line_with(done.err.splitlines(), "event=fill")
    assert all(text in fill for text in ("side=buy", "qty=100", "price=", "liquidity=taker", 'fee="0.0000057'))
