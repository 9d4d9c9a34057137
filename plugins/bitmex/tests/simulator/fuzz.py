"""Requests that schemathesis makes up from the API's own description: whatever is sent, nothing breaks inside.

    python -m plugins.bitmex.tests.simulator.fuzz --requests 10000 --seed 1

A real server on loopback, every operation of the description, signed; half of the made-up symbols, types and
currencies are exchanged for real ones, so that requests get past the first check. Prints each request that was
answered with 500 or more, as a curl line.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
import schemathesis
from hbkit_bitmex.simulator import Options, serve
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from requests.auth import AuthBase

from hbkit.chance import Chance
from hbkit.clock import SECOND, WallClock

BROKEN = 500
REAL: dict[str, tuple[Any, ...]] = {
    "symbol": ("XBTUSD", "XBTUSDT", "XBT_USDT", ".BXBT", "XBT", "XBT:perpetual"),
    "side": ("Buy", "Sell"),
    "orderQty": (100, 1000, -100, 0),
    "price": (1, 5000.0, 8700, 8700.1, 1e6),
    "stopPx": (8000, 9000.5),
    "ordType": ("Limit", "Market", "Stop", "StopLimit", "MarketIfTouched", "LimitIfTouched", "Pegged"),
    "timeInForce": ("GoodTillCancel", "ImmediateOrCancel", "FillOrKill", "Day"),
    "execInst": ("ParticipateDoNotInitiate", "ReduceOnly", "Close", "Close,LastPrice", "MarkPrice"),
    "pegPriceType": ("TrailingStopPeg", "PrimaryPeg", "MarketPeg", "LastPeg"),
    "strategy": ("OneWay", "Long", "Short"),
    "currency": ("XBt", "USDt", "all", "xbt"),
    "filter": ('{"symbol":"XBTUSD"}', '{"open":true}', '{"side":["Buy"]}', '{"startTime":"2026-01-01"}'),
    "columns": ('["price"]', "price,side", "timestamp"),
    "count": (1, 500, 10000),
    "startTime": ("2026-01-01", "2099-01-01T00:00:00.000Z", "1700000000000"),
    "leverage": (0, 0.01, 5, 100),
    "timeout": (0, 60_000),
}


@dataclass
class Findings:
    """What the server said, and what made it fail."""

    statuses: Counter[int] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


class Signed(AuthBase):
    """Signs what is really sent."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        url, at = urlsplit(request.url or ""), str(WallClock().now() // SECOND + 60)
        target = f"{url.path}?{url.query}" if url.query else url.path
        body = request.body or b""
        message = f"{request.method}{target}{at}".encode() + (body.encode() if isinstance(body, str) else body)
        sign = hmac.new(b"demo-secret", message, hashlib.sha256).hexdigest()
        request.headers.update({"api-key": "demo", "api-expires": at, "api-signature": sign})
        return request


@contextmanager
def served() -> Iterator[str]:
    """A simulator without limits in a thread of its own; where it listens."""
    ready, stop, where = threading.Event(), threading.Event(), [""]

    async def run() -> None:
        running = await serve(Options(limits=False, history=120 * SECOND), clock=WallClock(), chance=Chance(1))
        where[0] = running.rest.removesuffix("/api/v1")
        ready.set()
        await asyncio.to_thread(stop.wait)
        await running.close()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    if not ready.wait(30):
        raise TimeoutError("the simulator did not start")
    try:
        yield where[0]
    finally:
        stop.set()
        thread.join()


def campaign(total: int, number: int, step: int = 1) -> Findings:
    """Send about `total` requests, drawn from the seed `number`, to each `step`-th operation."""
    findings = Findings()
    with served() as base, requests.Session() as session:
        session.auth = Signed()
        schema = schemathesis.openapi.from_url(f"{base}/api/explorer/swagger.json")
        operations = [found.ok() for found in schema.get_all_operations()][number % step :: step]
        each = max(1, round(total / len(operations)))
        for operation in operations:
            _try(operation, base, session, each, number, findings)
    return findings


def _try(operation: Any, base: str, session: requests.Session, count: int, number: int, findings: Findings) -> None:
    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), data=st.data())
    def one(case: Any, data: st.DataObject) -> None:
        for part in (case.query, case.body):
            for name in part if isinstance(part, dict) else ():
                if name in REAL and data.draw(st.booleans()):
                    part[name] = data.draw(st.sampled_from(REAL[name]))
        answer = case.call(base_url=f"{base}/api/v1", session=session)
        findings.statuses[answer.status_code] += 1
        if answer.status_code >= BROKEN:
            findings.broken.append(case.as_curl_command())

    one()


def main() -> int:
    """Run a campaign and say what came of it."""
    parser = argparse.ArgumentParser(description="Made-up requests against the simulator.")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    findings = campaign(chosen.requests, chosen.seed)
    for line in findings.broken:
        sys.stdout.write(f"{line}\n")
    counts = ", ".join(f"{status}: {count}" for status, count in sorted(findings.statuses.items()))
    sys.stdout.write(f"{findings.statuses.total()} requests; {counts}\n")
    return 1 if findings.broken else 0


if __name__ == "__main__":
    sys.exit(main())
