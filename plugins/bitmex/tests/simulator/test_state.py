"""`--state FILE`: what a simulator does after any end is what it would have done without one."""

import asyncio
import pickle
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hbkit_bitmex.simulator import Options, serve
from hbkit_bitmex.simulator.copying import from_bytes, to_bytes
from hbkit_bitmex.simulator.state import Request, StateFile

from hbkit.chance import Chance
from hbkit.clock import HOUR, MINUTE, SECOND
from hbkit.errors import AlreadyRunning, StateError, UsageError
from hbkit.net.virtual import VirtualLoop, run_virtual
from plugins.bitmex.tests.simulator.conftest import SECRETS, START, Desk

HISTORY = 120 * SECOND
BEGIN = START + 3 * HOUR + 53 * MINUTE
"""Seven minutes before a funding."""
Life = Callable[..., Any]


class Street:
    """Opens one simulator after the other at the same place, with a desk at each."""

    def __init__(self, loop: VirtualLoop, stack: AsyncExitStack) -> None:
        self._loop = loop
        self._stack = stack
        self._count = 0

    async def open(self, state: Path | None = None, **options: Any) -> Desk:
        """A market that stands still between pushes, so that its time says nothing of how long a start takes."""
        self._count += 1
        path = f"venue{self._count}"
        chosen = {"history": HISTORY, "limits": False, "speed": 0.0, "accounts": (("other", SECRETS["other"]),)}
        running = await serve(
            Options(path=path, state=str(state) if state else None, **{**chosen, **options}),
            clock=self._loop.clock,
            chance=Chance(1),
        )
        self._stack.push_async_callback(running.close)
        connector = aiohttp.UnixConnector(path=path)
        session = await self._stack.enter_async_context(aiohttp.ClientSession("http://venue", connector=connector))
        desk = Desk(self._loop, running, session)
        self._stack.push_async_callback(desk.leave)
        return desk

    async def killed(self, desk: Desk, state: Path, **options: Any) -> Desk:
        """What comes after a kill: the file as it stands at this moment, nothing said goodbye."""
        self._count += 1
        left = state.with_name(f"left{self._count}.db")
        for suffix in ("", "-wal"):
            if (part := state.with_name(state.name + suffix)).exists():
                shutil.copy(part, left.with_name(left.name + suffix))
        del desk
        return await self.open(left, **options)


def on_a_street(story: Callable[[Street], Any]) -> Any:
    async def main(loop: VirtualLoop) -> Any:
        async with AsyncExitStack() as stack:
            return await story(Street(loop, stack))

    return run_virtual(main, start=BEGIN)


def path_of(desk: Desk) -> Path:
    keeper = desk.running.simulator.drive._keeper
    assert keeper is not None
    return keeper.state.path


async def advance(desk: Desk, seconds: float) -> None:
    async with desk.session.post("/control/clock", json={"advance": seconds}) as answer:
        assert answer.status == 200


async def everything(desk: Desk) -> dict[str, Any]:
    """All that the venue knows, the book with its ids, the past, and what comes of an order's id."""
    async with desk.session.get("/control/truth") as answer:
        truth = await answer.json()
    routes = (
        "/orderBook/L2?symbol=XBTUSD&depth=0", "/orderBook/L2?symbol=ETHUSD&depth=0", "/trade?symbol=XBTUSD&count=500",
        "/trade/bucketed?symbol=XBTUSD&binSize=1m&count=900&reverse=true&partial=true", "/funding?count=500",
        "/quote?symbol=XBTUSD&count=500&reverse=true", "/user/walletHistory", "/order?reverse=true&count=500",
        "/position", "/user/margin?currency=all", "/instrument?symbol=XBTUSD", "/user",
    )  # fmt: skip
    return {"truth": truth, **{route: (await desk.call("GET", route)).body for route in routes}}


def order(**rest: Any) -> tuple[str, str, dict[str, Any]]:
    return "POST", "/order", {"symbol": "XBTUSD", **rest}


async def script(desk: Desk) -> list[list[Any]]:
    """Scenes of a trading session: what is asked for, or seconds by which the market is pushed."""
    bid, ask = await desk.touch()
    return [
        # Resting on both sides, one behind the other, and far away; the other account in the same queue.
        [
            order(side="Buy", orderQty=20_000, price=bid, clOrdID="first"),
            order(side="Buy", orderQty=300, price=bid, clOrdID="second", displayQty=100),
            order(side="Sell", orderQty=5000, price=ask + 3, clOrdID="above"),
            ("other", *order(side="Buy", orderQty=700, price=bid)),
            20,
        ],
        # A position, its leverage, stops that wait, one of them trailing.
        [
            order(side="Buy", orderQty=60_000, ordType="Market"),
            ("POST", "/position/leverage", {"symbol": "XBTUSD", "leverage": 12.5}),
            order(side="Sell", orderQty=500, stopPx=bid - 6, ordType="Stop", execInst="LastPrice", clOrdID="stop"),
            order(side="Sell", orderQty=400, ordType="Stop", pegPriceType="TrailingStopPeg", pegOffsetValue=-9,
                  execInst="LastPrice", clOrdID="trail"),
            7.25,
        ],
        # Another market that nobody recorded, hedge mode for the other account, preferences, a refused order.
        [
            ("other", "DELETE", "/order/all", None),
            ("other", "POST", "/user/positionMode", {"positionMode": "MultiWay"}),
            ("other", *order(side="Buy", orderQty=900, ordType="Market", strategy="Long")),
            ("other", *order(side="Sell", orderQty=400, ordType="Market", strategy="Short")),
            order(symbol="ETHUSD", side="Buy", orderQty=20, ordType="Market"),
            ("POST", "/user/preferences", {"prefs": {"colour": "green"}}),
            order(side="Buy", orderQty=100, price=bid - 50, clOrdID="above"),
            ("PUT", "/order", {"origClOrdID": "above", "orderQty": 4000, "price": ask + 2}),
            33,
        ],
        [("other", *order(side="Buy", orderQty=600_000, price="ask", strategy="Long", clOrdID="rests")),
         ("GET", "/orderBook/L2?symbol=XBTUSDT", None), 61, ("DELETE", "/order?clOrdID=%5B%22second%22%5D", None), 240],
        # Over the funding at 04:00.
        [120, order(side="Sell", orderQty=60_000, ordType="Market", execInst="ReduceOnly"), 90],
    ]  # fmt: skip


async def play(desk: Desk, scene: list[Any]) -> list[Any]:
    """The answers, refusals too."""
    answers = []
    for step in scene:
        if not isinstance(step, tuple):
            await advance(desk, step)
            continue
        key, verb, route, body = step if len(step) == 4 else ("demo", *step)
        if body is not None and body.get("price") == "ask":
            body = {**body, "price": (await desk.touch())[1]}
        answer = await desk.call(verb, route, body, key=key)
        answers.append((answer.status, answer.body))
    return answers


@pytest.fixture(scope="module")
def uninterrupted() -> tuple[list[list[Any]], dict[str, Any]]:
    """What comes of the session in one life."""

    async def story(street: Street) -> Any:
        desk = await street.open()
        answers = [await play(desk, scene) for scene in await script(desk)]
        return answers, await everything(desk)

    found: tuple[list[list[Any]], dict[str, Any]] = on_a_street(story)
    return found


def test_the_session_holds_what_is_to_be_proved(uninterrupted):
    answers, found = uninterrupted
    demo, other = found["truth"]["accounts"]
    told = {(row["execType"], row["ordStatus"]) for row in demo["executions"] + other["executions"]}
    assert {("Trade", "PartiallyFilled"), ("Trade", "Filled"), ("Funding", "Filled")} <= told
    assert any(row.get("triggered") for row in demo["orders"])
    assert {row["strategy"] for row in other["positions"]} == {"Long", "Short"}
    assert [status for status, _ in answers[2]] == [200] * 6 + [400, 200]  # the clOrdID "above" stands already


def test_after_restarts_everything_goes_on_as_if_there_had_been_none(tmp_path, uninterrupted):
    async def story(street: Street) -> Any:
        desk = await street.open(tmp_path / "venue.db")
        answers = []
        for number, scene in enumerate(await script(desk)):
            answers.append(await play(desk, scene))
            state = path_of(desk)
            if number % 2:
                await desk.running.close()
                desk = await street.open(state)
            else:
                desk = await street.killed(desk, state)
        return answers, await everything(desk)

    answers, found = on_a_street(story)
    assert answers == uninterrupted[0]
    for part, rows in uninterrupted[1].items():
        assert found[part] == rows, part


def test_the_market_stands_still_while_the_simulator_is_down(tmp_path):
    async def story(street: Street) -> Any:
        state = tmp_path / "venue.db"
        desk = await street.open(state, speed=10.0)
        await asyncio.sleep(60)
        await desk.running.close()
        before = desk.running.simulator.drive.clock.now()
        await asyncio.sleep(86_400)
        desk = await street.open(state, speed=10.0)
        begun = desk.running.simulator.drive.clock.now()
        await asyncio.sleep(6)
        return before, begun, desk.running.simulator.drive.clock.now()

    before, begun, later = on_a_street(story)
    assert before >= BEGIN + 600 * SECOND  # 60 s at ten times the speed
    assert begun == before
    assert later == begun + 60 * SECOND


def test_a_dead_mans_switch_that_ran_out_meanwhile_fires_at_the_start(tmp_path):
    async def story(street: Street) -> Any:
        state = tmp_path / "venue.db"
        desk = await street.open(state)
        bid, _ = await desk.touch()
        await desk.place(side="Buy", orderQty=100, price=bid - 100)
        armed = await desk.call("POST", "/order/cancelAllAfter", {"timeout": 60_000})
        # Over the socket it is set anew, and that is remembered as well.
        await (await desk.socket()).send(op="cancelAllAfter", args=90_000)
        left = await street.killed(desk, path_of(desk))
        await asyncio.sleep(89)
        standing = (await left.call("GET", "/order")).body[0]["ordStatus"]
        await asyncio.sleep(2)
        fired = (await left.call("GET", "/order")).body[0]
        late = await street.killed(desk, path_of(desk))  # this one was down for all of it
        await asyncio.sleep(0.001)
        return armed.status, standing, fired, (await late.call("GET", "/order")).body[0]

    armed, standing, fired, late = on_a_street(story)
    assert (armed, standing) == (200, "New")
    for row in (fired, late):
        assert (row["ordStatus"], row["text"]) == ("Canceled", "Canceled\nCanceled by cancelAllAfter.")


def test_a_switch_that_fired_before_the_kill_is_not_forgotten(tmp_path):
    async def story(street: Street) -> Any:
        desk = await street.open(tmp_path / "venue.db")
        bid, _ = await desk.touch()
        await desk.place(side="Buy", orderQty=100, price=bid - 100)
        await desk.call("POST", "/order/cancelAllAfter", {"timeout": 1000})
        await asyncio.sleep(2)
        await desk.place(side="Buy", orderQty=200, price=bid - 100)
        before = await everything(desk)
        return before, await everything(await street.killed(desk, path_of(desk)))

    before, after = on_a_street(story)
    assert [row["ordStatus"] for row in before["truth"]["accounts"][0]["orders"]] == ["Canceled", "New"]
    assert after == before


def test_keys_keep_their_accounts_and_new_ones_get_new_ones(tmp_path):
    async def story(street: Street) -> Any:
        state = tmp_path / "venue.db"
        desk = await street.open(state)
        await desk.place(key="other", side="Buy", orderQty=100, ordType="Market")
        before = [(await desk.call("GET", "/user", key=key)).body["id"] for key in ("demo", "other")]
        await desk.running.close()
        # Named in another order, with one more, and "other" with a new secret.
        third = await street.open(state, accounts=(("third", "its-secret"), ("other", SECRETS["other"])))
        SECRETS["third"] = "its-secret"
        after = [(await third.call("GET", "/user", key=key)).body["id"] for key in ("demo", "other", "third")]
        history = (await third.call("GET", "/user/walletHistory", key="third")).body
        held = (await third.call("GET", "/position", key="other")).body
        return before, after, history, held

    before, after, history, held = on_a_street(story)
    assert after[:2] == before
    assert after[2] not in before
    assert [(row["transactType"], row["amount"]) for row in history] == [("Deposit", 100_000_000)]
    assert held[0]["currentQty"] == 100


def test_what_a_file_began_with_holds(tmp_path):
    async def story(street: Street) -> Any:
        state = tmp_path / "venue.db"
        desk = await street.open(state)
        await desk.running.close()
        with pytest.raises(UsageError, match=r"venue\.db began with --data bitmex-2019-05-29; .*another file"):
            await street.open(state, data=("synthetic:calm",))
        desk = await street.open(state, seed=99)  # what is drawn goes on as it began
        return (await desk.call("GET", "/order")).status

    assert on_a_street(story) == 200


def test_a_second_simulator_on_the_file_is_refused(tmp_path):
    first = StateFile(tmp_path / "venue.db")
    with pytest.raises(AlreadyRunning, match=r"venue\.db is in use by process \d+; stop it, or name another file"):
        StateFile(tmp_path / "venue.db")
    first.close()
    StateFile(tmp_path / "venue.db").close()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE copy SET venue = substr(venue, 1, length(venue) - 1)", "damaged .its copy of the venue is not whole"),
        ("DELETE FROM copy", "damaged"),
        ("UPDATE meta SET value = '{}' WHERE key = 'begun'", "damaged"),
        ("UPDATE meta SET value = '99' WHERE key = 'format'", "another version of the simulator.*name another file"),
        ("UPDATE meta SET value = 'other' WHERE key = 'code'", "another version of the simulator"),
        ("CREATE TABLE ticks (ts)", "a database of something else; name another file"),
    ],
)
def test_a_file_that_cannot_be_gone_on_with_says_why_and_stays_as_it_is(tmp_path, damage, said):
    async def story(street: Street) -> None:
        state = tmp_path / "venue.db"
        desk = await street.open(state)
        await desk.running.close()
        with closing(sqlite3.connect(state)) as db:
            db.execute(damage)
            db.commit()
        before = state.read_bytes()
        with pytest.raises(StateError, match=said):
            await street.open(state)
        assert state.read_bytes() == before

    on_a_street(story)


def test_a_text_file_is_no_state_file(tmp_path):
    (tmp_path / "notes.txt").write_text("to whom it may concern: " * 100)
    with pytest.raises(StateError, match=r"notes\.txt is damaged .*not a database.*; name another file with --state"):
        StateFile(tmp_path / "notes.txt")


def test_when_the_disk_is_full_nothing_happens_that_would_be_forgotten(tmp_path):
    async def story(street: Street) -> Any:
        state = tmp_path / "venue.db"
        desk = await street.open(state)
        bid, _ = await desk.touch()
        await desk.place(side="Buy", orderQty=100, price=bid - 100)
        file = desk.running.simulator.drive._keeper.state
        pages = file._db.execute("PRAGMA page_count").fetchone()[0]
        file._db.execute(f"PRAGMA max_page_count = {pages}")
        refused = None
        for _ in range(50):  # until the pages that are there are full
            answer = await desk.call("POST", "/order", {"symbol": "XBTUSD", "side": "Buy", "orderQty": 100,
                                                        "price": bid - 101, "text": "x" * 2000})  # fmt: skip
            if answer.status != 200:
                refused = answer
                break
        with pytest.raises(StateError, match=r"cannot be written any longer .*full.*make room and start again"):
            await desk.running.failed()
        placed = len(desk.running.simulator.venue.orders)
        await desk.running.close()
        again = await street.open(state)
        return refused, placed, len(again.running.simulator.venue.orders)

    refused, placed, after = on_a_street(story)
    assert refused.status == 503
    assert "cannot be written any longer" in refused.message
    assert after == placed


def test_a_copy_is_made_in_time_and_takes_the_place_of_what_acted(tmp_path):
    async def story(street: Street) -> Any:
        desk = await street.open(tmp_path / "venue.db", speed=1.0)
        drive = desk.running.simulator.drive
        for _ in range(3):
            await desk.call("GET", "/position")
        written = len(list(drive._keeper.state.entries(0)))
        drive._keeper.work = 10**9
        await asyncio.sleep(2)
        before = await everything(desk)
        kept = len(list(drive._keeper.state.entries(0)))
        after = await everything(await street.killed(desk, path_of(desk), speed=0.0))
        return written, kept, before, after

    written, kept, before, after = on_a_street(story)
    assert written >= 3
    assert kept <= 14  # `everything` asks thirteen times
    assert after["truth"]["accounts"] == before["truth"]["accounts"]


def test_a_request_that_failed_fails_again_and_keeps_nobody_from_starting(tmp_path, monkeypatch, caplog):
    def broken(account: Any, sent: Any) -> Any:
        raise ZeroDivisionError

    async def story(street: Street) -> Any:
        desk = await street.open(tmp_path / "venue.db")
        monkeypatch.setattr("hbkit_bitmex.simulator.modes.margining_mode", broken)
        answer = await desk.call("POST", "/user/marginingMode", {"selectedMarginingMode": "X"})
        await desk.place(side="Buy", orderQty=300, ordType="Market")
        before = await everything(desk)
        caplog.clear()
        return answer.status, before, await everything(await street.killed(desk, path_of(desk)))

    status, before, after = on_a_street(story)
    assert status == 500
    assert after == before
    assert "POST /user/marginingMode failed again as it did before the restart" in caplog.text


def test_a_halt_ends_with_the_process_and_what_it_did_stays(tmp_path):
    async def story(street: Street) -> Any:
        desk = await street.open(tmp_path / "venue.db")
        bid, _ = await desk.touch()
        await desk.place(side="Buy", orderQty=100, price=bid)
        await fault(desk, fault="halt", symbol="XBTUSD")
        await advance(desk, 30)
        during = (await desk.call("GET", "/instrument?symbol=XBTUSD")).body[0]["state"]
        left = await street.killed(desk, path_of(desk))
        await fault(desk, clear=True)
        return during, await everything(desk), await everything(left)

    during, called_off, killed = on_a_street(story)
    assert during == "Closed"
    assert killed["/instrument?symbol=XBTUSD"][0]["state"] == "Open"
    assert killed["truth"]["accounts"] == called_off["truth"]["accounts"]
    assert killed["/orderBook/L2?symbol=XBTUSD&depth=0"] == called_off["/orderBook/L2?symbol=XBTUSD&depth=0"]


def test_what_a_restart_without_memory_forgot_stays_forgotten(tmp_path):
    async def story(street: Street) -> Any:
        desk = await street.open(tmp_path / "venue.db")
        await desk.place(side="Buy", orderQty=100, ordType="Market")
        await fault(desk, fault="restart", seconds=1, memory=False)
        await asyncio.sleep(2)
        await desk.place(side="Buy", orderQty=300, ordType="Market")
        before = await everything(desk)
        return before, await everything(await street.killed(desk, path_of(desk)))

    before, after = on_a_street(story)
    assert [row["orderQty"] for row in before["truth"]["accounts"][0]["orders"]] == [300]
    assert after == before


async def fault(desk: Desk, *, clear: bool = False, **sent: Any) -> None:
    verb = "DELETE" if clear else "POST"
    async with desk.session.request(verb, "/control/faults", json=sent) as answer:
        assert answer.status == 200, await answer.text()


def test_a_query_that_is_no_text_is_kept_as_it_came(tmp_path):
    file = StateFile(tmp_path / "venue.db")
    sent = Request(1, 100_001, "POST", "/order", "a=\udcff", '{"text": "\\u00e4"}')
    file.add(5, ["XBTUSD"], sent)
    (entry,) = file.entries(0)
    file.close()
    assert (entry.ts, entry.names, entry.request) == (5, ("XBTUSD",), sent)


# -- the copy can make objects and nothing else


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "getattr"),
        ("builtins", "eval"),
        ("subprocess", "Popen"),
        ("hbkit_bitmex.simulator.venue", "iso"),
        ("hbkit_bitmex.simulator.venue", "Chance"),
        ("hbkit_bitmex.simulator.server", "Running"),
        ("hbkit.chance", "random.SystemRandom"),
        ("hbkit.chance", "fresh_seed"),
        ("hbkit_bitmex.simulator.copying", "from_bytes"),
        ("hbkit.data.lock", "StateLock"),
    ],
)
def test_a_copy_names_nothing_but_the_classes_of_the_venue(module, name):
    # PROTO 4, the two names, STACK_GLOBAL, EMPTY_TUPLE, REDUCE, STOP
    def text(value: str) -> bytes:
        return b"\x8c" + bytes([len(value)]) + value.encode()

    evil = b"\x80\x04" + text(module) + text(name) + b"\x93)R."
    with pytest.raises(pickle.UnpicklingError, match="has no place in a state file"):
        from_bytes(evil, lambda symbol: None)


def test_methods_are_bound_for_objects_of_the_venue_alone(bench):
    from hbkit_bitmex.simulator.copying import method  # the one function that a copy may call

    assert method(bench.venue, "new_id")() != bench.venue.new_id()
    for owner, name in ((bench.venue, "__class__"), (bench.venue, "stamp"), ("text", "format"), ([], "pop")):
        with pytest.raises(pickle.UnpicklingError):
            method(owner, name)


def test_a_copy_of_a_copy_is_the_same(tmp_path):
    async def story(street: Street) -> Any:
        desk = await street.open(tmp_path / "venue.db")
        await desk.place(side="Buy", orderQty=100, ordType="Market")
        world = desk.running.simulator.drive._keeper._world
        first = to_bytes(world)
        venue = world.venue
        copied = from_bytes(first, lambda symbol: venue.markets[symbol].bins.past)
        account = copied.venue.accounts[100_001]
        assert account.legs is not None
        assert copied.venue.margin(account, "XBT") == venue.margin(venue.accounts[100_001], "XBT")
        return copied.venue.new_id() == venue.new_id()

    assert on_a_street(story)
