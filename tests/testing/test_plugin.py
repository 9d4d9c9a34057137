"""The pytest fixtures, as a user's own pytest sees them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.testing.inner import ASYNCIO, inner_pytest
from tests.workbench import environment

STRATEGY = """
    from hbkit import Param, Quote, Strategy

    class Buyer(Strategy):
        "Buys once in each market."
        qty: float = Param(1.0)

        def on_quote(self, quote: Quote) -> None:
            market = self.market(quote.instrument.symbol)
            if not market.position.qty and not market.orders:
                market.buy(self.qty)

    class Hedger(Strategy):
        "A long and a short leg."

        def on_start(self) -> None:
            self.buy(1, position_side="long")
            self.sell(2, position_side="short")
"""


def outcome(folder: Path, text: str, *words: str) -> str:
    lines = (STRATEGY + text).splitlines()
    (folder / "test_mine.py").write_text("\n".join(line[4:] for line in lines))
    return inner_pytest(folder, "test_mine.py", *words)


@pytest.mark.parametrize("words", [ASYNCIO, (*ASYNCIO, "-o", "asyncio_mode=auto"), ()], ids=["strict", "auto", "none"])
def test_a_coroutine_test_runs_whatever_else_is_installed(tmp_path: Path, words: tuple[str, ...]) -> None:
    said = outcome(
        tmp_path,
        """
    class TestIt:
        async def test_it(self, run_strategy, market, clock):
            ran = await run_strategy(Buyer, script=market(100, 101, every=30.0))
            ran.assert_fill("buy", 1, 100.1)
            assert ran.position == 1
            assert 60 < clock.seconds < 70

    def test_plain(clock):
        assert clock.now() > 0
    """,
        *words,
    )
    assert "2 passed" in said, said


def test_a_real_exchange_is_traded_at_the_venue_of_its_suite(tmp_path: Path) -> None:
    said = outcome(
        tmp_path,
        """
    async def test_two_contracts(run_strategy, market, faults):
        faults.at(20, "cut")
        ran = await run_strategy(
            Buyer,
            exchange="bitmex_perpetual",
            instruments=["XBTUSD", "ETH/USDT:USDT"],
            params={"qty": 1000},
            script={"XBTUSD": "rise", "ETH/USDT:USDT": market(2300, 2310, every=30.0)},
        )
        # XBTUSD begins at 78,129.6 and rises from there, a tick of 0.1 away from the book.
        assert 78_000 < float(ran.assert_fill("buy", 1000, instrument="XBTUSD", liquidity="taker").price) < 78_300
        ran.assert_position(1000, "ETHUSDT")
        assert {one.instrument.symbol: one.units for one in ran.venue.positions()} == {"XBTUSD": 1000, "ETHUSDT": 1000}
        ran.assert_logged("disconnected")

    async def test_spot(run_strategy):
        ran = await run_strategy(Buyer, exchange="bitmex", instruments=["BTC/USDT"], params={"qty": "0.001"}, seconds=5)
        ran.assert_fill("buy", "0.001")
        ran.assert_clean()
    """,
    )
    assert "2 passed" in said, said


def test_an_account_can_be_in_hedge_mode(tmp_path: Path) -> None:
    said = outcome(
        tmp_path,
        """
    async def test_it(run_strategy):
        ran = await run_strategy(Hedger, position_mode="hedge", seconds=5)
        ran.assert_fill("buy", position_side="long")
        ran.assert_position(1, "COIN", "long")
        ran.assert_position(-2, "COIN", "short")
        ran.assert_position(-2, side="short")
        ran.assert_clean()
        ran.assert_position(3)
    """,
    )
    assert "position: expected 3, came -1" in said, said
    assert "buy 1 COIN long at 101" in said
    assert "the run ended with exit code 0: duration" in said


WRONG = {
    'exchange="bitmex_paper_trade"': "HB439.*brings no venue to test at",
    'exchange="bitmex_perpetua"': 'HB201.*did you mean "bitmex_perpetual"',
    'exchange="bitmex_perpetual", instruments=["XBT_USDT"]': "HB403.*use the exchange bitmex",
    'params={"quantity": 2}': 'HB302.*unknown parameter "quantity" of Buyer; parameters: qty',
    'script={"DIME": "calm"}': "a script for DIME, but the strategy trades COIN",
    'script="clam"': '"clam" is no script',
}


def test_a_wrong_wish_says_what_is_wrong(tmp_path: Path) -> None:
    tests = [
        f"    async def test_{number}(run_strategy):\n        await run_strategy(Buyer, {options})"
        for number, options in enumerate(WRONG)
    ]
    said = outcome(tmp_path, "\n".join(tests))
    assert [words for words in WRONG.values() if not re.search(words, said)] == []
    assert "6 failed" in said


def test_assertions_of_nothing(tmp_path: Path) -> None:
    said = outcome(
        tmp_path,
        """
    async def test_it(run_strategy):
        ran = await run_strategy(Buyer, seconds=3, config={"risk": {"max_position": 0.5}})
        ran.assert_no_fills()
        ran.assert_rejected("max_position")
        ran.assert_no_orders()

    async def test_log(run_strategy):
        ran = await run_strategy(Buyer, seconds=3)
        ran.assert_logged("nothing of the sort")
    """,
    )
    assert "expected no order" in said, said
    assert "rejected, 0 filled" in said
    assert 'no line of the log has "nothing of the sort"' in said
    assert "event=trading" in said


def test_a_fault_that_the_venue_cannot_bring_about_fails_the_test(tmp_path: Path) -> None:
    said = outcome(
        tmp_path,
        """
    async def test_it(faults, clock):
        faults.at(1, "late_reply")
        await clock.advance(2)
    """,
    )
    assert "late_reply() missing 2 required positional arguments" in said, said


def test_other_coroutine_tests_are_left_alone(tmp_path: Path) -> None:
    said = outcome(
        tmp_path,
        """
    import asyncio

    async def test_theirs():
        assert type(asyncio.get_running_loop()).__name__ != "VirtualLoop"

    async def test_ours(clock):
        assert type(asyncio.get_running_loop()).__name__ == "VirtualLoop"
    """,
        *ASYNCIO,
        "-o",
        "asyncio_mode=auto",
    )
    assert "2 passed" in said, said


def test_an_assertion_says_what_there_was(tmp_path: Path) -> None:
    said = outcome(
        tmp_path,
        """
    async def test_it(run_strategy):
        ran = await run_strategy(Buyer, script="100 101")
        ran.assert_order("sell", qty=2, status="filled")
    """,
    )
    assert "no order like: sell 2 filled" in said
    assert "buy 1 COIN market filled, 1 filled (" in said


def test_a_run_that_is_not_clean_says_why(tmp_path: Path) -> None:
    said = outcome(
        tmp_path,
        """
    async def test_it(run_strategy):
        ran = await run_strategy(Buyer, script="still", seconds=3, config={"risk": {"max_position": 0.5}})
        ran.assert_clean()
    """,
    )
    assert "the run was not clean" in said
    assert "rejected, 0 filled" in said


def test_what_a_test_leaves_behind_fails_it(tmp_path: Path) -> None:
    said = outcome(
        tmp_path,
        """
    import asyncio

    async def test_task(clock):
        task = asyncio.create_task(asyncio.sleep(1000), name="forgotten")
        await clock.advance(5)

    async def test_connection(simulator, clock):
        from hbkit.testing.fake.rows import sign
        expires = clock.now() + 10**9
        await simulator.dial(expires, sign(simulator.secret, "stream", expires))
    """,
    )
    assert "the test left tasks running: forgotten" in said
    assert "the test left 1 connections open" in said


def test_a_fault_is_known_by_its_name(tmp_path: Path) -> None:
    said = outcome(
        tmp_path,
        """
    async def test_it(faults, clock, simulator):
        faults.at(1, "cutt")
    """,
    )
    assert 'no fault "cutt"; did you mean "cut"' in said


def test_importing_it_loads_nothing_of_hbkit() -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import hbkit.testing.plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["hbkit", "hbkit.testing", "hbkit.testing.plugin"]
