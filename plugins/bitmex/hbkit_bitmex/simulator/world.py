"""Makes what a simulator remembers: begun anew from its options, or brought back from its state file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hbkit.chance import Chance
from hbkit.clock import iso
from hbkit.data.source import Source
from hbkit.errors import UsageError
from hbkit_bitmex import instruments
from hbkit_bitmex.simulator.accounts import VenueAccount
from hbkit_bitmex.simulator.around import books_around
from hbkit_bitmex.simulator.auth import Key, Keys
from hbkit_bitmex.simulator.backdrop import Backdrop, leader
from hbkit_bitmex.simulator.copying import World
from hbkit_bitmex.simulator.feed import Feed, extent, shift
from hbkit_bitmex.simulator.halts import reopen
from hbkit_bitmex.simulator.history import History
from hbkit_bitmex.simulator.keeping import Keeper, Replay, brought_back
from hbkit_bitmex.simulator.memory import history, remember
from hbkit_bitmex.simulator.options import STARTING_BALANCES, Options
from hbkit_bitmex.simulator.played import Played, of_source, open_data
from hbkit_bitmex.simulator.state import Begun, Saved, StateFile
from hbkit_bitmex.simulator.venue import Venue
from hbkit_bitmex.simulator.worth import Worth, moved_by


@dataclass(frozen=True)
class Opened:
    """A world with who may come in, the feed that plays it, and who keeps it where it outlives the process."""

    world: World
    feed: Feed
    keys: Keys
    keeper: Keeper | None = None


def open_world(options: Options, now: int, chance: Chance, source: Source | None) -> Opened:
    """A new world, or the one that the state file holds.

    Raises AlreadyRunning and StateError of the file, and UsageError where it began with something else.
    """
    if options.state is None:
        return _begin(options, now, chance, source)[0]
    state = StateFile(Path(options.state))
    try:
        saved = state.load()
        if saved is None:
            opened, begun = _begin(options, now, chance, source)
        else:
            begun = saved.begun
            opened = _bring_back(options, saved, state, source)
        where = max(opened.world.venue.ts, saved.told if saved is not None else now)
        keeper = Keeper(state, begun, opened.keys.accounts(), opened.world, where)
        keeper.keep()
    except BaseException:
        state.close()
        raise
    return replace(opened, keeper=keeper)


def _played(data: Sequence[str], seed: int, source: Source | None) -> Played:
    return open_data(data, seed) if source is None else of_source(source)


def _begin(options: Options, now: int, chance: Chance, source: Source | None) -> tuple[Opened, Begun]:
    played = _played(options.data, options.seed, source)
    span = played.start, played.end
    begun = Begun(options.seed, options.data, options.start, options.history, now, span)
    venue = Venue(chance.fork("venue"), _listed(played), moved_by(begun.now))
    keys = _admit(options, venue, {})
    worth = Worth(venue.recorded.values(), begun.seed, played.style, begun.now, leader(venue, played))
    backdrop = Backdrop(venue, worth, played.style, chance.fork("backdrop"), begun.history, played.symbols)
    around = books_around(venue, played, worth, begun.seed)
    feed = Feed(venue, played, backdrop, around, now=begun.now, history=begun.history, start=begun.start)
    if played.tape is not None:
        remember(venue, tape_start=feed.tape_start, shift=feed.shift)
    venue.clearing.note_deposits()
    return Opened(World(venue, backdrop, around), feed, keys), begun


def _bring_back(options: Options, saved: Saved, state: StateFile, source: Source | None) -> Opened:
    begun = saved.begun
    _check(options, begun, state)
    played = _played(begun.data, begun.seed, source)
    if (played.start, played.end) != begun.span:
        raise UsageError(
            f"what the state file {state.path} plays has changed: it was {_span(begun.span)}, now it is "
            f"{_span((played.start, played.end))}; bring the data back, or name another file with --state",
            code="HB443",
        )
    moved = shift(played, begun.now, begun.history, begun.start)
    known = {one.symbol: one for one in instruments.load()}

    def before(symbol: str) -> History:
        found = history(known[symbol], tape_start=extent(played)[0], shift=moved)
        if found is None:
            raise LookupError(symbol)
        return found

    world = brought_back(saved, before, state)
    feed = Feed(
        world.venue, played, world.backdrop, world.around,
        now=begun.now, history=begun.history, start=begun.start, resume=saved.ts,
    )  # fmt: skip
    try:
        Replay(world, feed).run(state.entries(saved.seq), saved.told)
    except LookupError as error:
        raise state.damaged(f"a request names what is not there: {error}") from error
    keys = _admit(options, world.venue, saved.keys, note=True)
    reopen(world.venue)
    world.venue.finish()
    return Opened(world, feed, keys)


def _check(options: Options, begun: Begun, state: StateFile) -> None:
    """What a file began with holds; who asks for something else is told so, not passed over."""
    for name, asked, held in (
        ("--data", options.data, begun.data),
        ("--start", options.start, begun.start),
    ):
        if asked != held and not (name == "--start" and asked is None):
            shown = iso(held) if isinstance(held, int) else " ".join(held) if held else "nothing"
            raise UsageError(
                f"the state file {state.path} began with {name} {shown}; leave it as it was, or name another file "
                "with --state",
                code="HB443",
            )


def _span(span: tuple[int, int]) -> str:
    return f"{iso(span[0])}..{iso(span[1])}" if span[1] else "nothing recorded"


def _admit(options: Options, venue: Venue, known: Mapping[str, int], *, note: bool = False) -> Keys:
    """The keys of the options: each with the account that it had, or a new one.

    :param note: whether the deposits of new accounts are noted at once.
    """
    keys = Keys()

    def account(names: Sequence[str], minor: Mapping[str, int]) -> VenueAccount:
        number = next((known[name] for name in names if name in known), None)
        if number is not None:
            return venue.accounts[number]
        made = venue.add_account(minor)
        if note:
            venue.clearing.note_deposit(made)
        return made

    for name, secret in options.all_accounts:
        keys.add(Key(name, secret, account([name], STARTING_BALANCES), shape=options.row_shape))
    for plan in options.planned:
        balances = STARTING_BALANCES if plan.balances is None else plan.balances
        owner = account([key.name for key in plan.keys], balances)
        for key in plan.keys:
            shape = key.row_shape or options.row_shape
            keys.add(Key(key.name, key.secret, owner, key.permissions, key.enabled, key.cidrs, shape))
    return keys


def _listed(played: Played) -> list[str]:
    """Every instrument, what is played first."""
    return list(dict.fromkeys([*played.symbols, *(one.symbol for one in instruments.load())]))
