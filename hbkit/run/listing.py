"""The instruments of an exchange: those that its plugin brings, or those that the exchange itself was asked for.

A plugin that leads to many exchanges cannot bring their instruments; its lister asks, and keeps what it was told below
the folder of the state, so that `check` and a later start need no network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from hbkit.clock import DAY
from hbkit.errors import ExchangeError, HbkitError, PluginError, did_you_mean
from hbkit.exchange import ExchangeSpec, ListingRequest, unheard
from hbkit.model import Instrument
from hbkit.model.symbols import is_known, nearest_market, parse_unified

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


def ambiguous(exchange: str, symbol: str, found: Sequence[Instrument]) -> str:
    """What to say of a symbol that means several instruments."""
    natives = " and ".join(one.symbol for one in found)
    return f'{exchange} has {len(found)} instruments of the name "{symbol}": {natives}; write one of these'


def unknown(exchange: str, symbol: str, instruments: Sequence[Instrument]) -> str:
    """What to say of a symbol that means none: what comes closest, by its meaning where it has one, else by text."""
    head = f'{exchange} has no instrument "{symbol}"'
    wanted = parse_unified(symbol)
    spelt = wanted is not None and is_known(wanted, instruments)
    near = nearest_market(wanted, instruments) if wanted is not None and spelt else None
    if wanted is not None and instruments and not wanted.is_spot and all(one.is_spot for one in instruments):
        other = f"; on {wanted.base} it has {near.unified}" if near is not None else ""
        return f"{exchange} has no perpetuals or futures, all it has is spot ({len(instruments)}){other}"
    if wanted is None or near is None:
        mend = did_you_mean(symbol, [text for one in instruments for text in (one.symbol, one.unified)],
                            what="instruments")  # fmt: skip
        return f"{head}; {mend}"
    native = f" ({near.symbol})" if near.symbol != near.unified else ""
    if near.unified == symbol:
        return f"{head}; did you mean {near.symbol}?"
    return f'{head}; did you mean "{near.unified}"{native}?'


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
