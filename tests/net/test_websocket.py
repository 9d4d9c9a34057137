"""The websocket that stays up, against real servers: exact virtual times, and real sockets where they matter."""

import asyncio
import itertools
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from io import StringIO

import aiohttp
import pytest
from aiohttp import web

from hbkit import log
from hbkit.chance import Chance
from hbkit.clock import ManualClock, WallClock
from hbkit.errors import AuthenticationError, Disconnected, HbkitError
from hbkit.net.limits import LoopClock, RateBudget, WindowBucket
from hbkit.net.virtual import VirtualLoop, run_virtual
from hbkit.net.websocket import Backoff, Socket

Talk = Callable[[web.WebSocketResponse], Awaitable[None]]


class Steady(Chance):
    """No jitter: the waits are the round figures."""

    def random(self) -> float:
        return 0.0


def app_of(talk: Talk) -> web.AppRunner:
    async def handler(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        await talk(socket)
        return socket

    app = web.Application()
    app.router.add_get("/", handler)
    return web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)


@asynccontextmanager
async def serving(talk: Talk, path: str = "venue") -> AsyncIterator[None]:
    runner = app_of(talk)
    await runner.setup()
    try:
        await web.UnixSite(runner, path).start()
        yield
    finally:
        await runner.cleanup()


async def echo(socket: web.WebSocketResponse) -> None:
    async for message in socket:
        if message.type is aiohttp.WSMsgType.PING:
            await socket.pong(message.data)
        else:
            await socket.send_bytes(message.data.encode())


async def silent(socket: web.WebSocketResponse) -> None:
    await asyncio.Event().wait()


class Owner:
    """Notes what its socket does, with virtual times."""

    def __init__(self, loop: VirtualLoop, **options: object) -> None:
        self.loop = loop
        self.notes: list[tuple[float, str]] = []
        given = {
            "clock": loop.clock,
            "chance": Steady(1),
            "connector_factory": lambda: aiohttp.UnixConnector(path="venue"),
            "on_frame": lambda data: self.note(f"frame {bytes(data).decode()}"),
            "on_up": lambda: self.note("up"),
            "on_down": lambda reason: self.note(f"down: {reason}"),
            **options,
        }
        self.socket = Socket("http://venue/", **given)

    def note(self, text: str) -> None:
        self.notes.append((self.loop.time(), text))

    def told(self) -> list[str]:
        return [text for _, text in self.notes]


@pytest.fixture
def lines() -> Iterator[StringIO]:
    stream = StringIO()
    log.configure(level="debug", stream=stream, clock=ManualClock())
    yield stream
    log.close()


# -- frames


def test_frames_come_as_bytes_and_each_up_has_its_down() -> None:
    async def main(loop: VirtualLoop) -> list[str]:
        owner = Owner(loop)
        async with serving(echo), owner.socket as socket:
            await asyncio.sleep(1)
            assert socket.up
            await socket.send("text")
            await socket.send(b"bytes")
            await asyncio.sleep(1)
        assert not owner.socket.up
        return owner.told()

    assert run_virtual(main) == ["up", "frame text", "frame bytes", "down: stopped"]


def test_a_frame_is_handed_on_upon_the_readers_own_stack() -> None:
    async def main(loop: VirtualLoop) -> set[str | None]:
        tasks: set[str | None] = set()

        def look(_: bytes) -> None:
            task = asyncio.current_task()
            tasks.add(task.get_name() if task else None)

        async def run(owner: Owner) -> None:
            await owner.socket.run()

        owner = Owner(loop, on_frame=look)
        async with serving(echo), asyncio.TaskGroup() as group:
            group.create_task(run(owner), name="the owner's task")
            await asyncio.sleep(1)
            await owner.socket.send("x")
            await asyncio.sleep(1)
            await owner.socket.close()
        return tasks

    assert run_virtual(main) == {"the owner's task"}


def test_an_error_on_a_frame_is_told_once_counted_and_kills_nothing(lines: StringIO) -> None:
    log.hide("secret-in-a-frame")

    async def main(loop: VirtualLoop) -> tuple[int, list[str]]:
        seen: list[str] = []

        def fail(data: bytes) -> None:
            seen.append(bytes(data).decode()[:20])
            raise KeyError(len(seen))

        owner = Owner(loop, on_frame=fail)
        async with serving(echo), owner.socket as socket:
            await asyncio.sleep(1)
            await socket.send("secret-in-a-frame" + "x" * 5000)
            for _ in range(9):
                await socket.send("again")
            await asyncio.sleep(1)
            assert socket.connected == 1
            return socket.failed_frames, seen

    failed, seen = run_virtual(main)
    assert (failed, len(seen)) == (10, 10)
    text = lines.getvalue()
    assert text.count("a frame could not be used") == 1
    assert "KeyError" in text
    assert "***xxxx" in text
    assert "secret-in-a-frame" not in text
    assert "x" * 500 not in text


def test_on_up_runs_beside_the_reader_and_can_wait_for_an_answer() -> None:
    async def main(loop: VirtualLoop) -> list[str]:
        answered = asyncio.Event()

        async def hello() -> None:
            await owner.socket.send("login")
            await answered.wait()
            owner.note("logged in")

        owner = Owner(loop, on_up=hello, on_frame=lambda _: answered.set())
        async with serving(echo), owner.socket:
            await asyncio.sleep(1)
            return owner.told()

    assert run_virtual(main) == ["logged in"]


def test_pings_of_the_server_are_answered() -> None:
    pongs: list[bytes] = []

    async def ask(socket: web.WebSocketResponse) -> None:
        await socket.ping(b"still there?")
        message = await socket.receive()
        pongs.append(message.data)

    async def main(loop: VirtualLoop) -> None:
        async with serving(ask), Owner(loop).socket:
            await asyncio.sleep(0.5)

    run_virtual(main)
    assert [bytes(pong) for pong in pongs] == [b"still there?"]


def test_sending_without_a_connection_is_refused() -> None:
    async def main(loop: VirtualLoop) -> None:
        with pytest.raises(Disconnected, match="nothing was sent"):
            await Owner(loop).socket.send("x")

    run_virtual(main)


# -- silence


def test_a_silent_server_is_asked_at_5_s_and_given_up_at_10_s() -> None:
    heard: list[tuple[float, str]] = []

    async def main(loop: VirtualLoop) -> list[tuple[float, str]]:
        async def deaf(socket: web.WebSocketResponse) -> None:
            async for message in socket:
                heard.append((loop.time(), message.type.name))

        owner = Owner(loop)
        async with serving(deaf), owner.socket:
            await asyncio.sleep(10.5)
            return owner.notes

    assert run_virtual(main) == [(0.0, "up"), (10.0, "down: silent for 10 s")]
    assert heard[0] == (5.0, "PING")


def test_a_pong_is_a_sign_of_life_and_a_frame_moves_the_ping() -> None:
    heard: list[float] = []

    async def main(loop: VirtualLoop) -> list[str]:
        async def quiet(socket: web.WebSocketResponse) -> None:
            await asyncio.sleep(3)
            await socket.send_str("one")
            async for message in socket:
                heard.append(loop.time())
                await socket.pong(message.data)

        owner = Owner(loop)
        async with serving(quiet), owner.socket:
            await asyncio.sleep(60)
            return owner.told()

    # A frame at 3 s, so pings at 8, 13, 18, ... s: each pong comes at once and is a sign of life itself.
    assert run_virtual(main) == ["up", "frame one"]
    assert heard == [8.0 + 5 * number for number in range(11)]


def test_a_server_that_no_longer_reads_is_given_up_too() -> None:
    async def main(loop: VirtualLoop) -> list[tuple[float, str]]:
        async def stuck(socket: web.WebSocketResponse) -> None:
            assert socket._req is not None
            assert socket._req.transport is not None
            socket._req.transport.pause_reading()
            await asyncio.Event().wait()

        async def flood() -> None:
            with pytest.raises(Disconnected, match="may have been lost"):
                await owner.socket.send(b"x" * 10_000_000)
            owner.note("send failed")

        owner = Owner(loop)
        async with serving(stuck), owner.socket, asyncio.TaskGroup() as group:
            await asyncio.sleep(1)
            group.create_task(flood())
            await asyncio.sleep(9.5)
        return owner.notes

    notes = run_virtual(main)
    assert notes[:2] == [(0.0, "up"), (10.0, "down: silent for 10 s")]
    assert (10.0, "send failed") in notes


def test_a_process_that_was_busy_itself_waits_for_the_answer_before_it_gives_up() -> None:
    async def main(loop: VirtualLoop) -> list[str]:
        owner = Owner(loop)
        async with serving(echo), owner.socket:
            await asyncio.sleep(1)
            # As a strategy that blocks for half a minute: time goes by and no callback runs.
            loop.jump(30.0)
            await asyncio.sleep(20)
            return owner.told()

    assert run_virtual(main, latency=0.1) == ["up"]


# -- coming back


async def hang_up(socket: web.WebSocketResponse) -> None:
    await socket.close(code=1012)


def test_the_wait_doubles_from_1_s_to_60_s() -> None:
    async def main(loop: VirtualLoop) -> list[float]:
        owner = Owner(loop)
        async with serving(hang_up), owner.socket:
            await asyncio.sleep(250)
        assert "down: closed by the server (code 1012)" in owner.told()
        return [time for time, text in owner.notes if text == "up"]

    assert run_virtual(main) == [0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 123.0, 183.0, 243.0]


def test_jitter_only_shortens_and_comes_from_the_seed() -> None:
    waits = [Backoff(Chance(seed)).next() for seed in range(200)]
    assert all(0.75 <= wait <= 1.0 for wait in waits)
    assert len(set(waits)) > 190
    assert [Backoff(Chance(7)).next() for _ in range(3)] == [waits[7]] * 3


def test_a_good_minute_makes_the_next_wait_short_again() -> None:
    async def main(loop: VirtualLoop) -> list[float]:
        numbers = itertools.count(1)

        async def talk(socket: web.WebSocketResponse) -> None:
            # Three short ones, one that lasts a minute, then short ones again.
            if next(numbers) == 4:
                for _ in range(61):
                    await asyncio.sleep(1)
                    await socket.send_str("x")
            await socket.close()

        owner = Owner(loop)
        async with serving(talk), owner.socket:
            await asyncio.sleep(71)
        return [time for time, text in owner.notes if text == "up"]

    # 1 + 2 + 4 = 7 s of waiting, 61 s of talk, and then 1 s again.
    assert run_virtual(main) == [0.0, 1.0, 3.0, 7.0, 69.0]


def test_refused_and_then_a_server_that_comes_back(lines: StringIO) -> None:
    async def main(loop: VirtualLoop) -> list[tuple[float, str]]:
        owner = Owner(loop)
        async with owner.socket:
            await asyncio.sleep(5)
            async with serving(silent):
                await asyncio.sleep(4)
            # The server is gone and comes back.
            await asyncio.sleep(3)
            async with serving(silent):
                await asyncio.sleep(20)
            return owner.notes

    notes = run_virtual(main)
    assert notes[0] == (7.0, "up")
    assert [text for _, text in notes].count("up") == 2
    assert "no connection (nobody listens at venue)" in lines.getvalue()


@pytest.mark.parametrize("how", ["abort", "half a frame"])
def test_a_connection_that_breaks_in_the_middle_is_made_anew(how: str) -> None:
    async def main(loop: VirtualLoop) -> list[str]:
        async def talk(socket: web.WebSocketResponse) -> None:
            assert socket._req is not None
            transport = socket._req.transport
            assert transport is not None
            await asyncio.sleep(0.1)
            if owner.socket.connected > 1:
                await echo(socket)
            elif how == "abort":
                transport.abort()
            else:
                # A text frame of 100 bytes of which 3 come.
                transport.write(b"\x81\x64abc")
                transport.close()

        owner = Owner(loop)
        async with serving(talk), owner.socket as socket:
            await asyncio.sleep(2)
            await socket.send("back")
            await asyncio.sleep(1)
            return owner.told()

    notes = run_virtual(main)
    assert notes[0] == "up"
    assert notes[1].startswith("down: ")
    assert notes[2:] == ["up", "frame back"]


def test_connects_are_limited_and_the_limit_can_be_shared() -> None:
    async def main(loop: VirtualLoop) -> list[float]:
        connects = RateBudget({"hour": WindowBucket(6, 3600.0, LoopClock())}, clock=loop.clock, reserve=0.0)
        owners = [Owner(loop, connects=connects, longest_delay=1.0) for _ in range(2)]
        async with serving(hang_up), owners[0].socket, owners[1].socket:
            await asyncio.sleep(3600.5)
        return sorted(time for owner in owners for time, text in owner.notes if text == "up")

    assert run_virtual(main) == [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3600.0, 3600.0]


def test_the_address_is_asked_anew_each_time_with_its_headers() -> None:
    seen: list[str] = []

    async def main(loop: VirtualLoop) -> None:
        async def handler(request: web.Request) -> web.WebSocketResponse:
            seen.append(request.headers["api-key"])
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await socket.close()
            return socket

        app = web.Application()
        app.router.add_get("/", handler)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
        await runner.setup()
        await web.UnixSite(runner, "venue").start()
        numbers = iter(range(100))
        socket = Socket(
            lambda: ("http://venue/", {"api-key": f"key {next(numbers)}"}),
            clock=loop.clock,
            chance=Steady(1),
            on_frame=print,
            connector_factory=lambda: aiohttp.UnixConnector(path="venue"),
        )
        async with socket:
            await asyncio.sleep(2)
        await runner.cleanup()

    run_virtual(main)
    assert seen == ["key 0", "key 1"]


# -- the end


def test_it_gives_up_when_asked_to_and_says_so() -> None:
    ends: list[HbkitError] = []

    async def main(loop: VirtualLoop) -> float:
        await Owner(loop, give_up_after=30.0, on_end=ends.append).socket.run()
        return loop.time()

    assert run_virtual(main) == 30.0
    assert isinstance(ends[0], Disconnected)
    assert ends[0].message == "socket could not be connected for 30 s and gave up; is the network up?"


def test_without_on_end_the_owner_gets_it_from_run() -> None:
    async def main(loop: VirtualLoop) -> None:
        with pytest.raises(Disconnected, match="gave up"):
            await Owner(loop, give_up_after=30.0).socket.run()

    run_virtual(main)


def test_giving_up_counts_from_the_last_connection() -> None:
    async def main(loop: VirtualLoop) -> float:
        owner = Owner(loop, give_up_after=30.0)

        async def serve() -> None:
            async with serving(echo):
                await asyncio.sleep(100)

        async with asyncio.TaskGroup() as group:
            group.create_task(serve())
            await asyncio.sleep(0)
            with pytest.raises(Disconnected, match="30 s"):
                await owner.socket.run()
        return loop.time()

    # 100 s of a server, up to 2 s until it has let go of its connections, 30 s without.
    assert 130 <= run_virtual(main) <= 132


def test_a_key_that_is_refused_is_not_tried_again() -> None:
    async def main(loop: VirtualLoop) -> tuple[int, list[str]]:
        async def hello() -> None:
            raise AuthenticationError("the venue refused the key")

        owner = Owner(loop, on_up=hello)
        async with serving(echo):
            with pytest.raises(AuthenticationError, match="refused the key"):
                await owner.socket.run()
        return owner.socket.connected, owner.told()

    assert run_virtual(main) == (1, ["down: refused"])


@pytest.mark.parametrize("error", [KeyError("x"), Disconnected("lost"), TimeoutError()])
def test_any_other_failure_of_on_up_is_tried_again(error: Exception, lines: StringIO) -> None:
    async def main(loop: VirtualLoop) -> int:
        async def hello() -> None:
            raise error

        owner = Owner(loop, on_up=hello)
        async with serving(echo), owner.socket:
            await asyncio.sleep(3.5)
        return owner.socket.connected

    assert run_virtual(main) == 3


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.5, 1.05, 1.5, 2.5])
def test_it_can_be_stopped_at_any_moment(moment: float) -> None:
    """While it connects, reads or waits; that nothing is left running is what run_virtual checks."""

    async def main(loop: VirtualLoop) -> float:
        owner = Owner(loop)
        loop.call_at(moment, owner.socket.stop)
        async with serving(hang_up):
            await owner.socket.run()
            ended = loop.time()
            await owner.socket.run()
        ups = owner.told().count("up")
        assert ups == len(owner.told()) - ups
        return ended

    assert moment <= run_virtual(main, latency=0.02) <= moment + 0.1


@pytest.mark.parametrize("seed", range(20))
def test_stopped_or_cancelled_anywhere_it_leaves_nothing(seed: int) -> None:
    async def main(loop: VirtualLoop) -> None:
        chance = random.Random(seed)

        async def talk(socket: web.WebSocketResponse) -> None:
            for _ in range(chance.randrange(5)):
                await socket.send_str("x")
                await asyncio.sleep(chance.random())
            await chance.choice([hang_up, silent, echo])(socket)

        owner = Owner(loop)
        async with serving(talk):
            task = asyncio.create_task(owner.socket.run())
            await asyncio.sleep(chance.random() * 30)
            if chance.random() < 0.5:
                owner.socket.stop()
                await task
            else:
                task.cancel()
                await asyncio.wait([task])
                assert task.cancelled()
        ups = owner.told().count("up")
        downs = sum(text.startswith("down") for text in owner.told())
        assert ups == downs
        assert not owner.socket.up

    run_virtual(main, latency=0.01)


@pytest.mark.parametrize("how", ["stop", "cancel"])
def test_an_end_at_the_instant_of_another_failure_is_not_lost(how: str, lines: StringIO) -> None:
    """A TaskGroup that fails while it is cancelled raises its errors, and forgets the cancel."""

    async def main(loop: VirtualLoop) -> int:
        async def hello() -> None:
            owner.socket.stop() if how == "stop" else task.cancel()
            raise KeyError("at the same instant")

        owner = Owner(loop, on_up=hello)
        async with serving(echo):
            task = asyncio.create_task(owner.socket.run())
            await asyncio.wait([task], timeout=30)
            assert task.done()
            assert task.cancelled() == (how == "cancel")
        return owner.socket.connected

    assert run_virtual(main) == 1


def test_stop_from_within_a_frame_hands_on_no_further_one() -> None:
    async def many(socket: web.WebSocketResponse) -> None:
        for number in range(100):
            await socket.send_str(str(number))
        await echo(socket)

    async def main(loop: VirtualLoop) -> list[str]:
        def first(data: bytes) -> None:
            owner.note(bytes(data).decode())
            owner.socket.stop()

        owner = Owner(loop, on_frame=first)
        async with serving(many):
            await owner.socket.run()
        return owner.told()

    assert run_virtual(main) == ["up", "0", "down: stopped"]


def test_a_failing_on_down_does_not_keep_it_from_coming_back(lines: StringIO) -> None:
    async def main(loop: VirtualLoop) -> int:
        owner = Owner(loop, on_down=lambda _: 1 / 0)
        async with serving(hang_up), owner.socket:
            await asyncio.sleep(1.5)
        return owner.socket.connected

    assert run_virtual(main) == 2
    assert "on_down failed" in lines.getvalue()


# -- what nobody may read


def test_a_refused_or_redirected_handshake_shows_no_header(lines: StringIO, caplog: pytest.LogCaptureFixture) -> None:
    elsewhere: list[str] = []

    async def main(loop: VirtualLoop) -> None:
        statuses = iter([401, 302, 307, 500, 200])

        async def handler(request: web.Request) -> web.Response:
            elsewhere.extend([request.path] if request.path != "/" else [])
            return web.Response(status=next(statuses), headers={"Location": "http://other/steal"})

        app = web.Application()
        app.router.add_get("/{rest:.*}", handler)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
        await runner.setup()
        await web.UnixSite(runner, "venue").start()
        socket = Socket(
            lambda: (
                "http://venue/?token=canary-token",
                {"api-key": "canary-key", "api-signature": "canary-signature"},
            ),
            clock=loop.clock,
            chance=Steady(1),
            on_frame=print,
            connector_factory=lambda: aiohttp.UnixConnector(path="venue"),
        )
        async with socket:
            await asyncio.sleep(20)
        await runner.cleanup()

    with caplog.at_level(logging.DEBUG):
        run_virtual(main)
    assert "the server answers 401 in place of a websocket" in lines.getvalue()
    assert "the server answers 302, a redirect, which is not followed" in lines.getvalue()
    assert "canary" not in lines.getvalue() + caplog.text
    assert elsewhere == []


# -- real sockets


def test_over_real_sockets_a_restarted_server_is_found_again() -> None:
    async def main() -> list[str]:
        notes: list[str] = []
        happened = asyncio.Event()

        def note(text: str) -> None:
            notes.append(text)
            happened.set()

        async def until(text: str) -> None:
            async with asyncio.timeout(10):
                while text not in notes:
                    happened.clear()
                    await happened.wait()

        async def start(port: int) -> tuple[web.AppRunner, int]:
            runner = app_of(echo)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            return runner, runner.addresses[0][1]

        runner, port = await start(0)
        socket = Socket(
            f"ws://127.0.0.1:{port}/",
            clock=WallClock(),
            chance=Chance(1),
            on_frame=lambda data: note(f"frame {bytes(data).decode()}"),
            on_up=lambda: note("up"),
            on_down=lambda _: note("down"),
            first_delay=0.01,
        )
        async with socket:
            await until("up")
            await socket.send("one")
            await until("frame one")
            await runner.cleanup()
            await until("down")
            notes.remove("up")
            runner, _ = await start(port)
            await until("up")
            await socket.send("two")
            await until("frame two")
        await runner.cleanup()
        return notes

    assert asyncio.run(main()) == ["frame one", "down", "up", "frame two", "down"]


def test_over_real_sockets_a_server_that_stops_reading_is_given_up() -> None:
    async def main() -> str:
        down: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def stuck(socket: web.WebSocketResponse) -> None:
            await asyncio.Event().wait()

        runner = app_of(stuck)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        socket = Socket(
            f"ws://127.0.0.1:{runner.addresses[0][1]}/",
            clock=WallClock(),
            chance=Chance(1),
            on_frame=print,
            on_down=lambda reason: None if down.done() else down.set_result(reason),
            ping_after=0.05,
            dead_after=0.1,
        )
        async with socket, asyncio.timeout(10):
            reason = await down
        await runner.cleanup()
        return reason

    assert asyncio.run(main()) == "silent for 0.1 s"
