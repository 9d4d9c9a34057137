"""The instruments of an exchange: those that its plugin brings, or those that the exchange itself was asked for.

A plugin that leads to many exchanges cannot bring their instruments; its lister asks, and keeps what it was told below
the folder of the state, so that `check` and a later start need no network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from hbkit.clock import DAY
from hbkit.errors import ExchangeError, HbkitError, PluginError
from hbkit.exchange import ExchangeSpec, ListingRequest, unheard
from hbkit.model import Instrument

FOLDER = "markets"
"""Where kept lists lie, below `state.dir`."""
OLDEST = DAY
"""Where money or the market of this moment is concerned, a list that is older is asked for again."""
_MOVING = ("live", "testnet")
"""Feeds whose instruments change while nobody looks."""


@dataclass(frozen=True)
class Asking:
    """How instruments may be come by."""

    may_ask: bool = True
    """Whether an exchange may be asked; False where nothing is to be sent."""
    folder: Path = Path("state") / FOLDER
    """Where what was told is kept."""
    now: bool = False
    """Ask, however fresh the kept list is."""
    warn: Callable[[str], None] = unheard

    def request(self, spec: ExchangeSpec, feed: str, rest_url: str, era: str | None) -> ListingRequest:
        """What the lister of an exchange is told."""
        oldest = OLDEST if feed in _MOVING else None
        return ListingRequest(
            spec.name,
            feed,
            rest_url=rest_url,
            may_ask=self.may_ask,
            folder=self.folder,
            max_age=0 if self.now and self.may_ask else oldest,
            era=era,
            warn=self.warn,
        )


def instruments_of(
    spec: ExchangeSpec, era: str | None = None, *, feed: str = "data", rest_url: str = "", asking: Asking | None = None
) -> list[Instrument]:
    """What an exchange trades, of all its names.

    Raises PluginError where the plugin's own cannot be loaded, ExchangeError where they had to be asked for and were
    not told.

    :param era: of the instrument rows that the data of a replay names; None for the newest.
    :param feed: whose instruments, as `ListingRequest.feed`.
    :param rest_url: the host to ask in place of the venue's own.
    """
    if not spec.lister:
        return _called(spec, spec.instruments, era)
    return _called(spec, spec.lister, (asking or Asking()).request(spec, feed, rest_url, era))


def by_symbol(name: str, found: list[Instrument]) -> dict[str, Instrument]:
    """Instruments by their native symbol, as those of the exchange block `name`."""
    return {one.symbol: replace(one, exchange=name) for one in found}


def _called(spec: ExchangeSpec, place: str, argument: Any) -> list[Instrument]:
    module, _, function = place.partition(":")
    try:
        listed: list[Instrument] = getattr(import_module(module), function)(argument)
    except HbkitError as error:
        if isinstance(error, ExchangeError):
            raise
        raise PluginError(f"{spec.name}: its instruments cannot be loaded ({error.message})", code="HB203") from error
    except Exception as error:
        message = f"{spec.name}: its instruments cannot be loaded ({type(error).__name__}: {error})"
        raise PluginError(message, code="HB203") from error
    return listed
