"""Structured logging that cannot leak: one chain for the program, for third parties and for warnings.

    configure(level="info", stream=sys.stderr, console=False, clock=WallClock())
    log = get_logger(__name__)
    log.info("order placed", instrument="XBTUSD", qty=100)

Whatever is written, to whichever sink, passes `redact` last: each text that was registered by `hide`, and each
`Secret`, is replaced by `***`, also in base64, URL-coded and hex. Tracebacks show where, never the values of local
variables: structlog's own default would print those, so its traceback is not in the chain at all. Control characters
are escaped, because texts come from outside and a line of a log must stay one line.

structlog and stdlib logging are loaded with the first line that is logged, not with this file.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import quote, quote_plus

from hbkit.clock import Clock, WallClock, iso
from hbkit.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    import logging

MASK = "***"
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

# Shorter texts are not secrets but words, and hiding "demo" would tear holes into every line.
_SHORTEST = 6
# C0, C1, line and paragraph separators, the signs that turn the writing direction, lone surrogates.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_BARE = re.compile(r'[^\s"=]+')
_DEEPEST = 6
_OWN_KEYS = ("ts", "level", "exception")
_FIRST_KEYS = ("ts", "level", "logger", "event")

EventDict = dict[str, Any]
Renderer = Callable[[EventDict], str]


# -- secrets


class Secret:
    """A text that shows itself only to `reveal()`: printed, formatted, pickled or logged it is `***`."""

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text
        hide(text)

    def reveal(self) -> str:
        """The text itself; hand it to what needs it and keep no copy."""
        return self.__text

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self.__text)

    def __eq__(self, other: object) -> bool:
        return self.__text == other.__text if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.__text)

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return Secret, (MASK,)

    # A copy in memory must still work; only what leaves the process is masked.
    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self


_hidden: set[str] = set()
_pattern: re.Pattern[str] | None = None


def hide(secret: str) -> None:
    """Replace `secret` by `***` in everything that is logged from now on; texts under six characters are left alone."""
    global _pattern
    if len(secret) < _SHORTEST or secret in _hidden:
        return
    _hidden.add(secret)
    forms = {form for text in _hidden for form in _forms(text)}
    # The longest first: base64 with its padding goes before the same without.
    _pattern = re.compile("|".join(re.escape(form) for form in sorted(forms, key=lambda form: (-len(form), form))))


def redact(text: str) -> str:
    """`text` without the secrets; the last step before anything is written."""
    return text if _pattern is None else _pattern.sub(MASK, text)


def _forms(secret: str) -> set[str]:
    """Every way in which `secret` may stand in a text."""
    raw = secret.encode()
    forms = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), raw.hex(), raw.hex().upper()}
    forms |= {re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), form) for form in forms if "%" in form}
    # As `repr`, JSON and our own escaping write it, where it has quotes, backslashes, control or foreign characters.
    forms |= {
        repr(secret)[1:-1],
        repr(raw)[2:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    }
    forms |= {_escape(secret), json.dumps(_escape(secret), ensure_ascii=False)[1:-1]}
    for offset in range(3):
        core = _base64_core(raw, offset)
        forms |= {core, core.replace("+", "-").replace("/", "_")}
    for coded in (base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()):
        forms |= {coded, coded.rstrip("="), quote(coded, safe="")}
    return {form for form in forms if len(form) >= _SHORTEST - 1}


def _base64_core(raw: bytes, offset: int) -> str:
    """The base64 digits that depend on `raw` alone when `offset` bytes (mod 3) stand before it, as in `user:secret`."""
    coded = base64.b64encode(bytes(offset) + raw).decode().rstrip("=")
    # The first digits mix in the bytes before; the last one, unless it ends a group of three, the bytes after.
    first = (0, 2, 3)[offset]
    whole = (offset + len(raw)) % 3 == 0
    return coded[first:] if whole else coded[first:-1]


# -- what the program calls


class Logger:
    """Says things under one name, with `bind` under more; costs nothing until the first line."""

    __slots__ = ("_bound", "_name")

    def __init__(self, name: str, bound: Mapping[str, Any] | None = None) -> None:
        self._name = name
        self._bound = dict(bound or {})

    def bind(self, **values: Any) -> Logger:
        """A logger that adds `values` to each line."""
        return Logger(self._name, {**self._bound, **values})

    def debug(self, event: str, **values: Any) -> None:
        """For whoever looks for a fault."""
        self._say("debug", event, values)

    def info(self, event: str, **values: Any) -> None:
        """What a user wants to have read afterwards."""
        self._say("info", event, values)

    def warning(self, event: str, **values: Any) -> None:
        """What a user should look at."""
        self._say("warning", event, values)

    def error(self, event: str, **values: Any) -> None:
        """What went wrong; `exc_info=error` adds the traceback."""
        self._say("error", event, values)

    def exception(self, event: str, **values: Any) -> None:
        """An error with the traceback of the exception at hand."""
        self._say("error", event, {"exc_info": True, **values})

    def _say(self, level: str, event: str, values: Mapping[str, Any]) -> None:
        import structlog

        if _current is None:
            configure(level="warning", stream=sys.stderr, console=False, clock=WallClock(), capture=False)
        getattr(structlog.get_logger(), level)(event, **{"logger": self._name, **self._bound, **values})


def get_logger(name: str) -> Logger:
    """The logger of that name; before `configure` only warnings and errors are shown, on stderr."""
    return Logger(name)


def configure(
    *,
    level: str = "info",
    stream: TextIO | None = None,
    console: bool = False,
    clock: Clock,
    file: Path | None = None,
    capture: bool = True,
) -> None:
    """Send log lines to `stream` and `file`; `console` is for eyes (colour), else and in the file it is `key=value`.

    `capture` takes in stdlib logging (from WARNING up) and `warnings`. A second call replaces the first.
    """
    if level not in LEVELS:
        raise ConfigError(f'no log level "{level}"; {did_you_mean(level, LEVELS)}')
    global _current
    close()
    _current = _Setup(LEVELS[level], stream, console, clock, file)
    _current.install(capture)


def close() -> None:
    """Undo `configure`: close the file and give stdlib logging, warnings and structlog back."""
    global _current
    if _current is not None:
        setup, _current = _current, None
        setup.remove()


# -- the chain


class _Setup:
    """What one call of `configure` has put in place."""

    def __init__(self, level: int, stream: TextIO | None, console: bool, clock: Clock, file: Path | None) -> None:
        self._level = level
        self._clock = clock
        self._handler: logging.Handler | None = None
        self._file = None if file is None else file.open("a", encoding="utf-8")
        self._sinks: list[_Sink] = []
        if stream is not None:
            self._sinks.append(_Sink(stream, _console_line() if console else _plain_line))
        if self._file is not None:
            self._sinks.append(_Sink(self._file, _plain_line))

    def install(self, capture: bool) -> None:
        import structlog

        # No processor of structlog's that formats exceptions is in this chain: its default, with rich installed, prints
        # the local variables of every frame, and with them keys.
        structlog.configure(
            processors=[self._write],
            wrapper_class=structlog.make_filtering_bound_logger(self._level),
            logger_factory=lambda *_: None,
            cache_logger_on_first_use=False,
        )
        if capture:
            self._capture()

    def _capture(self) -> None:
        import logging

        self._handler = _third_party_handler(self.emit)
        self._handler.setLevel(max(self._level, logging.WARNING))
        logging.getLogger().addHandler(self._handler)
        logging.captureWarnings(True)

    def remove(self) -> None:
        import structlog

        structlog.reset_defaults()
        if self._handler is not None:
            import logging

            logging.captureWarnings(False)
            logging.getLogger().removeHandler(self._handler)
        if self._file is not None:
            self._file.close()

    def _write(self, _logger: Any, level: str, event_dict: Any) -> Any:
        import structlog

        self.emit(level, dict(event_dict))
        # structlog's way to say that nothing is left to do for the wrapped logger, of which there is none.
        raise structlog.DropEvent

    def emit(self, level: str, values: EventDict) -> None:
        """Complete, clean and write one event."""
        trace = _trace(values.pop("exc_info", None))
        event: EventDict = {"ts": iso(self._clock.now()), "level": level}
        for key, value in values.items():
            # A value called `level` is shown, as `level_`, and does not pass for the level of the line.
            event[f"{key}_" if key in _OWN_KEYS else _leaf(str(key))] = _clean(value)
        if trace:
            event["exception"] = trace
        for sink in self._sinks:
            sink.write(event)


class _Sink:
    """One place that lines go to. `redact` is looked up at each line, so that a test can show what it is worth."""

    def __init__(self, stream: TextIO, render: Renderer) -> None:
        self._stream = stream
        self._render = render
        self.lost = 0

    def write(self, event: EventDict) -> None:
        line = redact(self._render(dict(event))) + "\n"
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        try:
            self._stream.write(line.encode(encoding, "backslashreplace").decode(encoding))
            self._stream.flush()
        except (OSError, ValueError):
            # A closed pipe or a full disk: trading goes on although nobody reads its log. The next line tries anew.
            self.lost += 1


_current: _Setup | None = None


# -- rendering


def _plain_line(event: EventDict) -> str:
    """`ts=... level=info logger=... event="order placed" qty=100`, a traceback below it on lines marked with `|`."""
    trace = event.pop("exception", "")
    keys = [key for key in _FIRST_KEYS if key in event] + [key for key in event if key not in _FIRST_KEYS]
    line = " ".join(f"{_word(key)}={_word(event[key])}" for key in keys)
    return f"{line}\n{trace}" if trace else line


def _word(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    return text if _BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _console_line() -> Renderer:
    """structlog's renderer for people, with a plain traceback: ours, which is already a text."""
    import structlog

    renderer = structlog.dev.ConsoleRenderer(colors=True, exception_formatter=structlog.dev.plain_traceback)

    def render(event: EventDict) -> str:
        event["timestamp"] = event.pop("ts")
        return str(renderer(None, str(event["level"]), event))

    return render


def _trace(exc_info: Any) -> str:
    """The traceback as text: files, lines and the exceptions' own messages. Never a local variable."""
    if exc_info is True:
        exc_info = sys.exc_info()
    error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    if not isinstance(error, BaseException):
        return ""
    text = redact("".join(traceback.TracebackException.from_exception(error, capture_locals=False).format()))
    # Each line is marked: a message with a line break in it cannot pass for a line of the log.
    return "\n".join(f"  | {_leaf(line)}" for line in text.rstrip("\n").split("\n"))


def _leaf(text: str) -> str:
    """A text without secrets and control characters, before quotes around it can disguise what is in it."""
    return _escape(redact(text))


def _escape(text: str) -> str:
    return _CONTROL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    named = {10: r"\n", 13: r"\r", 9: r"\t"}.get(code)
    return named or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def _clean(value: Any, depth: int = 0) -> Any:
    """`value` as something safe to print: texts escaped, errors by their message, containers by their contents."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return _leaf(str(value))
    if isinstance(value, BaseException):
        # Not `repr`: that of aiohttp's errors prints the request's headers, signature included.
        return _leaf(f"{type(value).__name__}: {value}")
    if depth < _DEEPEST and isinstance(value, Mapping):
        return {_leaf(str(key)): _clean(inner, depth + 1) for key, inner in value.items()}
    if depth < _DEEPEST and isinstance(value, (list, tuple, set, frozenset)):
        return [_clean(inner, depth + 1) for inner in value]
    try:
        return _leaf(repr(value) if isinstance(value, (bytes, bytearray)) else str(value))
    except Exception as error:  # noqa: BLE001 - a value that cannot be printed must not stop who logs it
        return f"<{type(value).__name__} that cannot be printed: {type(error).__name__}>"


def _third_party_handler(emit: Callable[[str, EventDict], None]) -> logging.Handler:
    import logging

    class Handler(logging.Handler):
        """Takes stdlib records into the chain."""

        def emit(self, record: logging.LogRecord) -> None:
            try:
                message = record.getMessage()
            except Exception:  # noqa: BLE001 - logging's own answer to bad arguments prints them raw to stderr
                message = f"{record.msg!r} (its arguments do not fit)"
            values: EventDict = {"logger": record.name, "event": message, "exc_info": record.exc_info}
            emit(record.levelname.lower(), values)

    return Handler()
