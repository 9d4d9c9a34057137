"""The state file: what is written, when, what its hash depends on, and what is said of files that cannot be used."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from hbkit.background import InlineBackground, ThreadBackground
from hbkit.data.journal import SCHEMA, Journal, last_run_id, read_rows
from hbkit.errors import StateError

INTENT = (5, "bot", "submit", "b-1-1", "venue", "ABC", "buy", "net", "limit", "gtc", "10", "99.5", "", "", *[""] * 5)
ORDER = (6, "b-1-1", "x1", "open", "10", "0", "99.5", "", "", "")
EXECUTION = (7, "e1", "b-1-1", "bot", "trade", "venue", "ABC", "buy", "net", "99.5", "10", 99500, 5, "USD", "maker")


def fill(journal: Journal) -> None:
    journal.intent(*INTENT)
    journal.order(*ORDER)
    journal.execution(*EXECUTION)
    journal.position(8, "venue", "ABC", "net", 10, 99500)


def rows(path: Path, run_id: str) -> dict[str, list[Any]]:
    return {table: list(read_rows(path, table, run_id)) for table in ("intents", "orders", "executions", "positions")}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "bot.db", "run-1", InlineBackground())
    yield journal
    journal.close("", "")


def test_an_intent_is_on_disk_before_the_call_returns(journal: Journal) -> None:
    journal.intent(*INTENT)
    assert list(read_rows(journal.path, "intents", "run-1")) == [(1, "run-1", *INTENT)]


def test_buffered_and_unbuffered_give_the_same_rows_and_hash(tmp_path: Path) -> None:
    found = []
    for name, background, buffered in (
        ("plain", InlineBackground(), False),
        ("thread", ThreadBackground(), False),
        ("buffered", InlineBackground(), True),
    ):
        journal = Journal(tmp_path / name / "bot.db", "run-1", background, buffered=buffered)
        fill(journal)
        assert (list(read_rows(journal.path, "intents", "run-1")) == []) is buffered
        journal.close("2020", "end of data")
        background.close()
        found.append((rows(journal.path, "run-1"), journal.hash))
    assert found[0] == found[1] == found[2]
    assert [len(table) for table in found[0][0].values()] == [1, 1, 1, 1]


def test_the_hash_does_not_depend_on_run_path_or_wall_time(tmp_path: Path) -> None:
    hashes = set()
    for at, started in enumerate(("2020", "2021")):
        journal = Journal(tmp_path / f"{at}" / "bot.db", f"run-{at}", InlineBackground())
        journal.begin("bot", "replay", 1, started)
        fill(journal)
        journal.close(started, "end of data")
        hashes.add(journal.hash)
    assert len(hashes) == 1


@pytest.mark.parametrize("at", range(len(INTENT)))
def test_another_value_is_another_hash(tmp_path: Path, at: int) -> None:
    one = Journal(tmp_path / "one.db", "run", InlineBackground(), buffered=True)
    two = Journal(tmp_path / "two.db", "run", InlineBackground(), buffered=True)
    empty = one.hash
    one.intent(*INTENT)
    two.intent(*INTENT[:at], "other", *INTENT[at + 1 :])
    assert len({one.hash, two.hash, empty}) == 3
    one.close("", "")
    two.close("", "")


def test_the_same_values_in_another_table_or_order_are_another_hash(tmp_path: Path) -> None:
    hashes = set()
    for at, calls in enumerate((("order", "position"), ("position", "order"), ("order", "order"))):
        journal = Journal(tmp_path / f"{at}.db", "run", InlineBackground(), buffered=True)
        for call in calls:
            getattr(journal, call)(*(ORDER if call == "order" else (8, "venue", "ABC", "net", 10, 99500)))
        hashes.add(journal.hash)
        journal.close("", "")
    assert len(hashes) == 3


def test_runs_follow_each_other_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    for run_id in ("run-1", "run-2"):
        journal = Journal(path, run_id, InlineBackground(), buffered=run_id == "run-2")
        journal.begin("bot", "replay", 1, "2020")
        fill(journal)
        journal.close("2021", "end of data")
    assert last_run_id(path) == "run-2"
    assert [row[0] for row in rows(path, "run-1")["orders"]] == [2]
    assert [row[0] for row in rows(path, "run-2")["orders"]] == [6]  # numbered on, over all runs
    with closing(sqlite3.connect(path)) as db:
        told = db.execute("SELECT run_id, stopped, stop_reason, journal_hash FROM runs").fetchall()
    assert told == [("run-1", "2021", "end of data", journal.hash), ("run-2", "2021", "end of data", journal.hash)]


@pytest.mark.parametrize("buffered", [False, True])
def test_what_is_kept_outlives_the_run(tmp_path: Path, buffered: bool) -> None:
    path = tmp_path / "bot.db"
    journal = Journal(path, "run-1", InlineBackground(), buffered=buffered)
    journal.keep("bot", "peak", 1)
    journal.keep("bot", "peak", {"price": [99.5, None]})
    journal.keep("bot", "gone", "soon")
    journal.keep("bot", "gone", None)
    journal.keep("other", "peak", 2)
    journal.close("", "")
    again = Journal(path, "run-2", InlineBackground())
    assert again.kept("bot") == {"peak": {"price": [99.5, None]}}
    assert again.kept("other") == {"peak": 2}
    assert again.kept("nobody") == {}
    again.close("", "")


def test_a_path_with_signs_that_mean_something_in_an_address(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a b#1?%20" / "bot.db", "run-1", InlineBackground())
    journal.begin("bot", "replay", 1, "2020")
    journal.intent(*INTENT)
    assert last_run_id(journal.path) == "run-1"
    assert len(list(read_rows(journal.path, "intents", "run-1"))) == 1
    journal.close("", "")


def test_a_table_that_is_none_is_named(journal: Journal) -> None:
    with pytest.raises(ValueError, match="no table fills; there are intents, orders, executions, positions"):
        read_rows(journal.path, "fills", "run-1")


# -- files of before


def test_a_file_of_the_first_schema_goes_on_with_the_columns_that_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute(
            "CREATE TABLE intents (seq INTEGER PRIMARY KEY, run_id, ts, strategy, kind, order_id, exchange, "
            "instrument, side, position_side, type, time_in_force, qty, price, flags, tag)"
        )
        db.execute(
            "CREATE TABLE orders (seq INTEGER PRIMARY KEY, run_id, ts, order_id, exchange_id, status, qty, filled, "
            "price, reason, refused)"
        )
        db.execute(f"INSERT INTO intents VALUES (1, 'run-0', {', '.join('?' * 14)})", INTENT[:14])
        db.execute("PRAGMA user_version = 1")
        db.commit()
    journal = Journal(path, "run-1", InlineBackground())
    journal.intent(*INTENT[:3], "b-1-2", *INTENT[4:14], "95", "mark", "stop", "", "20")
    journal.order(*ORDER[:-1], "95")
    asked = journal.submits(["b-1-1", "b-1-2"])
    assert [asked[name]["trigger_price"] for name in asked] == [None, "95"]
    assert journal.last_number("b-1-") == 2
    journal.close("", "")
    assert [row[-1] for row in read_rows(path, "orders", "run-1")] == ["95"]
    Journal(path, "run-2", InlineBackground()).close("", "")  # and once more, with nothing left to add


# -- files that cannot be used


def other_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE cookies (name TEXT)")
        db.commit()


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA + 1}")
        db.commit()


def garbage(path: Path) -> None:
    path.write_bytes(b"not a database at all " * 100)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (newer, "bot.db was written by a newer hbkit (schema 3, this knows 2); upgrade"),
        (garbage, "bot.db is no state file of hbkit (file is not a database); move it away and start again"),
        (other_program, "bot.db is a database of another program; set state: {dir: ...}"),
        (Path.mkdir, "(unable to open database file); set state: {dir: ...}"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_and_left_as_it_was(tmp_path: Path, make: Any, message: str) -> None:
    path = tmp_path / "bot.db"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StateError) as caught:
        Journal(path, "run-1", InlineBackground())
    assert caught.value.code == "HB601"
    assert message in caught.value.message
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    # A path below a regular file: refused to every user, root as well.
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError) as caught:
        Journal(tmp_path / "file" / "state" / "bot.db", "run-1", InlineBackground())
    assert "cannot write state in" in caught.value.message
    assert "set state: {dir: ...}" in caught.value.message


def test_a_state_file_whose_making_was_cut_short_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE state (strategy TEXT, key TEXT, value TEXT, PRIMARY KEY (strategy, key))")
        db.commit()
    journal = Journal(path, "run-1", InlineBackground())
    fill(journal)
    journal.close("", "")


def test_reading_what_is_no_state_file_is_told(tmp_path: Path) -> None:
    garbage(tmp_path / "bot.db")
    for path in (tmp_path / "bot.db", tmp_path / "missing.db"):
        with pytest.raises(StateError, match="is no state file of hbkit"):
            last_run_id(path)
        with pytest.raises(StateError, match="is no state file of hbkit"):
            read_rows(path, "orders", "run-1")


def full(journal: Journal) -> None:
    """Let SQLite find the disk full, as it does when there is no room for another page."""
    with suppress_full():
        pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
        journal._db.execute(f"PRAGMA max_page_count = {pages}")
        for number in range(100):
            journal._db.execute("INSERT INTO state VALUES ('filler', ?, ?)", (str(number), "x" * 500))
            journal._db.commit()
    journal._db.rollback()


@contextmanager
def suppress_full() -> Iterator[None]:
    with pytest.raises(sqlite3.OperationalError, match="full"):
        yield


def test_on_a_full_disk_no_intent_counts_as_written_and_other_rows_are_late(journal: Journal) -> None:
    full(journal)
    with pytest.raises(StateError, match=r"cannot write state .*full.* nothing was sent"):
        journal.intent(*INTENT[:-1], "x" * 5000)
    journal.order(*ORDER[:-1], "x" * 5000)
    assert "full" in journal.fault
    assert list(read_rows(journal.path, "orders", "run-1")) == []
    journal._db.execute("PRAGMA max_page_count = 1000000")
    journal.execution(*EXECUTION)
    assert journal.fault == ""
    assert [len(table) for table in rows(journal.path, "run-1").values()] == [0, 1, 1, 0]


def test_a_run_ends_in_order_on_a_full_disk(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "bot.db", "run-1", InlineBackground())
    full(journal)
    journal.order(*ORDER[:-1], "x" * 5000)
    journal.close("2020", "end")
    assert "full" in journal.fault


def test_ids_go_on_from_the_last_one_that_left(journal: Journal) -> None:
    assert journal.last_number("b-1-") == 0
    for number in (1, 2, 10):
        journal.intent(*INTENT[:3], f"b-1-{number}", *INTENT[4:])
    journal.intent(*INTENT[:3], "b-2-77", *INTENT[4:])
    assert journal.last_number("b-1-") == 10


def test_what_was_asked_for_is_found_by_its_id(journal: Journal) -> None:
    fill(journal)
    found = journal.submits(["b-1-1", "unknown"])
    assert list(found) == ["b-1-1"]
    assert (found["b-1-1"]["strategy"], found["b-1-1"]["price"]) == ("bot", "99.5")
    assert journal.executions() == [EXECUTION]
