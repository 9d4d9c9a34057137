"""`--state FILE`: everything outlives the process, kill -9 included, in one SQLite file.

The venue is a function of what it was begun with and of what reached it. So each thing that acts on it is written
before it acts, and how far the market was played before anybody is told; a copy of the whole venue stands in front of
that, so that a start need not play from the beginning. A request that was answered is there after a start; one that
was not is there as a whole or not at all.

| table | what stands there |
| --- | --- |
| `meta` | one row each: the format, which code made the copy, and what the file was begun with |
| `accounts` | the API keys by name, and the number of the account that each belongs to; no secrets |
| `requests` | what acted since the copy, in order: market time, wall time, account, verb, path, query, body |
| `market` | one row: the time up to which the market was played |
| `copy` | one row: the venue after request `seq`, at market time `ts` |

The journal is SQLite's WAL with `synchronous=NORMAL`: what a killed process wrote is there, and a machine that loses
its power may lose the last moments, never the file.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from hbkit.data.lock import StateLock
from hbkit.errors import StateError

FORMAT = 1
MEND = "name another file with --state"
WATCHED, TIMER = "WATCHED", "TIMER"
"""Verbs of what no client asked for: which markets sockets listen to, and a dead man's switch that fires."""
_TABLES = {
    "meta": "key TEXT PRIMARY KEY, value TEXT NOT NULL",
    "accounts": "name TEXT PRIMARY KEY, account INTEGER NOT NULL",
    "requests": "seq INTEGER PRIMARY KEY, ts INTEGER NOT NULL, wall INTEGER NOT NULL, account INTEGER,"
    " verb TEXT NOT NULL, path TEXT NOT NULL, query TEXT NOT NULL, body TEXT NOT NULL, names TEXT NOT NULL",
    "market": "id INTEGER PRIMARY KEY CHECK (id = 1), ts INTEGER NOT NULL",
    "copy": "id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, ts INTEGER NOT NULL,"
    " digest BLOB NOT NULL, venue BLOB NOT NULL",
}
_CODE = (
    ("hbkit", ""), ("hbkit", "data"), ("hbkit", "matching"), ("hbkit", "model"),
    ("hbkit_bitmex", ""), ("hbkit_bitmex", "simulator"),
)  # fmt: skip
"""Where the code stands that copies are made of."""


@dataclass(frozen=True)
class Begun:
    """What a state file was begun with; it holds for as long as the file does."""

    seed: int
    data: tuple[str, ...]
    start: int | None
    history: int
    now: int
    """What the wall clock showed."""
    span: tuple[int, int]
    """The first and the last moment of what is played."""


@dataclass(frozen=True)
class Request:
    """One thing that acted, as far as it must be known to act again; without a verb somebody only looked."""

    wall: int
    account: int | None = None
    verb: str = ""
    path: str = ""
    query: str = ""
    body: str = ""


@dataclass(frozen=True)
class Entry:
    """A request at its moment of the market, with the markets that it named."""

    ts: int
    names: tuple[str, ...]
    request: Request


@dataclass(frozen=True)
class Saved:
    """What a state file holds."""

    begun: Begun
    keys: Mapping[str, int]
    """The account of each API key, by the key's name."""
    seq: int
    """The last request that is in the copy."""
    ts: int
    """Where the market was in the copy."""
    venue: bytes
    told: int
    """Up to where it was played afterwards."""


class StateFile:
    """One state file, held by this process alone."""

    def __init__(self, path: Path) -> None:
        """Raises AlreadyRunning for a file that is in use, StateError for one that is none of ours or damaged."""
        self.path = path
        self._watched: tuple[str, ...] = ()
        self._seq = self._told = 0
        self._lock = StateLock(path, instead="name another file")
        self._lock.__enter__()
        self._db: sqlite3.Connection | None = None
        try:
            self._db = self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = None
        try:
            db = sqlite3.connect(self.path, isolation_level=None)
            self._prepare(db)
        except sqlite3.OperationalError as error:
            # The file may be sound: never advise to throw it away because a folder is read-only or a disk is full.
            raise StateError(f"the state file {self.path} cannot be written ({error}); {MEND}") from None
        except sqlite3.DatabaseError as error:
            raise self.damaged(str(error)) from None
        else:
            opened, db = db, None
            return opened
        finally:
            if db is not None:
                db.close()

    def _prepare(self, db: sqlite3.Connection) -> None:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if tables - set(_TABLES):
            raise StateError(f"{self.path} is a database of something else; {MEND}")
        if (found := db.execute("PRAGMA quick_check").fetchone()[0]) != "ok":
            raise self.damaged(found)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("BEGIN IMMEDIATE")
        for table, columns in _TABLES.items():
            db.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
        db.execute("COMMIT")

    # -- what is there

    def load(self) -> Saved | None:
        """What the file holds, None for a new one.

        Raises StateError for another format, for a copy that other code made, and for a damaged one.
        """
        meta = dict(self._ask("SELECT key, value FROM meta"))
        if not meta:
            return None
        if meta.get("format") != str(FORMAT) or meta.get("code") != code():
            raise StateError(
                f"the state file {self.path} was written by another version of the simulator, which may count "
                f"otherwise; go on with that version, or {MEND}"
            )
        try:
            begun = json.loads(meta["begun"])
            begun = Begun(**{**begun, "data": tuple(begun["data"]), "span": tuple(begun["span"])})
            ((seq, ts, digest, venue),) = self._ask("SELECT seq, ts, digest, venue FROM copy")
        except (ValueError, KeyError, TypeError):
            raise self.damaged("what it began with, or its copy of the venue, is not there") from None
        if hashlib.blake2b(venue).digest() != digest:
            raise self.damaged("its copy of the venue is not whole")
        ((last, moment),) = self._ask("SELECT COALESCE(MAX(seq), 0), COALESCE(MAX(ts), 0) FROM requests")
        ((played,),) = self._ask("SELECT COALESCE(MAX(ts), 0) FROM market")
        self._seq, self._told = max(seq, last), max(ts, moment, played)
        return Saved(begun, dict(self._ask("SELECT name, account FROM accounts")), seq, ts, venue, self._told)

    def entries(self, after: int) -> Iterator[Entry]:
        """What acted after that request, in order."""
        for ts, wall, account, verb, path, query, body, names in self._ask(
            "SELECT ts, wall, account, verb, path, query, body, names FROM requests WHERE seq > ? ORDER BY seq", after
        ):
            yield Entry(ts, tuple(json.loads(names)), Request(wall, account, verb, path, _read(query), body))

    def _ask(self, query: str, *values: Any) -> list[Any]:
        assert self._db is not None
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self.damaged(str(error)) from None

    def damaged(self, why: str) -> StateError:
        """What to say of a file that cannot be read."""
        return StateError(f"the state file {self.path} is damaged ({why}); {MEND}")

    # -- what happens

    def _do(self, statement: str, values: tuple[Any, ...] = ()) -> None:
        assert self._db is not None
        try:
            self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise StateError(
                f"the state file {self.path} cannot be written any longer ({error}); what was answered is in it: "
                "make room and start again"
            ) from None

    def add(self, ts: int, names: Collection[str], request: Request) -> None:
        """Write down what is about to act."""
        self._seq += 1
        self._told = max(self._told, ts)
        one = request
        row = (
            self._seq, ts, one.wall, one.account, one.verb, one.path, _written(one.query), one.body,
            json.dumps(list(names)) if names else "[]",
        )  # fmt: skip
        self._do("INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def watch(self, ts: int, wall: int, names: Collection[str]) -> None:
        """Sockets listen to these markets; written where that is news."""
        found = tuple(sorted(names))
        if found != self._watched:
            self.add(ts, found, Request(wall, verb=WATCHED))
            self._watched = found

    def tell(self, ts: int) -> None:
        """The market is about to be played up to `ts`."""
        if ts > self._told:
            self._told = ts
            self._do("INSERT OR REPLACE INTO market VALUES (1, ?)", (ts,))

    def keep(self, begun: Begun, keys: Mapping[str, int], ts: int, venue: bytes, watched: tuple[str, ...]) -> None:
        """A copy of the venue as it is now, in the place of the one before and of what acted since that."""
        self._watched = watched
        meta = {"format": str(FORMAT), "code": code(), "begun": json.dumps(asdict(begun))}
        self._do("BEGIN IMMEDIATE")
        self._do("DELETE FROM requests")
        self._do("DELETE FROM accounts")
        for name, account in keys.items():
            self._do("INSERT INTO accounts VALUES (?, ?)", (name, account))
        for key, value in meta.items():
            self._do("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
        digest = hashlib.blake2b(venue).digest()
        self._do("INSERT OR REPLACE INTO copy VALUES (1, ?, ?, ?, ?)", (self._seq, ts, digest, venue))
        self._do("COMMIT")

    def close(self) -> None:
        """Let go of the file."""
        if self._db is not None:
            self._db.close()
        self._lock.__exit__(None, None, None)


def _written(text: str) -> str | bytes:
    """A query may hold bytes that are no UTF-8; SQLite's text cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="surrogateescape")
    return text


def _read(found: str | bytes) -> str:
    return found if isinstance(found, str) else found.decode(errors="surrogateescape")


@cache
def code() -> str:
    """Names the code that makes and reads copies: a digest of its files."""
    digest = hashlib.blake2b(digest_size=16)
    for package, folder in _CODE:
        place = resources.files(package)
        for file in sorted((place / folder if folder else place).iterdir(), key=lambda file: file.name):
            if file.name.endswith(".py"):
                digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()
