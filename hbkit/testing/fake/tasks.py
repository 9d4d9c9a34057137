"""The tasks of a connector: each has an owner that ends it, and none fails unheard."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from hbkit.log import get_logger


class Tasks:
    """What runs beside the caller until it is done, or until all of it is ended."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._running: set[asyncio.Task[None]] = set()
        self._log = get_logger("fake")

    def start(self, what: str, work: Coroutine[Any, Any, None]) -> None:
        """From here on it runs."""
        task = asyncio.get_running_loop().create_task(work, name=f"{self._name} {what}")
        self._running.add(task)
        task.add_done_callback(self._done)

    async def end(self) -> None:
        """None of them runs when this returns."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.warning("failed", exchange=self._name, task=task.get_name(), reason=str(error))
