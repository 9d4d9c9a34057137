"""The pytest fixtures, as a user's own pytest sees them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.testing.inner import inner_pytest
from tests.workbench import environment

STRATEGY = """
    from hbkit import Quote, Strategy

    class Buyer(Strategy):
        "Buys one, once."
        qty: float = 1

        def on_quote(self, quote: Quote) -> None:
            if not self.position.qty and not self.orders:
                self.buy(1)
"""


def outcome(folder: Path, text: str, *words: str) -> str:
    lines = (STRATEGY + text).splitlines()
    (folder / "test_mine.py").write_text("\n".join(line[4:] for line in lines))
    return inner_pytest(folder, "test_mine.py", *words)


@pytest.mark.parametrize(
    "words", [(), ("-o", "asyncio_mode=auto"), ("-p", "no:asyncio")], ids=["strict", "auto", "none"]
)
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


def test_a_script_is_known_by_its_name(tmp_path: Path) -> None:
    said = outcome(
        tmp_path,
        """
    async def test_it(run_strategy):
        await run_strategy(Buyer, script="clam")
    """,
    )
    assert '"clam" is no script' in said


def test_importing_it_loads_nothing_of_hbkit() -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import hbkit.testing.plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["hbkit", "hbkit.testing", "hbkit.testing.plugin"]
