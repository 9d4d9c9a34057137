"""The HTTP client against real servers: on the virtual loop where time matters, on loopback where sockets do."""

import asyncio
import logging
import ssl
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from email.utils import formatdate
from io import StringIO
from pathlib import Path
from types import TracebackType

import aiohttp
import pytest
from aiohttp import web

from hbkit import log
from hbkit.clock import SECOND, ManualClock, WallClock
from hbkit.errors import ConfigError, ExchangeError, RateLimited, WireError
from hbkit.net.http import (
    HttpClient,
    RequestDisconnected,
    RequestTimeout,
    Response,
    ServerClock,
    may_have_arrived,
)
from hbkit.net.limits import LoopClock, RateBudget, TokenBucket
from hbkit.net.virtual import VirtualLoop, run_virtual

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

KEY, SIGNATURE, QUERY = "canary-key-0123456789", "canary-signature-fedcba9876543210", "canary-query-31415926"

#: A server's certificate for localhost and its key, made for this test; nothing else trusts it.
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBYTCCAQegAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMTkwNTI4MDAwMDAwWhgPMjExOTA1MjgwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABK65dlusRQFu87zQ
LhZoC9tK5kpjQk34GVla2+wLrt23ETJ1tqS3QyuU1E4P+qc2ywCk/cgQdznEGozQ
V0WbLoajSDBGMBQGA1UdEQQNMAuCCWxvY2FsaG9zdDAPBgNVHRMBAf8EBTADAQH/
MB0GA1UdDgQWBBQuWAicsohOyZdQOkL7I6jJPtTrMDAKBggqhkjOPQQDAgNIADBF
AiEAiuYox+YqgJVilFrw8TZW3SMbFYGUhFwki536W2gU7YQCIBc/OMUSwDqVmToD
3E0IluidOhFgEg5GyjZ7EFQoT3uJ
-----END CERTIFICATE-----
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgiEkTkhYOc4VaqjSJ
Jnzi+IG+4dOsFtRHV1Ak8oj1lHehRANCAASuuXZbrEUBbvO80C4WaAvbSuZKY0JN
+BlZWtvsC67dtxEydbakt0MrlNROD/qnNssApP3IEHc5xBqM0FdFmy6G
-----END PRIVATE KEY-----
"""


@asynccontextmanager
async def serving(handler: Handler, path: str = "venue") -> AsyncIterator[None]:
    """An aiohttp server at `path` that hands every request to `handler`."""
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{rest:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)
    await runner.setup()
    try:
        await web.UnixSite(runner, path).start()
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def listening(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The same on a loopback socket; its port."""
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def unix(path: str = "venue") -> Callable[[], aiohttp.BaseConnector]:
    return lambda: aiohttp.UnixConnector(path=path)


def error_of(status: int, body: bytes, headers: Mapping[str, str]) -> Exception:
    if status == 429:
        return RateLimited(body.decode(), retry_after=float(headers.get("Retry-After", 0)))
    return ExchangeError(f"{status} {body.decode('ascii')}")


def sign(verb: str, target: str, body: bytes) -> dict[str, str]:
    return {"api-key": KEY, "api-signature": f"{SIGNATURE}|{verb}|{target}|{body.decode()}"}


def client(loop: VirtualLoop, **options: object) -> HttpClient:
    given = {"clock": loop.clock, "error_of": error_of, "connector_factory": unix(), "sign": sign, **options}
    return HttpClient("http://venue/api/v1", **given)


@pytest.fixture
def lines() -> Iterator[StringIO]:
    """What is logged, down to DEBUG."""
    stream = StringIO()
    log.configure(level="debug", stream=stream, clock=ManualClock())
    yield stream
    log.close()


async def hang(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()


async def cut(request: web.Request) -> web.Response:
    request.transport.abort()
    await asyncio.Event().wait()
    return web.Response()


async def cut_in_the_body(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Length": "1000"})
    await answer.prepare(request)
    await answer.write(b"[1, 2, ")
    request.transport.close()
    return answer


# -- what is signed is what is sent


@pytest.mark.parametrize(
    ("verb", "path", "params", "body", "target"),
    [
        ("GET", "/instrument", None, b"", "/api/v1/instrument"),
        (
            "GET",
            "/order",
            {"filter": '{"a": "b/c+d"}', "count": 5},
            b"",
            "/api/v1/order?filter=%7B%22a%22%3A%20%22b%2Fc%2Bd%22%7D&count=5",
        ),
        ("GET", "/order", "filter=%7b%22a%22:+1%7D&x=a%2cb", b"", "/api/v1/order?filter=%7b%22a%22:+1%7D&x=a%2cb"),
        ("GET", "/a//b/../c%2F%7E", None, b"", "/api/v1/a//b/../c%2F%7E"),
        ("POST", "/order", None, b'{"text": "  spaces  "}', "/api/v1/order"),
        ("DELETE", "/order", {"id": "x y"}, b'{"a":1}', "/api/v1/order?id=x%20y"),
        ("delete", "/order?a=1", {"b": 2}, b"", "/api/v1/order?a=1&b=2"),
    ],
)
def test_what_is_signed_is_what_is_sent(verb: str, path: str, params: object, body: bytes, target: str) -> None:
    seen: list[tuple[str, str, str, str]] = []

    async def handler(request: web.Request) -> web.Response:
        text = (await request.read()).decode()
        seen.append((request.method, request.raw_path, text, request.headers["api-signature"]))
        return web.Response(body=b"[]")

    async def main(loop: VirtualLoop) -> Response:
        async with serving(handler), client(loop) as http:
            return await http.request(verb, path, params=params, body=body)

    assert run_virtual(main).body == b"[]"
    text = body.decode()
    assert seen == [(verb.upper(), target, text, f"{SIGNATURE}|{verb.upper()}|{target}|{text}")]


@pytest.mark.parametrize("path", ["order", "/a b", "/a\r\nX: 1", "/a#b", "/\u00e9"])
def test_a_path_that_would_be_rewritten_is_refused(path: str) -> None:
    async def main(loop: VirtualLoop) -> None:
        async with client(loop) as http:
            with pytest.raises(ValueError, match="printable ASCII"):
                await http.request("GET", path)

    run_virtual(main)


@pytest.mark.parametrize("value", [1e-8, True, None])
def test_a_parameter_that_has_no_one_spelling_is_refused(value: object) -> None:
    async def main(loop: VirtualLoop) -> None:
        async with client(loop) as http:
            with pytest.raises(TypeError, match="parameter price"):
                await http.request("GET", "/order", params={"price": value})

    run_virtual(main)


@pytest.mark.parametrize("url", ["venue", "ftp://venue", "https://me:pass@venue", "https://venue/?a=b"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        HttpClient(url, clock=ManualClock(), error_of=error_of)


# -- what the wire does


def failure_of(handler: Handler | None, verb: str = "POST", **options: object) -> tuple[BaseException, float]:
    """What one request raises, and when."""

    async def ask(loop: VirtualLoop) -> tuple[BaseException, float]:
        async with client(loop, **options) as http:
            with pytest.raises(ExchangeError) as caught:
                await http.request(verb, "/order", params={"secret": QUERY}, body=b"{}")
            return caught.value, loop.time()

    async def main(loop: VirtualLoop) -> tuple[BaseException, float]:
        if handler is None:
            return await ask(loop)
        async with serving(handler):
            return await ask(loop)

    return run_virtual(main)


def test_refused_means_not_sent() -> None:
    error, _ = failure_of(None)
    assert isinstance(error, RequestDisconnected)
    assert not error.sent
    assert "POST /api/v1/order: no connection" in error.message
    assert "it was not sent" in error.message


def test_no_answer_in_time_may_have_arrived() -> None:
    error, at = failure_of(hang)
    assert isinstance(error, RequestTimeout)
    assert error.sent
    assert at == 10.0


def test_no_connection_in_time_means_not_sent() -> None:
    error, at = failure_of(hang, connector_factory=SlowConnector)
    assert isinstance(error, RequestTimeout)
    assert not error.sent
    assert at == 5.0


class SlowConnector(aiohttp.UnixConnector):
    """A connect that never ends: a host that drops every packet."""

    def __init__(self) -> None:
        super().__init__(path="venue")

    async def _create_connection(self, *_: object, **__: object) -> object:  # type: ignore[override]
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.parametrize("handler", [cut, cut_in_the_body])
def test_a_connection_that_breaks_may_have_delivered(handler: Handler) -> None:
    error, _ = failure_of(handler)
    assert isinstance(error, RequestDisconnected)
    assert error.sent


def test_what_knows_nothing_may_have_arrived() -> None:
    assert may_have_arrived(ExchangeError("?"))
    assert not may_have_arrived(RequestTimeout("held", sent=False))


def test_a_server_that_speaks_no_http_may_have_read_the_request() -> None:
    async def main(loop: VirtualLoop) -> BaseException:
        class Chatter(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                transport.write(b"220 mail ready\r\n\r\n")  # type: ignore[attr-defined]

        server = await loop.create_unix_server(Chatter, "venue")
        async with client(loop) as http:
            with pytest.raises(RequestDisconnected) as caught:
                await http.request("POST", "/order")
        server.close()
        return caught.value

    assert may_have_arrived(run_virtual(main))


@pytest.mark.parametrize("verb", ["GET", "PUT", "DELETE", "POST"])
def test_nothing_is_ever_sent_twice(verb: str) -> None:
    arrived: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        arrived.append(request.path)
        if request.path.endswith("/first"):
            return web.Response()
        return await cut(request)

    async def main(loop: VirtualLoop) -> None:
        async with serving(handler), client(loop) as http:
            await http.request(verb, "/first")
            # On a kept connection aiohttp sends GET, PUT and DELETE again by itself.
            with pytest.raises(RequestDisconnected):
                await http.request(verb, "/second")

    run_virtual(main)
    assert arrived == ["/api/v1/first", "/api/v1/second"]


def test_an_answer_that_unpacks_to_more_than_fits_is_cut_off() -> None:
    async def bomb(_: web.Request) -> web.Response:
        answer = web.Response(body=bytes(5_000_000))
        answer.enable_compression(web.ContentCoding.gzip)
        return answer

    error, _ = failure_of(bomb, max_body=1_000_000)
    assert isinstance(error, RequestDisconnected)
    assert error.sent
    assert "larger than 1,000,000 bytes" in error.message


def test_a_body_below_the_cap_comes_whole() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=bytes(range(256)) * 20_000)

    async def main(loop: VirtualLoop) -> Response:
        async with serving(handler), client(loop) as http:
            return await http.request("GET", "/big")

    response = run_virtual(main)
    assert response.body == bytes(range(256)) * 20_000
    assert repr(response) == "Response(status=200, 5120000 bytes)"


def test_a_page_in_place_of_json_is_an_error_with_the_status() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=502, body="<html>\u00e9</html>".encode())

    error, _ = failure_of(handler)
    assert type(error) is ExchangeError
    assert "answers 502 with 15 bytes that cannot be read (UnicodeDecodeError)" in str(error)


def test_a_refusal_is_what_the_connector_makes_of_it() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=400, body=b"Invalid price")

    error, _ = failure_of(handler)
    assert str(error) == "error[HB400] 400 Invalid price"


def test_a_closed_client_sends_nothing() -> None:
    async def main(loop: VirtualLoop) -> None:
        http = client(loop)
        await http.close()
        with pytest.raises(RequestDisconnected, match="closed") as caught:
            await http.request("GET", "/")
        assert not caught.value.sent

    run_virtual(main)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(status: int) -> None:
    arrived: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        arrived.append(request.raw_path)
        return web.Response(status=status, headers={"Location": f"http://elsewhere/?{SIGNATURE}"})

    async def main(loop: VirtualLoop) -> BaseException:
        # On this connector every host is the same server: whatever is sent is seen.
        async with serving(handler), client(loop) as http:
            with pytest.raises(WireError, match=f"answers {status}, a redirect") as caught:
                await http.request("POST", "/order", body=b"{}")
            return caught.value

    error = run_virtual(main)
    assert may_have_arrived(error)
    assert SIGNATURE not in str(error)
    assert arrived == ["/api/v1/order"]


def test_a_redirect_to_another_host_gets_no_signed_byte() -> None:
    elsewhere: list[str] = []

    async def other(request: web.Request) -> web.Response:
        elsewhere.append(request.raw_path)
        return web.Response()

    async def main() -> None:
        async with listening(other) as port:

            async def handler(_: web.Request) -> web.Response:
                return web.Response(status=307, headers={"Location": f"http://localhost:{port}/"})

            async with (
                listening(handler) as first,
                HttpClient(f"http://127.0.0.1:{first}", clock=WallClock(), error_of=error_of, sign=sign) as http,
            ):
                with pytest.raises(WireError, match="not followed"):
                    await http.request("GET", "/order")

    asyncio.run(main())
    assert elsewhere == []


# -- TLS


@pytest.fixture
def server_tls(tmp_path: Path) -> ssl.SSLContext:
    file = tmp_path / "server.pem"
    file.write_text(CERTIFICATE)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context


@pytest.mark.parametrize("connector", [aiohttp.TCPConnector, lambda: aiohttp.TCPConnector(ssl=False)])
def test_a_certificate_that_nobody_vouches_for_gets_no_request(
    server_tls: ssl.SSLContext, connector: Callable[[], aiohttp.BaseConnector]
) -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response()

    async def main() -> BaseException:
        async with (
            listening(handler, server_tls) as port,
            HttpClient(
                f"https://localhost:{port}", clock=WallClock(), error_of=error_of, connector_factory=connector
            ) as http,
        ):
            with pytest.raises(RequestDisconnected, match="certificate is not trusted") as caught:
                await http.request("GET", "/")
            return caught.value

    assert not may_have_arrived(asyncio.run(main()))
    assert seen == []


def test_an_authority_of_your_own_can_be_named(server_tls: ssl.SSLContext) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=b"ok")

    async def main() -> bytes:
        tls = ssl.create_default_context(cadata=CERTIFICATE.partition("-----BEGIN PRIVATE")[0])
        async with (
            listening(handler, server_tls) as port,
            HttpClient(f"https://localhost:{port}", clock=WallClock(), error_of=error_of, tls=tls) as http,
        ):
            return (await http.request("GET", "/")).body

    assert asyncio.run(main()) == b"ok"


def test_verification_cannot_be_turned_off() -> None:
    lax = ssl.create_default_context()
    lax.check_hostname = False
    with pytest.raises(ConfigError, match="refused"):
        HttpClient("https://venue", clock=ManualClock(), error_of=error_of, tls=lax)


# -- no key in any error


def everything_in(error: BaseException | None) -> str:
    """All texts that a log, a debugger or a careless `except` could show of an error, locals of its frames included."""
    texts: list[str] = []
    while error is not None:
        texts += [str(error), repr(error), repr(error.args), repr(vars(error))]
        texts += traceback.format_exception(error)
        texts += [repr(list(frame.f_locals.items())) for frame in frames_of(error.__traceback__)]
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


def frames_of(trace: TracebackType | None) -> list:
    frames = []
    while trace is not None:
        # The test's own frames hold what the test knows.
        if "/tests/" not in trace.tb_frame.f_code.co_filename:
            frames.append(trace.tb_frame)
        trace = trace.tb_next
    return frames


async def unauthorized(_: web.Request) -> web.Response:
    return web.Response(status=401, body=b"Signature not valid.")


async def unreadable(_: web.Request) -> web.Response:
    return web.Response(status=503, body=b"\xff\xfe")


async def broken_gzip(_: web.Request) -> web.Response:
    return web.Response(body=b"no gzip", headers={"Content-Encoding": "gzip"})


@pytest.mark.parametrize(
    "handler",
    [None, hang, cut, cut_in_the_body, unauthorized, unreadable, broken_gzip],
    ids=lambda h: getattr(h, "__name__", "refused"),
)
@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_no_key_and_no_signature_in_any_error_or_log(
    handler: Handler | None, verb: str, caplog: pytest.LogCaptureFixture, lines: StringIO
) -> None:
    with caplog.at_level(logging.DEBUG):
        error, _ = failure_of(handler, verb)
        log.get_logger("test").error("failed", exc_info=error, error=error)
    shown = everything_in(error) + caplog.text + lines.getvalue()
    # The canaries were never given to `hide`: they stay out because nothing holds them, not because they are masked.
    for canary in (KEY, SIGNATURE):
        assert canary not in shown
    assert QUERY not in str(error) + caplog.text + lines.getvalue()
    assert error.__cause__ is None
    assert error.__context__ is None or type(error) is ExchangeError


# -- the budget


def budgeted(loop: VirtualLoop, **options: object) -> tuple[RateBudget, HttpClient]:
    budget = RateBudget({"minute": TokenBucket(120, 2.0, LoopClock())}, clock=loop.clock)
    return budget, client(loop, budget=budget, **options)


def test_after_a_429_nothing_leaves_before_its_time() -> None:
    arrived: list[float] = []

    async def main(loop: VirtualLoop) -> None:
        async def handler(_: web.Request) -> web.Response:
            arrived.append(loop.time())
            if len(arrived) == 1:
                return web.Response(status=429, headers={"Retry-After": "7"}, body=b"slow down")
            return web.Response()

        _, http = budgeted(loop)
        async with serving(handler), http:
            with pytest.raises(RateLimited) as caught:
                await http.request("POST", "/order")
            assert caught.value.retry_after == 7.0
            async with asyncio.TaskGroup() as group:
                group.create_task(http.request("DELETE", "/order", urgent=True))
                group.create_task(http.request("GET", "/order"))

    run_virtual(main)
    assert arrived == [0.0, 7.0, 7.0]


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (429, None, 1.0),
        (429, "soon", 1.0),
        (429, "nan", 1.0),
        (429, "-5", 1.0),
        (429, "2.5", 2.5),
        (503, "3", 3.0),
        (503, None, 0.0),
        (503, "Tue, 28 May 2019 00:00:30 GMT", 30.0),
        (429, "Mon, 27 May 2019 00:00:00 GMT", 0.0),
        (200, "9", 0.0),
    ],
)
def test_how_long_a_refusal_holds_everything_back(status: int, header: str | None, seconds: float) -> None:
    async def main(loop: VirtualLoop) -> float:
        async def handler(_: web.Request) -> web.Response:
            headers = {"Date": formatdate(loop.clock.now() / SECOND, usegmt=True)}
            return web.Response(
                status=status, headers=headers if header is None else {**headers, "Retry-After": header}
            )

        # The Date of a server whose clock is ours would still shift it by half a second.
        budget, http = budgeted(loop, server_clock=exact(loop))
        async with serving(handler), http:
            try:
                await http.request("GET", "/")
            except ExchangeError:
                return budget.paused
            return budget.paused

    assert run_virtual(main) == seconds


def exact(loop: VirtualLoop) -> ServerClock:
    clock = ServerClock(loop.clock)
    clock.sample(loop.clock.now(), loop.clock.now(), loop.clock.now())
    return clock


def test_the_budget_is_fed_by_headers() -> None:
    async def main(loop: VirtualLoop) -> tuple[float, float]:
        async def handler(_: web.Request) -> web.Response:
            return web.Response(headers={"X-Left": "30", "X-Full-In": "45"})

        def feed(_: int, headers: Mapping[str, str]) -> None:
            budget.sync("minute", float(headers["x-left"]), float(headers["x-full-in"]))

        budget, http = budgeted(loop, on_response=feed)
        async with serving(handler), http:
            await http.request("GET", "/")
            # 30 left, 24 of them for cancels: six more at once, the seventh when another token has come.
            for _ in range(6):
                await budget.take()
            before = loop.time()
            await budget.take()
            return before, loop.time()

    assert run_virtual(main) == (0.0, 0.5)


def test_a_hook_that_fails_does_not_make_an_accepted_order_look_failed(lines: StringIO) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=b"accepted")

    async def main(loop: VirtualLoop) -> bytes:
        async with serving(handler), client(loop, on_response=lambda *_: 1 / 0) as http:
            return (await http.request("POST", "/order", body=b"{}")).body

    assert run_virtual(main) == b"accepted"
    assert "ZeroDivisionError" in lines.getvalue()


def test_an_order_that_waits_too_long_for_the_budget_is_not_sent() -> None:
    async def main(loop: VirtualLoop) -> float:
        budget, http = budgeted(loop)
        budget.pause(60.0)
        async with http:
            with pytest.raises(RequestTimeout, match="rate limit held it for 2 s") as caught:
                await http.request("POST", "/order", patience=2.0)
        assert not caught.value.sent
        assert budget.waiting == 0
        return loop.time()

    assert run_virtual(main) == 2.0


def test_who_sends_is_told_when_the_wait_for_the_budget_is_over_and_may_still_say_no() -> None:
    async def main(loop: VirtualLoop) -> list[float]:
        left: list[float] = []
        budget, http = budgeted(loop)
        budget.pause(3.0)

        def leaving() -> None:
            left.append(loop.time())
            raise LookupError

        async with http:
            with pytest.raises(LookupError):
                await http.request("POST", "/order", leaving=leaving)
        return left

    assert run_virtual(main) == [3.0]


def test_it_is_signed_when_it_leaves_and_not_when_it_begins_to_wait() -> None:
    signed: list[float] = []

    async def handler(_: web.Request) -> web.Response:
        return web.Response()

    async def main(loop: VirtualLoop) -> None:
        def late(*_: object) -> dict[str, str]:
            signed.append(loop.time())
            return {}

        budget, http = budgeted(loop, sign=late)
        budget.pause(60.0)
        async with serving(handler), http:
            await http.request("POST", "/order")

    run_virtual(main)
    assert signed == [60.0]


# -- the server's time


@pytest.mark.parametrize("skew", [-60.0, -7.0, -0.2, 0.0, 7.0, 60.0])
def test_the_servers_time_is_known_from_its_answers(skew: float, lines: StringIO) -> None:
    async def main(loop: VirtualLoop) -> float:
        async def handler(_: web.Request) -> web.Response:
            return web.Response(headers={"Date": formatdate(loop.clock.now() / SECOND + skew, usegmt=True)})

        async with serving(handler), client(loop) as http:
            for _ in range(5):
                await http.request("GET", "/")
                await asyncio.sleep(1.3)
            return (http.server_clock.now() - loop.clock.now()) / SECOND

    # Whole seconds in the header: half a second is what it can be wrong by, and the way there and back.
    assert run_virtual(main, latency=0.02) == pytest.approx(skew, abs=0.55)
    assert ("differ" in lines.getvalue()) == (abs(skew) > 1.5)


def test_an_exact_sample_counts_before_dates_and_one_bad_one_does_not() -> None:
    clock = ManualClock(1000 * SECOND)
    server = ServerClock(clock)
    for offset in (2, 3, 2, 500, 2):
        server.sample((1000 + offset) * SECOND, 1000 * SECOND, 1000 * SECOND)
    assert server.offset == 2 * SECOND
    assert server.now() == 1002 * SECOND
    # Too slow, or over a jump of the clock: not counted.
    for sent, received in ((1000, 1003), (1000, 999)):
        server.sample(0, sent * SECOND, received * SECOND)
    assert (server.offset, server.samples) == (2 * SECOND, 5)


def test_a_clock_that_is_set_by_an_hour_is_made_up_for_after_three_answers() -> None:
    clock = ManualClock(1_559_001_600 * SECOND)
    server = ServerClock(clock)
    truth = clock.ts

    def ask() -> None:
        server.sample_date(formatdate(truth / SECOND, usegmt=True), clock.ts, clock.ts)

    for _ in range(5):
        ask()
        truth += 6 * SECOND
        clock.ts += 6 * SECOND
    clock.ts -= 3600 * SECOND
    for _ in range(3):
        ask()
        truth += 6 * SECOND
        clock.ts += 6 * SECOND
    assert abs(server.now() - truth) <= SECOND // 2


def test_a_date_out_of_a_cache_and_a_date_that_is_none_do_not_count() -> None:
    answers = iter([{"Date": "Tue, 28 May 2018 00:00:00 GMT", "Age": "86400"}, {"Date": "yesterday"}])

    async def handler(_: web.Request) -> web.Response:
        return web.Response(headers=next(answers))

    async def main(loop: VirtualLoop) -> int:
        async with serving(handler), client(loop) as http:
            for _ in range(2):
                await http.request("GET", "/")
            return http.server_clock.samples

    assert run_virtual(main) == 0
