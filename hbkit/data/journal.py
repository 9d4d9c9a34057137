"""The state file of a bot: one SQLite database of intents, orders, executions, positions and kept state, over all runs.

Every row is hashed as it is written, without wall times, run id and paths, so that two runs that did the same have the
same `hash`. A run whose time is counted keeps its rows in memory and writes them once; a live run commits each intent
before the request leaves, the rest goes through the background.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from hbkit.background import Background, Lock
from hbkit.errors import StateError
from hbkit.log import get_logger

SCHEMA: Final = 2
_ADDED: Final[dict[int, tuple[str, ...]]] = {
    1: (
        "intents ADD COLUMN trigger_price",
        "intents ADD COLUMN trigger_by",
        "intents ADD COLUMN trigger_kind",
        "intents ADD COLUMN trail",
        "intents ADD COLUMN display_qty",
        "orders ADD COLUMN trigger_price",
    )
}
"""What a file of an older schema gets when it is opened, by the schema that it has; its rows hold NULL there."""
_TABLES: Final = {
    "intents": "seq, run_id, ts, strategy, kind, order_id, exchange, instrument, side, position_side, type, "
    "time_in_force, qty, price, flags, tag, trigger_price, trigger_by, trigger_kind, trail, display_qty",
    "orders": "seq, run_id, ts, order_id, exchange_id, status, qty, filled, price, reason, refused, trigger_price",
    "executions": "seq, run_id, ts, id, order_id, strategy, kind, exchange, instrument, side, position_side, price, "
    "qty, cost, fee, currency, liquidity",
    "positions": "seq, run_id, ts, exchange, instrument, side, qty, cost",
}
_RUNS: Final = (
    "run_id TEXT PRIMARY KEY, name TEXT, mode TEXT, seed INTEGER, started TEXT, stopped TEXT, stop_reason TEXT, "
    "journal_hash TEXT"
)
_STATE: Final = "strategy TEXT, key TEXT, value TEXT, PRIMARY KEY (strategy, key)"
_SYNCHRONOUS = {"process": "NORMAL", "power": "FULL"}


class Journal:
    """Rows in, a hash out. `buffered` keeps all rows until `close`; otherwise each is committed as described above."""

    def __init__(
        self, path: Path, run_id: str, background: Background, *, durability: str = "process", buffered: bool = False
    ) -> None:
        self.path = path
        self.run_id = run_id
        self._background = background
        self._buffered = buffered
        self._rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in _TABLES}
        self._late: list[tuple[str, tuple[Any, ...]]] = []
        self._lock = Lock()
        self._log = get_logger("journal")
        self.fault = ""
        """Why the file cannot be written at the moment, empty while it can."""
        self._digest = hashlib.sha256()
        self._seq = 0
        self._db = _open(path, _SYNCHRONOUS[durability])
        self._seq_base = self._last_seq()

    @property
    def hash(self) -> str:
        """Of all rows so far: sha256, hexadecimal."""
        return self._digest.hexdigest()

    def intent(self, *row: Any) -> None:
        """What is about to be asked of an exchange; committed before this returns (unless buffered).

        Raises StateError when it cannot be written: what is not written down must not be sent. Other rows are kept and
        written as soon as that is possible again.
        """
        self._write("intents", row, at_once=True)

    def order(self, *row: Any) -> None:
        """News of an order."""
        self._write("orders", row)

    def execution(self, *row: Any) -> None:
        """A movement of position or money."""
        self._write("executions", row)

    def position(self, *row: Any) -> None:
        """A position at the end of a run."""
        self._write("positions", row)

    def keep(self, strategy: str, key: str, value: Any) -> None:
        """Keep one entry of a strategy's state; None takes it away."""
        # One statement: the worker may commit between two, and a crash there would lose the entry.
        statement, values = (
            ("DELETE FROM state WHERE strategy = ? AND key = ?", (strategy, key))
            if value is None
            else ("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", (strategy, key, json.dumps(value)))
        )
        if self._buffered:
            self._db.execute(statement, values)
        else:
            self._store(statement, values)

    def kept(self, strategy: str) -> dict[str, Any]:
        """Everything kept for a strategy."""
        rows = self._db.execute("SELECT key, value FROM state WHERE strategy = ?", (strategy,))
        return {key: json.loads(value) for key, value in rows}

    def last_number(self, prefix: str) -> int:
        """The highest number behind `prefix` among the ids that left in earlier runs; 0 for none.

        Ids go on from there: an exchange may refuse, or worse accept, one that was used before.
        """
        row = self._db.execute(
            "SELECT order_id FROM intents WHERE kind = 'submit' AND substr(order_id, 1, ?) = ? "
            "ORDER BY seq DESC LIMIT 1",
            (len(prefix), prefix),
        ).fetchone()
        return 0 if row is None else int(str(row[0])[len(prefix) :])

    def executions(self) -> list[tuple[Any, ...]]:
        """Every execution of earlier runs, oldest first, in the columns of the table after `run_id`."""
        return self._db.execute(f"SELECT {_columns('executions')} FROM executions ORDER BY seq").fetchall()

    def submits(self, order_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """What was asked for under these order ids, column by column; ids that nobody asked for are left out."""
        found: dict[str, dict[str, Any]] = {}
        names = _columns("intents")
        query = f"SELECT {names} FROM intents WHERE kind = 'submit' AND order_id = ? ORDER BY seq DESC LIMIT 1"
        for order_id in order_ids:
            row = self._db.execute(query, (order_id,)).fetchone()
            if row is not None:
                found[order_id] = dict(zip(names.split(", "), row, strict=True))
        return found

    def begin(self, name: str, mode: str, seed: int, started: str) -> None:
        """Write the row of this run."""
        self._db.execute(
            "INSERT INTO runs VALUES (?, ?, ?, ?, ?, NULL, NULL, NULL)", (self.run_id, name, mode, seed, started)
        )
        self._db.commit()

    def close(self, stopped: str, stop_reason: str) -> None:
        """Write what is left and the end of the run; the file is complete afterwards."""
        self._background.flush()
        try:
            for statement, row in self._late:
                self._db.execute(statement, row)
            for table, rows in self._rows.items():
                if rows:
                    marks = ", ".join("?" * len(rows[0]))
                    self._db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
            self._db.execute(
                "UPDATE runs SET stopped = ?, stop_reason = ?, journal_hash = ? WHERE run_id = ?",
                (stopped, stop_reason, self.hash, self.run_id),
            )
            self._db.commit()
        except sqlite3.Error as error:
            # The run's result is still to be told; what is missing in the file is said.
            self._fail(error)
        finally:
            self._db.close()

    def _write(self, table: str, row: tuple[Any, ...], *, at_once: bool = False) -> None:
        self._seq += 1
        self._digest.update(repr((table, *row)).encode())
        full = (self._seq_base + self._seq, self.run_id, *row)
        if self._buffered:
            self._rows[table].append(full)
            return
        marks = ", ".join("?" * len(full))
        statement = f"INSERT INTO {table} VALUES ({marks})"
        if not at_once:
            self._background.run(partial(self._store_late, statement, full))
        elif not self._store(statement, full, keep=False):
            raise StateError(f"cannot write state in {self.path.parent} ({self.fault}); nothing was sent")

    def _store_late(self, statement: str, row: tuple[Any, ...]) -> None:
        self._store(statement, row)

    def _store(self, statement: str, row: tuple[Any, ...], *, keep: bool = True) -> bool:
        """Write a row and those that are late; False when that fails. `keep`: try again with the next row."""
        with self._lock:
            rows = [*self._late, (statement, row)]
            try:
                for late in rows:
                    self._db.execute(*late)
                self._db.commit()
            except sqlite3.Error as error:
                self._fail(error)
                if keep:
                    self._late.append((statement, row))
                return False
            self._late.clear()
            if self.fault:
                self.fault = ""
                self._log.info("state can be written again", file=str(self.path), late_rows=len(rows) - 1)
            return True

    def _fail(self, error: sqlite3.Error) -> None:
        with suppress(sqlite3.Error):
            self._db.rollback()
        if not self.fault:
            self._log.error("state cannot be written; no new order leaves until it can", cause=str(error))
        self.fault = str(error)

    def _last_seq(self) -> int:
        tables = " UNION ALL ".join(f"SELECT MAX(seq) AS last FROM {table}" for table in _TABLES)
        return int(self._db.execute(f"SELECT MAX(last) FROM ({tables})").fetchone()[0] or 0)


def _columns(table: str) -> str:
    """The columns of a table without the two that every table begins with."""
    return _TABLES[table].split(", ", 2)[2]


def columns(table: str) -> tuple[str, ...]:
    """The columns of a table in the order in which `read_rows` gives them; a file of an older schema lacks the last."""
    return tuple(_TABLES[table].split(", "))


def journal_of(run_id: str, folder: Path, written: str) -> Path | None:
    """The file that holds the rows of a run that has ended; None where it is not there any more.

    :param folder: the run's own, to which the file goes home when the next run begins from nothing.
    :param written: where it was written, from the folder in which the run was started.
    """
    places = [*sorted(folder.glob("journal*.db")), Path(written), folder.parent.parent / written]
    for path in places:
        if path.is_file() and _read(path, "SELECT run_id FROM runs WHERE run_id = ?", run_id):
            return path
    return None


def last_run_id(path: Path) -> str | None:
    """The run that wrote to a state file last; None for a file without runs. Raises StateError for no state file."""
    rows = _read(path, "SELECT run_id FROM runs ORDER BY rowid DESC LIMIT 1")
    row = rows[0] if rows else None
    return str(row[0]) if row else None


def read_rows(path: Path, table: str, run_id: str) -> Iterable[tuple[Any, ...]]:
    """The rows of one run in their order, for reports and tests. Raises StateError for no state file."""
    if table not in _TABLES:
        raise ValueError(f"no table {table}; there are {', '.join(_TABLES)}")
    return _read(path, f"SELECT * FROM {table} WHERE run_id = ? ORDER BY seq", run_id)


def stream_rows(path: Path, table: str, run_id: str) -> Iterator[tuple[Any, ...]]:
    """As `read_rows`, one row at a time: a run may have written a million."""
    if table not in _TABLES:
        raise ValueError(f"no table {table}; there are {', '.join(_TABLES)}")
    with _reading(path) as db:
        yield from db.execute(f"SELECT * FROM {table} WHERE run_id = ? ORDER BY seq", (run_id,))


def _read(path: Path, query: str, *values: str) -> list[tuple[Any, ...]]:
    with _reading(path) as db:
        return db.execute(query, values).fetchall()


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """The file, for reading only. Raises StateError for what is no state file."""
    try:
        # As an address a `#` or `?` in a folder's name would be grammar, so it is escaped.
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            yield db
    except sqlite3.DatabaseError as error:
        raise StateError(f"{path} is no state file of hbkit ({error}); move it away and start again") from None


def _open(path: Path, synchronous: str) -> sqlite3.Connection:
    db: sqlite3.Connection | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path, check_same_thread=False)
        _prepare(db, path, synchronous)
    except OSError as error:
        raise StateError(f"cannot write state in {path.parent} ({error.strerror}); set state: {{dir: ...}}") from None
    except sqlite3.OperationalError as error:
        # The file may be sound: never advise to move it away because it is locked or the folder read-only.
        raise StateError(f"cannot write state in {path.parent} ({error}); set state: {{dir: ...}}") from None
    except sqlite3.DatabaseError as error:
        raise StateError(f"{path} is no state file of hbkit ({error}); move it away and start again") from None
    else:
        opened, db = db, None
        return opened
    finally:
        if db is not None:
            db.close()


def _prepare(db: sqlite3.Connection, path: Path, synchronous: str) -> None:
    """Make a new file a state file, or see that an old one is ours."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA:
        raise StateError(f"{path} was written by a newer hbkit (schema {version}, this knows {SCHEMA}); upgrade")
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not version and tables - {*_TABLES, "runs", "state"}:
        raise StateError(f"{path} is a database of another program; set state: {{dir: ...}}")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {synchronous}")
    for table, columns in _TABLES.items():
        keyed = columns.replace("seq", "seq INTEGER PRIMARY KEY", 1)
        db.execute(f"CREATE TABLE IF NOT EXISTS {table} ({keyed})")
    for older in range(version, SCHEMA) if version else ():
        for change in _ADDED[older]:
            db.execute(f"ALTER TABLE {change}")
    db.execute(f"CREATE TABLE IF NOT EXISTS runs ({_RUNS})")
    db.execute(f"CREATE TABLE IF NOT EXISTS state ({_STATE})")
    db.execute(f"PRAGMA user_version = {SCHEMA}")
    db.commit()
