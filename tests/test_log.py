"""Log lines: their form, and that no secret is in any of them, however it got there."""

import asyncio
import base64
import copy
import io
import json
import logging
import pickle
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import structlog

from hbkit import log
from hbkit.clock import ManualClock, parse_time
from hbkit.errors import ConfigError

CANARY = 'kAnary/9+z"\\ü~%4Qx7'
NOON = parse_time("2019-05-28T12:00:00.123Z")


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """Each test leaves neither secrets nor handlers behind."""
    hidden, pattern = set(log._hidden), log._pattern
    yield
    log.close()
    log._hidden.clear()
    log._hidden.update(hidden)
    log._pattern = pattern


def started(level: str = "debug", **options: object) -> io.StringIO:
    stream = io.StringIO()
    log.configure(level=level, stream=stream, clock=ManualClock(NOON), **options)  # type: ignore[arg-type]
    return stream


def alone() -> None:
    """As in a program, without pytest's own handlers: those raise where a record's arguments do not fit."""
    logging.getLogger().handlers.clear()


# -- form


def test_plain_lines_are_key_value_in_utc_without_colour() -> None:
    stream = started()
    logger = log.get_logger("hbkit.trading").bind(instrument="XBTUSD")
    logger.info("order placed", qty=100, price=8000.5, tag="", note='say "hi"', flags=[1, None, True])
    assert stream.getvalue() == (
        'ts=2019-05-28T12:00:00.123Z level=info logger=hbkit.trading event="order placed" instrument=XBTUSD '
        'qty=100 price=8000.5 tag="" note="say \\"hi\\"" flags="[1, None, True]"\n'
    )


def test_console_lines_have_colour_and_the_file_has_none(tmp_path: Path) -> None:
    stream = started(console=True, file=tmp_path / "run.log")
    log.get_logger("x").warning("late", seconds=3)
    log.close()
    assert "\x1b[" in stream.getvalue()
    assert "2019-05-28T12:00:00.123Z" in stream.getvalue()
    assert (tmp_path / "run.log").read_text() == (
        "ts=2019-05-28T12:00:00.123Z level=warning logger=x event=late seconds=3\n"
    )


@pytest.mark.parametrize(
    ("level", "expected"),
    [("debug", "dbg inf war err"), ("info", "inf war err"), ("warning", "war err"), ("error", "err")],
)
def test_the_level_is_the_least_that_is_shown(level: str, expected: str) -> None:
    stream = started(level)
    logger = log.get_logger("x")
    logger.debug("dbg")
    logger.info("inf")
    logger.warning("war")
    logger.error("err")
    assert [line.split("event=")[1] for line in stream.getvalue().splitlines()] == expected.split()


def test_an_unknown_level_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match='did you mean "debug"'):
        started("debgu")


def test_values_from_outside_cannot_forge_a_line_or_steer_a_terminal() -> None:
    stream = started()
    hostile = "a\nts=2020 level=info\r\x1b[31m\x00\x9b\u2028\u202e\ud800"
    logger = log.get_logger("x")
    logger.info(hostile, text=hostile, inner={hostile: [hostile]}, level="fake", ts="fake", **{hostile: 1})
    try:
        raise ValueError(hostile)
    except ValueError as error:
        logger.exception("failed", error=error)
    # A lone surrogate would also be in what pytest captures of this, and cannot be handed to another process.
    logging.getLogger("guest").warning("%s", hostile.rstrip("\ud800"))
    lines = stream.getvalue().split("\n")
    assert lines.pop() == ""
    assert all(line.isprintable() for line in lines)
    assert all(line.startswith(("ts=2019-05-28T12:00:00.123Z level=", "  | ")) for line in lines)


def test_what_a_narrow_stream_cannot_write_is_escaped() -> None:
    raw = io.BytesIO()
    log.configure(stream=io.TextIOWrapper(raw, encoding="ascii"), clock=ManualClock(NOON))
    log.get_logger("x").info("größe")
    assert rb"gr\xf6\xdfe" in raw.getvalue()


def test_a_stream_that_cannot_be_written_stops_nobody() -> None:
    stream = started()
    stream.close()
    log.get_logger("x").info("into the void")


def test_a_value_that_cannot_be_printed_is_named() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    stream = started()
    log.get_logger("x").info("odd", value=Broken())
    assert "<Broken that cannot be printed: RuntimeError>" in stream.getvalue()


def test_before_configure_warnings_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    logger = log.get_logger("x")
    logger.info("unseen")
    logger.warning("seen")
    error = capsys.readouterr().err
    assert "event=seen" in error
    assert "unseen" not in error


# -- third parties


def test_third_parties_are_heard_from_warning_up() -> None:
    alone()
    stream = started("debug")
    guest = logging.getLogger("aiohttp.client")
    guest.setLevel(logging.DEBUG)
    try:
        guest.debug("chatter")
        guest.info("chatter")
        guest.warning("careful %d", 7)
        guest.warning("does not fit %d", "x")
    finally:
        guest.setLevel(logging.NOTSET)
    assert "chatter" not in stream.getvalue()
    assert 'level=warning logger=aiohttp.client event="careful 7"' in stream.getvalue()
    assert "its arguments do not fit" in stream.getvalue()


def test_close_gives_stdlib_logging_and_warnings_back() -> None:
    handlers, show = list(logging.getLogger().handlers), warnings.showwarning
    started()
    started()
    assert len(logging.getLogger().handlers) == len(handlers) + 1
    log.close()
    assert logging.getLogger().handlers == handlers
    assert warnings.showwarning is show


# -- secrets


def test_a_secret_shows_itself_only_to_reveal() -> None:
    secret = log.Secret(CANARY)
    shown = [str(secret), repr(secret), f"{secret}", f"{secret:>3}", repr({"key": secret}), repr(pickle.dumps(secret))]
    assert not [text for text in shown if CANARY in text or "kAnary" in text]
    assert pickle.loads(pickle.dumps(secret)).reveal() == "***"
    assert copy.deepcopy({"key": secret})["key"].reveal() == secret.reveal() == CANARY
    assert secret == log.Secret(CANARY)
    assert secret != log.Secret("another one")
    assert secret != CANARY
    assert len({secret, log.Secret(CANARY)}) == 1
    assert not log.Secret("")
    with pytest.raises(TypeError):
        json.dumps(secret)


def fails_with_locals() -> None:
    api_secret = CANARY
    headers = {"api-key": api_secret}
    raise ValueError(f"signing failed for {len(headers)} header")


def say_it_everywhere(secret: log.Secret) -> None:
    """The canary on every way into a log that we know of."""
    text, raw = secret.reveal(), secret.reveal().encode()
    logger = log.get_logger("hbkit.test")
    logger.info(f"the secret is {text}", secret=secret, text=text, raw=raw, **{text: 1})
    logger.info("nested", config={"exchanges": [{"api_secret": text, "raw": (raw, {text})}]})
    lower = re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), quote(text, safe=""))
    logger.info("url", safe=f"wss://host/?sig={quote(text, safe='')}&k={quote_plus(text)}", lower=lower)
    logger.info("hex", lower=raw.hex(), upper=raw.hex().upper(), odd=f"00{raw.hex()}ff")
    logger.info("json", body=json.dumps({"a": text}), readable=json.dumps({"a": text}, ensure_ascii=False))
    for before in (b"", b"u", b"us", b"user:"):
        coded = base64.b64encode(before + raw + b"tail").decode()
        logger.info("base64", coded=coded, url=base64.urlsafe_b64encode(before + raw).decode())
    try:
        fails_with_locals()
    except ValueError as error:
        logger.exception("failed")
        logger.error("failed", exc_info=error, error=error)
        logging.getLogger("guest").exception("failed with %s", text)
    try:
        raise ExceptionGroup(text, [ValueError(text)])
    except ExceptionGroup:
        logger.exception("group")
    logging.getLogger("guest").warning("%r and %s", {"secret": text}, raw)
    logging.getLogger("guest").warning(text, "an argument too many")
    structlog.get_logger().warning("a guest with structlog", secret=text, exc_info=ValueError(text))
    warnings.warn(f"deprecated {text}", UserWarning, stacklevel=2)
    loop = asyncio.new_event_loop()
    loop.call_exception_handler({"message": text, "exception": ValueError(text)})
    loop.close()


def all_that_was_written(folder: Path, console: bool) -> str:
    alone()
    secret = log.Secret(CANARY)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        stream = started(console=console, file=folder / "run.log")
        say_it_everywhere(secret)
        log.close()
    return stream.getvalue() + (folder / "run.log").read_text()


def forms(secret: str) -> dict[str, str]:
    """Written out by hand, not by the code under test; each is a piece that would give the secret away."""
    raw = secret.encode()
    return {
        "text": secret,
        "beginning": "kAnary",
        "end": "~%4Qx7",
        "url": "kAnary%2F9",
        "lower url": "kAnary%2f9",
        "hex": raw.hex(),
        "upper hex": raw.hex().upper(),
        "base64": base64.b64encode(raw)[:24].decode(),
        # The middle of the secret at each of the three alignments.
        "base64 + 1": base64.b64encode(b"u" + raw)[4:24].decode(),
        "base64 + 2": base64.b64encode(b"us" + raw)[4:24].decode(),
    }


@pytest.mark.parametrize("console", [False, True], ids=["plain", "console"])
def test_the_canary_is_found_nowhere(tmp_path: Path, console: bool, capsys: pytest.CaptureFixture[str]) -> None:
    written = all_that_was_written(tmp_path, console)
    captured = capsys.readouterr()
    assert "fails_with_locals" in written
    found = [name for name, form in forms(CANARY).items() if form in written + captured.out + captured.err]
    assert found == []


@pytest.mark.parametrize("console", [False, True], ids=["plain", "console"])
def test_it_is_the_redaction_that_removes_it(tmp_path: Path, console: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def unchanged(text: str) -> str:
        return text

    nothing: Callable[[str], str] = unchanged
    monkeypatch.setattr(log, "redact", nothing)
    written = all_that_was_written(tmp_path, console)
    found = {name for name, form in forms(CANARY).items() if form in written}
    # The whole text has a quote and a backslash in it, which `key=value` escapes: there its parts are found.
    assert found >= set(forms(CANARY)) - {"text"}


def test_a_traceback_has_no_local_variables_even_of_what_nobody_registered(tmp_path: Path) -> None:
    stream = started(console=True, file=tmp_path / "run.log")
    unregistered = "nobody-told-you-about-me".upper()

    def fail(value: str) -> None:
        raise ValueError(len(value))

    try:
        fail(unregistered)
    except ValueError:
        log.get_logger("x").exception("failed")
        logging.getLogger("guest").exception("failed")
        structlog.get_logger().exception("failed")
    log.close()
    written = stream.getvalue() + (tmp_path / "run.log").read_text()
    assert written.count("in fail") == 6
    assert unregistered not in written


def test_words_are_not_secrets() -> None:
    log.hide("demo")
    log.hide("")
    assert log.redact("demo.yaml") == "demo.yaml"


def test_importing_it_loads_neither_structlog_nor_logging() -> None:
    code = (
        "import sys, hbkit.log as log\n"
        "log.get_logger('x'); log.Secret('a secret text')\n"
        "print([name for name in ('structlog', 'logging', 'rich') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
