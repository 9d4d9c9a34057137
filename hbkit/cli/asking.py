"""What the commands share that ask one exchange by hand: which exchange is meant, how it is reached, its tables."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click

from hbkit.cli.output import say
from hbkit.errors import UsageError

if TYPE_CHECKING:
    from hbkit.run.plan import ExchangePlan
    from hbkit.run.visit import Visit

T = TypeVar("T")
OWN = "asking a simulator started for this: a recorded market, a fresh account; --url or --config names another"


@dataclass(frozen=True)
class Asked:
    """Which exchange is asked, and how."""

    exchange: str
    config: Path | None
    url: str | None
    debug: bool

    @property
    def where(self) -> str:
        """For messages and JSON: the base of a simulator, the file of a config, or `its own simulator`."""
        return self.url or (str(self.config) if self.config is not None else "its own simulator")


def exchange_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """EXCHANGE and the flags that all of these commands have; the function gets them as one `asked`."""

    @wraps(function)  # which takes along what click noted of the decorators below this one
    def command(*words: Any, exchange: str, config: Path | None, url: str | None, debug: bool, **more: Any) -> Any:
        if config is not None and url is not None:
            raise UsageError("--config and --url name two exchanges; give one of them")
        return function(*words, asked=Asked(exchange, config, _base(url), debug), **more)

    decorated: Callable[..., Any] = command
    for option in (
        click.option("--debug", is_flag=True, help="Log everything; show tracebacks."),
        click.option("--json", "as_json", is_flag=True, help="Print as one JSON object on the last line."),
        click.option("--url", metavar="BASE", help="A simulator that runs, without a path: http://127.0.0.1:8080."),
        click.option("--config", type=click.Path(path_type=Path), help="Use this config's block of that name."),
    ):
        decorated = option(decorated)
    return click.argument("exchange")(decorated)


def plan(asked: Asked, *, afresh: bool = False) -> ExchangePlan:
    """The exchange that is asked, found and checked.

    Nothing is sent, except to an exchange that has to be asked for its instruments: where none are kept, where those
    are older than a day and may have changed, or where they are wanted `afresh`.
    """
    from hbkit.config import load_config
    from hbkit.plugins import Plugins
    from hbkit.run.visit import plan_visit

    if asked.config is None:
        return plan_visit(asked.exchange, Plugins(), url=asked.url, afresh=afresh, warn=_warn)
    config = load_config(asked.config, environ=os.environ)
    plugins = Plugins(block=config.settings.plugins.block)
    return plan_visit(asked.exchange, plugins, config, afresh=afresh, warn=_warn)


def _warn(text: str) -> None:
    say(f"warning[HB442] {text}", err=True)


def ask(asked: Asked, found: ExchangePlan, work: Callable[[Visit], Awaitable[T]], *, account: bool = False) -> T:
    """Open the exchange, let `work` ask, close it again.

    :param account: the account is asked for, which takes a key.
    """
    from hbkit import log
    from hbkit.cli.connect import password_of
    from hbkit.clock import WallClock
    from hbkit.config.keystore import KeyStore, default_folder
    from hbkit.run.keys import take_kept_keys
    from hbkit.run.visit import check_visit, visit

    async def go() -> T:
        async with visit(found, account=account) as there:
            return await work(there)

    check_visit(found, account=account)
    if account:
        take_kept_keys([found], KeyStore(default_folder(os.environ)), password_of(os.environ))
    if found.feed == "simulator" and found.settings.simulator.url is None:
        say(OWN, err=True)
    # What the connection says of itself is of no use here: what fails is raised.
    log.configure(level="debug" if asked.debug else "error", stream=sys.stderr, clock=WallClock())
    try:
        return asyncio.run(go())
    finally:
        log.close()


def _base(url: str | None) -> str | None:
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound or parts.path.strip("/") or parts.query or parts.fragment:
        raise UsageError(f'--url "{url}" is no base without a path; write it as http://127.0.0.1:8080')
    return url.rstrip("/")


def aligned(rows: Sequence[Sequence[str]], *, left: Collection[int] = ()) -> str:
    """Columns two spaces apart, numbers flush right; the columns of `left` are words."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            f"{cell:<{wide}}" if column in left else f"{cell:>{wide}}"
            for column, (cell, wide) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def decimal_text(number: Decimal) -> str:
    """Plain decimal text: no exponent, no idle zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def grid_text(number: float | Decimal, step: Decimal) -> str:
    """A price or quantity with as many decimals as its step has, thousands apart, for columns that line up."""
    exponent = step.normalize().as_tuple().exponent
    return f"{number:,.{max(0, -int(exponent))}f}"


def clean(text: str) -> str:
    """One line of what an exchange says, without codes for the terminal."""
    return "".join(char if char.isprintable() else " " for char in text)
