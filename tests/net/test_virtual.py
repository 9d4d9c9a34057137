"""The loop of virtual time, shown on an unchanged aiohttp client and server, and on asyncio's own tools."""

import asyncio
import hashlib
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web

from hbkit.clock import SECOND, iso, parse_time
from hbkit.net.memory import MemoryTransport
from hbkit.net.virtual import DEFAULT_START, Deadlock, LeakedTasks, VirtualLoop, run_virtual

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(*routes: web.RouteDef, path: str = "venue") -> AsyncIterator[None]:
    """An aiohttp server at `path` while the block runs."""
    app = web.Application()
    app.add_routes(routes)
    # Without handler_cancellation aiohttp lets a handler run on after its client has gone, owned by nobody: a leak.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)
    await runner.setup()
    try:
        await web.UnixSite(runner, path).start()
        yield
    finally:
        await runner.cleanup()


def client(path: str = "venue", **options: object) -> aiohttp.ClientSession:
    return aiohttp.ClientSession("http://venue", connector=aiohttp.UnixConnector(path=path), **options)


# -- a venue for ten minutes


@dataclass
class Venue:
    """Pushes prices twice a second and takes orders; every line goes into one log with its virtual time."""

    loop: VirtualLoop
    chance: random.Random
    seconds: int
    log: list[str] = field(default_factory=list)
    orders: int = 0

    def note(self, text: str) -> None:
        self.log.append(f"{self.loop.clock.now()} {text}")

    async def prices(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=20)
        await socket.prepare(request)
        for number in range(2 * self.seconds):
            await asyncio.sleep(0.5)
            price = self.chance.randrange(8000, 9000)
            self.note(f"push {number} {price}")
            await socket.send_json({"number": number, "price": price})
        await socket.close()
        return socket

    async def order(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.orders += 1
        await asyncio.sleep(self.chance.random() / 10)
        self.note(f"order {body}")
        return web.json_response({"id": self.orders, "price": body["price"]})


async def trade(venue: Venue, session: aiohttp.ClientSession) -> tuple[int, int]:
    """Every tenth frame sends an order, without waiting for its answer."""
    frames = 0

    async def send(price: int) -> None:
        async with session.post("/order", json={"price": price}) as answer:
            venue.note(f"answer {await answer.json()}")

    async with asyncio.TaskGroup() as group, session.ws_connect("/prices", heartbeat=10) as socket:
        async for message in socket:
            frames += 1
            frame = message.json()
            venue.note(f"frame {frame}")
            if frames % 10 == 0:
                group.create_task(send(frame["price"]))
    return frames, venue.orders


def ten_minutes(seed: int, latency: float, seconds: int = 600) -> tuple[int, int, float, str]:
    async def main(loop: VirtualLoop) -> tuple[int, int, float, str]:
        venue = Venue(loop, random.Random(seed), seconds)
        routes = web.get("/prices", venue.prices), web.post("/order", venue.order)
        async with serving(*routes), client() as session:
            frames, orders = await trade(venue, session)
            elapsed = loop.time()
        return frames, orders, elapsed, hashlib.sha256("\n".join(venue.log).encode()).hexdigest()

    return run_virtual(main, latency=latency)


@pytest.mark.parametrize("latency", [0.0, 0.03], ids=["no latency", "30 ms"])
def test_ten_virtual_minutes_of_aiohttp_are_the_same_each_time(latency: float) -> None:
    frames, orders, elapsed, digest = ten_minutes(seed=7, latency=latency)
    # 600 s at 2 frames/s; every tenth frame is an order.
    assert (frames, orders) == (1200, 120)
    assert 600 <= elapsed < 602
    assert ten_minutes(seed=7, latency=latency) == (frames, orders, elapsed, digest)
    assert ten_minutes(seed=8, latency=latency)[3] != digest


def test_a_message_needs_its_latency() -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async def main(loop: VirtualLoop) -> tuple[float, float]:
        async with serving(web.post("/", echo)), client() as session:
            before = loop.time()
            async with session.post("/", data=b"x") as answer:
                await answer.read()
            first, before = loop.time() - before, loop.time()
            loop.set_latency(0.5, "venue")
            async with session.post("/", data=b"x") as answer:
                await answer.read()
            return first, loop.time() - before

    first, second = run_virtual(main, latency=0.25)
    # Connecting and asking are two round trips of 2 x 0.25 s; the second request finds the connection open: 2 x 0.5 s.
    assert first == pytest.approx(1.0)
    assert second == pytest.approx(1.0)


def test_timers_of_one_moment_come_in_the_order_in_which_they_were_set() -> None:
    async def main(loop: VirtualLoop) -> list[int]:
        done: list[int] = []
        for number in range(50):
            loop.call_later(1.5 if number % 3 else 1.0, done.append, number)
        await asyncio.sleep(2)
        return done

    ones = list(range(0, 50, 3))
    assert run_virtual(main) == ones + [number for number in range(50) if number % 3]


# -- what goes wrong on a wire


def test_client_timeout_fires_in_virtual_time() -> None:
    async def silent(_: web.Request) -> web.Response:
        await asyncio.sleep(3600)
        return web.Response()

    async def main(loop: VirtualLoop) -> float:
        async with serving(web.get("/", silent)), client(timeout=aiohttp.ClientTimeout(total=3)) as session:
            with pytest.raises(asyncio.TimeoutError):
                await session.get("/")
            return loop.time()

    assert run_virtual(main) == pytest.approx(3.0)


def test_heartbeat_finds_a_server_that_has_gone_silent() -> None:
    async def deaf(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        return socket

    async def main(loop: VirtualLoop) -> float:
        async with serving(web.get("/", deaf)), client() as session, session.ws_connect("/", heartbeat=10) as socket:
            message = await socket.receive()
            assert message.type in {aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSED}
            return loop.time()

    # A ping after 10 s, and half of that again for the answer.
    assert 15 <= run_virtual(main) <= 16


def test_a_server_that_closes_midway_is_a_clean_disconnect() -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    async def main(_: VirtualLoop) -> None:
        async with serving(web.get("/", half)), client() as session, session.get("/") as answer:
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()

    run_virtual(main)


def test_a_websocket_that_is_cut_ends_the_client_loop() -> None:
    async def cut(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str("one")
        await asyncio.sleep(1)
        assert request.transport is not None
        request.transport.abort()
        return socket

    async def main(loop: VirtualLoop) -> tuple[list[str], float]:
        async with serving(web.get("/", cut)), client() as session, session.ws_connect("/") as socket:
            seen = [message.data async for message in socket]
            return [text for text in seen if isinstance(text, str)], loop.time()

    assert run_virtual(main) == (["one"], 1.0)


def test_connecting_to_nobody_is_refused() -> None:
    async def main(_: VirtualLoop) -> None:
        async with client() as session:
            with pytest.raises(aiohttp.ClientConnectorError, match="nobody listens at venue"):
                await session.get("/")

    run_virtual(main)


def test_a_path_can_be_listened_at_again_once_the_server_is_closed() -> None:
    async def main(_: VirtualLoop) -> None:
        async with serving():
            with pytest.raises(OSError, match="already listens"):
                async with serving():
                    pass
        async with serving():
            pass

    run_virtual(main)


def test_there_is_no_way_out_to_the_network() -> None:
    async def main(loop: VirtualLoop) -> None:
        for attempt in (
            loop.create_connection(asyncio.Protocol, "127.0.0.1", 1),
            loop.create_server(asyncio.Protocol, "127.0.0.1", 1),
            loop.getaddrinfo("localhost", 1),
        ):
            with pytest.raises(NotImplementedError, match="no network"):
                await attempt

    run_virtual(main)


# -- streams, the parts that aiohttp does not touch


class Recorder(asyncio.Protocol):
    """Keeps what it was told; holds its end open at the other's end of file if asked to."""

    def __init__(self, keep_open: bool = False) -> None:
        self.told: list[object] = []
        self.keep_open = keep_open
        self.transport: MemoryTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, MemoryTransport)
        self.transport = transport
        self.told.append("made")

    def data_received(self, data: bytes) -> None:
        if data == b"fail":
            raise ValueError("planted")
        self.told.append(data)

    def eof_received(self) -> bool:
        self.told.append("eof")
        return self.keep_open

    def connection_lost(self, error: BaseException | None) -> None:
        self.told.append(f"lost {type(error).__name__}" if error else "lost")

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")


async def pair(loop: VirtualLoop, keep_open: bool = False) -> tuple[Recorder, Recorder]:
    ours, theirs = Recorder(), Recorder(keep_open)
    server = await loop.create_unix_server(lambda: theirs, "pair")
    await loop.create_unix_connection(lambda: ours, "pair")
    server.close()
    return ours, theirs


def test_close_delivers_what_was_written_and_then_the_end() -> None:
    async def main(loop: VirtualLoop) -> None:
        ours, theirs = await pair(loop)
        buffer = bytearray(b"one")
        ours.transport.write(buffer)
        buffer[:] = b"xxx"
        ours.transport.writelines([b"t", b"wo"])
        ours.transport.close()
        ours.transport.write(b"late")
        await loop.settle()
        assert ours.told == ["made", "lost"]
        assert theirs.told == ["made", b"one", b"two", "eof", "lost"]

    run_virtual(main)


def test_abort_drops_what_is_on_the_way_and_resets_the_other_side() -> None:
    async def main(loop: VirtualLoop) -> None:
        ours, theirs = await pair(loop)
        ours.transport.write(b"one")
        ours.transport.abort()
        assert ours.transport.is_closing()
        await loop.settle()
        assert ours.told == ["made", "lost"]
        assert theirs.told == ["made", "lost ConnectionResetError"]

    run_virtual(main)


def test_half_close_leaves_the_way_back_open() -> None:
    async def main(loop: VirtualLoop) -> None:
        ours, theirs = await pair(loop, keep_open=True)
        assert ours.transport.can_write_eof()
        ours.transport.write_eof()
        with pytest.raises(RuntimeError, match="after write_eof"):
            ours.transport.write(b"x")
        await loop.settle()
        theirs.transport.write(b"answer")
        theirs.transport.close()
        await loop.settle()
        assert ours.told == ["made", b"answer", "eof", "lost"]
        assert theirs.told == ["made", "eof", "lost"]

    run_virtual(main)


def test_writing_to_a_side_that_is_gone_resets_the_writer() -> None:
    async def main(loop: VirtualLoop) -> None:
        ours, theirs = await pair(loop, keep_open=True)
        ours.transport.close()
        await loop.settle()
        theirs.transport.write(b"anyone?")
        await loop.settle()
        assert theirs.told == ["made", "eof", "lost ConnectionResetError"]

    run_virtual(main)


def test_closing_with_unread_bytes_resets_the_writer() -> None:
    async def main(loop: VirtualLoop) -> None:
        ours, theirs = await pair(loop, keep_open=True)
        ours.transport.pause_reading()
        theirs.transport.write(b"unread")
        await loop.settle()
        ours.transport.close()
        await loop.settle()
        assert theirs.told == ["made", "eof", "lost ConnectionResetError"]

    run_virtual(main)


def test_a_paused_reader_pauses_the_writer() -> None:
    async def main(loop: VirtualLoop) -> None:
        ours, theirs = await pair(loop)
        ours.transport.set_write_buffer_limits(high=4, low=2)
        assert ours.transport.get_write_buffer_limits() == (2, 4)
        theirs.transport.pause_reading()
        assert not theirs.transport.is_reading()
        ours.transport.write(b"123")
        ours.transport.write(b"45")
        await loop.settle()
        assert ours.told == ["made", "pause"]
        assert ours.transport.get_write_buffer_size() == 5
        theirs.transport.resume_reading()
        await loop.settle()
        assert ours.told == ["made", "pause", "resume"]
        assert theirs.told == ["made", b"123", b"45"]
        ours.transport.close()

    run_virtual(main)


def test_bytes_stay_in_order_when_the_latency_shrinks() -> None:
    async def main(loop: VirtualLoop) -> None:
        ours, theirs = await pair(loop)
        loop.set_latency(1.0)
        ours.transport.write(b"slow")
        loop.set_latency(0.0)
        ours.transport.write(b"fast")
        await asyncio.sleep(0.9)
        assert theirs.told == ["made"]
        await asyncio.sleep(0.2)
        assert theirs.told == ["made", b"slow", b"fast"]
        ours.transport.close()

    run_virtual(main)


def test_a_protocol_that_fails_loses_its_connection_and_not_the_loop() -> None:
    async def main(loop: VirtualLoop) -> list[str]:
        errors: list[str] = []
        loop.set_exception_handler(lambda _, context: errors.append(str(context["exception"])))
        ours, theirs = await pair(loop)
        ours.transport.write(b"fail")
        await loop.settle()
        assert theirs.told == ["made", "lost ValueError"]
        assert ours.told == ["made", "lost ConnectionResetError"]
        return errors

    assert run_virtual(main) == ["planted"]


def test_asyncio_streams_and_server_work() -> None:
    async def main(_: VirtualLoop) -> bytes:
        async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write((await reader.read()).upper())
            await writer.drain()
            writer.close()

        server = await asyncio.start_unix_server(shout, "shout")
        async with server:
            reader, writer = await asyncio.open_unix_connection("shout")
            writer.write(b"hello")
            writer.write_eof()
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
        await server.wait_closed()
        return answer

    assert run_virtual(main) == b"HELLO"


# -- the clock


def test_the_clock_counts_from_the_start_and_does_not_drift() -> None:
    async def main(loop: VirtualLoop) -> list[int]:
        stamps = [loop.clock.now()]
        for _ in range(1000):
            await asyncio.sleep(0.1)
        stamps.append(loop.clock.now())
        return stamps

    start = parse_time("2020-03-12T10:00:00Z")
    assert run_virtual(main, start=start) == [start, start + 100 * SECOND]
    assert iso(DEFAULT_START) == "2019-05-28T00:00:00.000Z"


def test_timers_fire_far_from_zero() -> None:
    async def main(loop: VirtualLoop) -> float:
        await asyncio.sleep(3e8)
        await asyncio.sleep(0.1)
        return loop.time()

    # About ten years: a float's step is 6e-8 s there.
    assert run_virtual(main) == pytest.approx(3e8 + 0.1, abs=1e-6)


def test_asyncio_timeout_wait_for_and_task_group_use_virtual_time() -> None:
    async def main(loop: VirtualLoop) -> list[float]:
        seen = []
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.sleep(3600)
        seen.append(loop.time())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loop.create_future(), 5)
        seen.append(loop.time())
        async with asyncio.TaskGroup() as group:
            for seconds in (10, 20):
                group.create_task(asyncio.sleep(seconds))
        seen.append(loop.time())
        return seen

    assert run_virtual(main) == [30, 35, 55]


def test_a_failing_task_group_cancels_in_the_order_of_creation() -> None:
    async def main(_: VirtualLoop) -> list[int]:
        ended: list[int] = []

        async def wait(number: int) -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                ended.append(number)

        async def fail() -> None:
            await asyncio.sleep(1)
            raise ValueError

        async def all_together() -> None:
            async with asyncio.TaskGroup() as group:
                for number in range(20):
                    group.create_task(wait(number))
                group.create_task(fail())

        with pytest.raises(ExceptionGroup):
            await all_together()
        return ended

    assert run_virtual(main) == list(range(20))


def test_tasks_are_named_alike_in_every_run() -> None:
    async def main(_: VirtualLoop) -> list[str]:
        tasks = [asyncio.create_task(asyncio.sleep(0)), asyncio.create_task(asyncio.sleep(0), name="mine")]
        await asyncio.gather(*tasks)
        return [task.get_name() for task in tasks]

    assert run_virtual(main) == run_virtual(main) == ["Task-2", "mine"]


def test_an_executor_runs_inline() -> None:
    def stop() -> None:
        raise StopIteration

    async def main(loop: VirtualLoop) -> str:
        order: list[str] = []
        future = loop.run_in_executor(None, order.append, "inside")
        order.append("after")
        await future
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        with pytest.raises(RuntimeError, match="StopIteration"):
            await loop.run_in_executor(None, stop)
        return " ".join(order)

    assert run_virtual(main) == "inside after"


# -- how a run ends


def test_a_deadlock_names_the_tasks_that_wait() -> None:
    async def waits_for_nobody() -> None:
        await asyncio.get_running_loop().create_future()

    async def main(_: VirtualLoop) -> None:
        await asyncio.sleep(2.5)
        async with asyncio.TaskGroup() as group:
            group.create_task(waits_for_nobody(), name="listener")

    with pytest.raises(Deadlock, match=r"2\.500 s.*main at.*listener \(.*waits_for_nobody at test_virtual\.py:\d+\)"):
        run_virtual(main)


def test_a_task_left_running_is_an_error_and_is_cancelled() -> None:
    ended: list[str] = []

    async def forgotten() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("cancelled")

    async def main(_: VirtualLoop) -> asyncio.Task[None]:
        task = asyncio.create_task(forgotten(), name="forgotten")
        await asyncio.sleep(1)
        return task

    with pytest.raises(LeakedTasks, match="forgotten"):
        run_virtual(main)
    assert ended == ["cancelled"]


def test_cancelling_a_request_cleans_up_on_both_sides() -> None:
    ended: list[str] = []

    async def slow(_: web.Request) -> web.Response:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("server")
        return web.Response()

    async def main(loop: VirtualLoop) -> float:
        async with serving(web.get("/", slow)), client() as session:

            async def ask() -> None:
                try:
                    await session.get("/")
                finally:
                    ended.append("client")

            task = asyncio.create_task(ask())
            await asyncio.sleep(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        return loop.time()

    # Less than an hour: nobody waited for the handler's sleep.
    assert run_virtual(main) < 60
    assert sorted(ended) == ["client", "server"]


def test_an_error_of_the_program_comes_out_and_the_rest_is_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        task = asyncio.create_task(asyncio.sleep(3600))
        raise ValueError(f"mine, {task.done()}")

    with pytest.raises(ValueError, match="mine"):
        run_virtual(main())
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
