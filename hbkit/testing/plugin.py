"""pytest fixtures for authors, installed with hbkit: a coroutine test that uses one runs on a virtual loop.

    async def test_quotes(run_strategy):
        ran = await run_strategy("market_maker", script="calm")
        assert ran.fills

Nothing of hbkit is loaded before a fixture is used. A test of its own plugins (`pytest-asyncio`, `anyio`) is left
alone; `-p no:hbkit` switches all of this off.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hbkit.testing.bench import Bench, Clock, Faults
    from hbkit.testing.fake import FakeVenue
    from hbkit.testing.ran import Ran
    from hbkit.testing.scripts import Script

BENCH = "hbkit_bench"
"""The fixture behind the others: a test that has it among its fixtures is played on its loop."""


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_pycollect_makeitem() -> Generator[None, Any, Any]:
    """Coroutine tests of ours become plain functions before any other plugin sees them."""
    made = yield
    for item in made if isinstance(made, list) else [made]:
        if isinstance(item, pytest.Function) and BENCH in item.fixturenames and inspect.iscoroutinefunction(item.obj):
            item.obj = _plain(item.obj, item)
    return made


def _plain(test: Callable[..., Any], item: pytest.Function) -> Callable[..., None]:
    def play(**fixtures: Any) -> None:
        __tracebackhide__ = True
        item.funcargs[BENCH].play(test(**fixtures))  # type: ignore[attr-defined]

    play.__name__, play.__doc__, play.__module__ = test.__name__, test.__doc__, test.__module__
    return play


@pytest.fixture
def hbkit_bench(tmp_path: Path) -> Iterator[Bench]:
    """The loop, the venue on it, and what watches over both."""
    from hbkit.testing.bench import Bench

    with Bench(tmp_path) as bench:
        yield bench


@pytest.fixture
def clock(hbkit_bench: Bench) -> Clock:
    """The virtual clock: `clock.now()` in ns, `await clock.advance(seconds)`."""
    return hbkit_bench.clock


@pytest.fixture
def simulator(hbkit_bench: Bench) -> FakeVenue:
    """The venue that `run_strategy` trades at: move its market, read the truth of its orders."""
    return hbkit_bench.venue


@pytest.fixture
def faults(hbkit_bench: Bench) -> Faults:
    """What goes wrong and when: `faults.at(5, "cut")`, `faults.at(3, "lose_reply", "submit")`."""
    return hbkit_bench.faults


@pytest.fixture
def market(hbkit_bench: Bench) -> Callable[..., Script]:
    """A market in one line: `market(100, 101, 99.5, every=2.0)`, for `run_strategy(..., script=...)`."""
    return hbkit_bench.script


@pytest.fixture
def run_strategy(hbkit_bench: Bench) -> Callable[..., Awaitable[Ran]]:
    """Run a strategy by name, file or class; see `hbkit.testing.playing.run_strategy`."""
    return hbkit_bench.run_strategy
