"""A run against the simulator, and the account's history as the exchange's REST tells it afterwards."""

from __future__ import annotations

import csv
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from hbkit.clock import SECOND
from hbkit.exchange import Address, ExchangeSpec, SimulatorOptions
from plugins.bitmex.tests.connector.scene import Ground

PAGE = 500
"""The most rows that the exchange gives at once (4.1)."""

History = dict[str, list[dict[str, Any]]]


def exporting(history: History) -> Callable[..., Ground]:
    """A ground that reads the account's history when the run is over and before the simulator goes."""

    class Exporting(Ground):
        @asynccontextmanager
        async def simulator(
            self, spec: ExchangeSpec, options: SimulatorOptions, on_end: Callable[[str], None], latency: int
        ) -> AsyncIterator[Address]:
            async with super().simulator(spec, options, on_end, latency) as address:
                yield address
                self._loop.set_latency(0.0, spec.simulator)
                history["wallet"] = await self._get("/user/walletHistory?currency=all&count=10000")
                history["trades"] = await self._pages("/execution/tradeHistory")
                history["executions"] = await self._pages("/execution")

        async def _pages(self, route: str) -> list[dict[str, Any]]:
            rows: list[dict[str, Any]] = []
            while len(page := await self._get(f"{route}?count={PAGE}&start={len(rows)}")) == PAGE:
                rows += page
            return rows + page

        async def _get(self, route: str) -> list[dict[str, Any]]:
            target = f"/api/v1{route}"
            at = str(self.running.simulator.hub._clock.now() // SECOND + 10)
            digest = hmac.new(b"demo-secret", f"GET{target}{at}".encode(), hashlib.sha256).hexdigest()
            headers = {"api-key": "demo", "api-expires": at, "api-signature": digest}
            async with (
                aiohttp.ClientSession(connector=aiohttp.UnixConnector(path="bitmex")) as http,
                http.get(URL(f"http://simulator{target}", encoded=True), headers=headers) as answer,
            ):
                found = json.loads(await answer.text())
            assert answer.status == 200, found
            return list(found)

    return Exporting


def as_json(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """The rows as one list."""
    path.write_text(json.dumps(list(rows), indent=1), encoding="utf-8")
    return path


def as_csv(path: Path, rows: Iterable[Mapping[str, Any]], columns: Iterable[str] = ()) -> Path:
    """The rows as CSV, with these columns or with all that occur."""
    told = list(rows)
    heads = list(columns) or list(dict.fromkeys(name for row in told for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, heads, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(told)
    return path
