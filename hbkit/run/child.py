"""An exchange's own simulator as a child process of a run: started, waited for, ended with it.

It is a process of its own so that a strategy that blocks does not stop its market.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import AsyncIterator, Sequence

from hbkit.errors import ExchangeError

READY_SECONDS = 30.0
_READY = re.compile(r"ready rest=(?P<rest>\S+) ws=(?P<ws>\S+)")


@contextlib.asynccontextmanager
async def simulator(word: str, flags: Sequence[str]) -> AsyncIterator[tuple[str, str]]:
    """Run `hbkit simulator WORD FLAGS`; yields its REST base and its WebSocket address.

    Raises ExchangeError with what it printed when it does not get ready.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hbkit", "simulator", word, *flags,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # Its own group: a Ctrl-C on the terminal is for the run, which then ends its simulator.
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    drain: asyncio.Task[bytes] | None = None
    try:
        async with asyncio.timeout(READY_SECONDS):
            line = (await process.stdout.readline()).decode(errors="replace")
        found = _READY.search(line)
        if found is None:
            said = (await process.stderr.read()).decode(errors="replace").strip() or line.strip()
            raise ExchangeError(f"the simulator of {word} did not start: {said or 'it said nothing'}", code="HB435")
        # Nobody reads what it logs from here on, and a full pipe would stop it.
        drain = asyncio.create_task(process.stderr.read())
        yield found["rest"], found["ws"]
    except TimeoutError:
        raise ExchangeError(
            f"the simulator of {word} was not ready within {READY_SECONDS:g} s", code="HB435"
        ) from None
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(5):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        if drain is not None:
            await drain
