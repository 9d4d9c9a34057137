"""BitMEX's simulator as a process of its own, for tests of commands that are pointed at one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.workbench import environment


@contextmanager
def simulator(*flags: str) -> Iterator[str]:
    """The base of one that runs as long as the block: `http://127.0.0.1:N`."""
    child = subprocess.Popen(
        [sys.executable, "-m", "hbkit", "simulator", "bitmex", *flags],
        env=environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    try:
        yield child.stdout.readline().split()[1].removeprefix("rest=").removesuffix("/api/v1")
    finally:
        child.terminate()
        child.communicate(timeout=10)
