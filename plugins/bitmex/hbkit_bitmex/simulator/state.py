"""`--state FILE`: everything outlives the process, in one SQLite file that holds what was asked for, in order.

The venue is a function of its seed, its data and the requests that reached it, so that is what is written: each request
before it acts, and how far the market has been told to clients. A start plays that again and comes out exactly where
the last one ended, kill -9 included: orders with their place in the queue, executions, wallets, ids. From time to time,
and when it closes, the simulator adds a copy of the whole venue, so that the next start need not play from the
beginning; a copy made by another version of the code is left alone, and all requests are played again instead.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from hbkit.clock import SECOND
from hbkit.errors import UsageError

FORMAT = 1
_TABLES = """
create table if not exists meta (key text primary key, value text not null);
create table if not exists inputs (seq integer primary key, ts integer, wall integer, kind text, body text);
create table if not exists market (id integer primary key check (id = 1), ts integer);
create table if not exists copy (id integer primary key check (id = 1), seq integer, ts integer, code text, venue blob);
"""
CODE = (("hbkit", "matching"), ("hbkit", "model"), ("hbkit_bitmex", "simulator"))


@dataclass(frozen=True)
class Beginning:
    """What a state file was begun with; it holds for as long as the file does."""

    seed: int
    data: tuple[str, ...]
    start: int | None
    history: int
    now: int
    """What the wall clock showed."""
    keys: tuple[str, ...]
    """The API keys of the first accounts, in the order of their numbers; no secret is ever written."""


@dataclass(frozen=True)
class Input:
    """One thing that was asked of the venue: at market time `ts`, when the wall clock showed `wall`."""

    ts: int
    wall: int
    kind: str
    body: dict[str, Any]


@dataclass(frozen=True)
class Copy:
    """The venue as it was after the input `seq`, at market time `ts`."""

    seq: int
    ts: int
    venue: bytes


class StateFile:
    """One state file, held by this process alone."""

    def __init__(self, path: Path) -> None:
        """Raises UsageError for a file that is in use or none of ours."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if not path.exists():
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._db = sqlite3.connect(path, isolation_level=None, timeout=0)
            self._db.execute("pragma locking_mode=exclusive")
            self._db.execute("pragma journal_mode=wal")
            # A killed process loses nothing; a machine that loses its power may lose the last moments.
            self._db.execute("pragma synchronous=normal")
            self._db.executescript(f"begin immediate; {_TABLES} commit;")
        except (sqlite3.Error, OSError) as error:
            raise UsageError(self._why(error), code="HB438") from None
        self._seq = self._one("select coalesce(max(seq), 0) from inputs")
        self._told = self._one("select coalesce(max(ts), 0) from market")

    def _why(self, error: Exception) -> str:
        if "locked" in str(error):
            return f"the state file {self.path} is in use by another simulator; stop that one, or name another file"
        return f"the state file {self.path} cannot be used ({error}); name another file with --state"

    def _one(self, query: str) -> int:
        return int(self._db.execute(query).fetchone()[0])

    # -- the beginning

    def beginning(self) -> Beginning | None:
        """What the file was begun with, None for a new one. Raises UsageError for another format."""
        row = self._db.execute("select value from meta where key = 'beginning'").fetchone()
        if row is None:
            return None
        found = json.loads(row[0])
        if found.pop("format") != FORMAT:
            raise UsageError(
                f"the state file {self.path} was written by another version of hbkit; name another file", code="HB438"
            )
        return Beginning(**{**found, "data": tuple(found["data"]), "keys": tuple(found["keys"])})

    def begin(self, beginning: Beginning) -> None:
        """A new file begins."""
        text = json.dumps({"format": FORMAT, **asdict(beginning)})
        self._db.execute("insert into meta values ('beginning', ?)", (text,))

    # -- what happens

    @property
    def told(self) -> int:
        """Up to which market time the venue was played and told; 0 at the beginning."""
        return self._told

    def add(self, one: Input) -> None:
        """Write a request down before it acts."""
        self._seq += 1
        self._told = max(self._told, one.ts)
        values = (self._seq, one.ts, one.wall, one.kind, json.dumps(one.body))
        self._db.execute("insert into inputs values (?, ?, ?, ?, ?)", values)

    def tell(self, ts: int, *, within: int = 0) -> None:
        """The market has come to `ts`, and that is about to be told; not written where the last one is `within`."""
        if ts > self._told + within:
            self._told = ts
            self._db.execute("insert or replace into market values (1, ?)", (ts,))

    def inputs(self, after: int) -> Iterator[Input]:
        """Every request after the one of that number, in order."""
        query = "select ts, wall, kind, body from inputs where seq > ? order by seq"
        for ts, wall, kind, body in self._db.execute(query, (after,)):
            yield Input(ts, wall, kind, json.loads(body))

    # -- copies

    def keep(self, ts: int, venue: bytes) -> None:
        """Keep a copy of the venue in the place of the one before; nothing is played up to `ts` that is not in it."""
        self._told = max(self._told, ts)
        self._db.execute("begin")
        self._db.execute("insert or replace into market values (1, ?)", (self._told,))
        self._db.execute("insert or replace into copy values (1, ?, ?, ?, ?)", (self._seq, ts, code(), venue))
        self._db.execute("commit")

    def copy(self) -> Copy | None:
        """The last one that this code made."""
        row = self._db.execute("select seq, ts, venue from copy where code = ?", (code(),)).fetchone()
        return None if row is None else Copy(*row)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()


@cache
def code() -> str:
    """Names the code that makes and reads copies: a digest of its files."""
    digest = hashlib.blake2b(digest_size=16)
    for package, folder in CODE:
        for file in sorted(resources.files(package).joinpath(folder).iterdir(), key=lambda file: file.name):
            if file.name.endswith(".py"):
                digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


HEARTBEAT = SECOND
"""How much of the market's time may be lost, of which no client was told anything of its own."""
