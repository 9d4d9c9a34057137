"""Jobs beside the main line: in order, and what they raise comes to light."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from hbkit.background import InlineBackground, TaskBeside, ThreadBackground, ThreadBeside


@pytest.fixture
def thread() -> Iterator[ThreadBackground]:
    background = ThreadBackground()
    yield background
    background.close()


def fail(text: str) -> Callable[[], None]:
    def job() -> None:
        raise ValueError(text)

    return job


def test_a_thread_keeps_the_order(thread: ThreadBackground) -> None:
    done: list[int] = []
    for number in range(1_000):
        thread.run(lambda number=number: done.append(number))  # type: ignore[misc]
    thread.flush()
    assert done == list(range(1_000))


@pytest.mark.parametrize("call", ["flush", "close"])
def test_what_a_job_raised_surfaces_once(call: str) -> None:
    background = ThreadBackground()
    background.run(fail("disk full"))
    with pytest.raises(ValueError, match="disk full"):
        getattr(background, call)()
    background.close()


def test_it_surfaces_at_the_next_job_too(thread: ThreadBackground) -> None:
    done: list[str] = []
    thread.run(fail("disk full"))
    with pytest.raises(ValueError, match="disk full"):
        thread.flush()
    thread.run(lambda: done.append("after"))
    thread.flush()
    assert done == ["after"]


def test_the_first_of_several_failures_is_told(thread: ThreadBackground) -> None:
    go: list[int] = []
    thread.run(lambda: go.append(1))
    for text in ("the cause", "what followed"):
        thread._jobs.put(fail(text))  # both before the owner's next call
    with pytest.raises(ValueError, match="the cause"):
        thread.flush()


def test_close_finishes_what_was_handed_in_and_then_takes_no_more() -> None:
    background = ThreadBackground()
    done: list[int] = []
    for number in range(100):
        background.run(lambda number=number: done.append(number))  # type: ignore[misc]
    background.close()
    assert len(done) == 100
    background.flush()  # returns at once instead of waiting for a thread that is gone
    background.close()
    with pytest.raises(RuntimeError, match="closed"):
        background.run(lambda: None)


def test_inline_does_it_now_and_raises_in_the_caller() -> None:
    done: list[int] = []
    background = InlineBackground()
    background.run(lambda: done.append(1))
    assert done == [1]
    with pytest.raises(ValueError, match="now"):
        background.run(fail("now"))
    background.flush()
    background.close()


# -- a coroutine beside the main line


BOTH = pytest.mark.parametrize("kind", [TaskBeside, ThreadBeside])


@BOTH
async def test_a_coroutine_beside_is_told_and_waited_for(kind) -> None:
    told: list[str] = []
    wake = asyncio.Event()

    async def main() -> None:
        await wake.wait()
        told.append("woken")

    beside = kind(main, "test")
    beside.call(lambda: told.append("called"))
    beside.call(wake.set)
    await beside.ended()
    assert told == ["called", "woken"]
    beside.call(lambda: told.append("too late"))
    beside.cancel()
    await beside.ended()
    assert told == ["called", "woken"]


async def test_on_a_thread_it_goes_on_while_the_main_line_is_held_up() -> None:
    beats, done = threading.Semaphore(0), asyncio.Event()

    async def main() -> None:
        for _ in range(3):
            await asyncio.sleep(0)
            beats.release()
        await done.wait()

    beside = ThreadBeside(main, "test")
    for _ in range(3):  # this loop does nothing else meanwhile
        assert beats.acquire(timeout=10)
    beside.call(done.set)
    await beside.ended()


@BOTH
async def test_what_it_raises_is_raised_to_who_waits(kind) -> None:
    async def main() -> None:
        raise ValueError("cut off")

    with pytest.raises(ValueError, match="cut off"):
        await kind(main, "test").ended()


@BOTH
async def test_cancelled_it_ends_after_its_last_words(kind) -> None:
    words: list[str] = []
    began = threading.Event()

    async def main() -> None:
        try:
            began.set()
            await asyncio.Event().wait()
        finally:
            words.append("good bye")

    beside = kind(main, "test")
    await asyncio.sleep(0)
    assert began.wait(10)
    beside.cancel()
    await beside.ended()
    assert words == ["good bye"]
