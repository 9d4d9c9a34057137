"""What ccxt raised, as hbkit's errors: who refused what, what may have arrived, and nothing of a key in any text.

ccxt puts addresses and whole answers into its exceptions, and an address may be a signed one. Here only words go on:
what the venue said, without queries, bodies and known secrets. Whoever raises what `error_of` returns does so outside
of the frame that caught ccxt's exception, so that no cause, context or traceback leads back to it.

| ccxt | here | an order behind it |
| --- | --- | --- |
| InvalidOrder, InsufficientFunds, BadRequest, OperationRejected | OrderRejected and its kinds | was refused |
| AuthenticationError | AuthenticationError | was refused |
| InvalidNonce | Expired | was not looked at |
| PermissionDenied | NotPermitted | was refused |
| RateLimitExceeded, DDoSProtection, status 418 and 429 | RateLimited | was turned away, may be sent again |
| NotSupported | Unsupported | was not sent |
| RequestTimeout | RequestTimeout with `sent` | is unknown where `sent` |
| NetworkError, ExchangeNotAvailable, BadResponse | RequestDisconnected with `sent` | is unknown where `sent` |
| a status from 500 on, anything unforeseen | RequestDisconnected with `sent` | is unknown where `sent` |
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import ccxt

from hbkit.errors import AuthenticationError, ExchangeError, HbkitError, OrderRejected, RateLimited, Unsupported
from hbkit.log import redact
from hbkit.net.http import RequestDisconnected, RequestTimeout, WireFailure, reason_of

_LONGEST: Final = 300
_ADDRESS = re.compile(r"\b((?:https?|wss?)://[^/\s\"'?#]+)[^\s\"']*")
_PAIR = re.compile(
    r"(?i)\b((?:api[-_ ]?)?(?:sign(?:ature)?|key|secret|passphrase|password|token|listenkey|nonce))"
    r"(\\?[\"']?\s*[=:]\s*\\?[\"']?)(?!\s)[^\s\"'&,;}\\]+"
)
_WORDS = ("message", "msg", "retMsg", "ret_msg", "sMsg", "errorMessage", "reason", "description", "label")
_DEEPER = ("error", "errors", "result", "data", "info")
_CLIENT_ID = r"(?:clordid|client[\w ]{0,12}id|custom[\w ]{0,9}id)"
_DUPLICATE = re.compile(rf"(?i)duplicate\w*\W+{_CLIENT_ID}|{_CLIENT_ID}.*\b(?:duplicated?|already|repeated)\b")
"""As venues say it whose word ccxt takes for any bad request: BitMEX's is `Duplicate clOrdID`."""
_EXPIRED = re.compile(r"(?i)\brequest has expired|outside of the recvwindow|timestamp.*\b(?:ahead|expired)")
_TURNED_AWAY: Final = {"bitmex": ("currently overloaded",)}
"""Words by which a venue says that an order never reached its engine; BitMEX's: its protocol reference, section 5.2."""


class Refusal(OrderRejected):
    """The venue looked at the request and refused it; nothing of it was done."""


class OrderNotFound(Refusal):
    """The venue does not know the order, or knows it no more."""


class DuplicateOrder(Refusal):
    """An order has this client id: after a lost answer the proof that the first try arrived."""


class InsufficientFunds(Refusal):
    """The account's money does not cover it."""


class WouldTrade(Refusal):
    """A post-only order would have traded at once."""


class NoChange(Refusal):
    """What was asked for is so already."""


class Expired(AuthenticationError):
    """The time that the request bore was refused: it was not looked at, and may be sent again by a better clock."""


class NotPermitted(AuthenticationError):
    """The key is good, but may not do this."""


@dataclass
class Request:
    """One request of a call: what is known of its way."""

    verb: str
    arrived: bool | None = None
    """False when it certainly never left; None while it is on its way."""
    status: int | None = None
    """Of the answer."""


@dataclass
class Story:
    """What became of the requests of one call of ccxt's, which may take several."""

    urgent: bool = False
    requests: list[Request] = field(default_factory=list)
    retry_after: float | None = None
    """Seconds, from the last answer that named them."""

    @property
    def status(self) -> int | None:
        """Of the last answer; None when the last request has none."""
        return self.requests[-1].status if self.requests else None

    @property
    def sent(self) -> bool:
        """Whether anything that changes something may have arrived; of a call that only asks, whether the question may.

        An amend that ccxt makes of a cancel and a placement has changed something when its second half never left.
        """
        writes = [one for one in self.requests if one.verb != "GET"] or self.requests
        return any(one.arrived is not False for one in writes)


_REFUSED: Final[tuple[tuple[type[Exception], type[OrderRejected]], ...]] = (
    (ccxt.OrderNotFound, OrderNotFound),
    (ccxt.DuplicateOrderId, DuplicateOrder),
    (ccxt.OrderImmediatelyFillable, WouldTrade),
    (ccxt.InsufficientFunds, InsufficientFunds),
    (ccxt.NoChange, NoChange),
    (ccxt.InvalidOrder, Refusal),
    (ccxt.OperationRejected, Refusal),
    (ccxt.BadRequest, Refusal),
    (ccxt.ArgumentsRequired, Refusal),
    (ccxt.InvalidAddress, Refusal),
)
"""The first that fits."""


def error_of(venue: str, method: str, failure: BaseException, story: Story, order_id: str = "") -> HbkitError:
    """hbkit's error behind a failure of `venue`'s `method`; the caller raises it where `failure` is out of sight."""
    what = f"{venue} {method}"
    wire = _wire(failure)
    if wire is not None:
        return _lost(what, wire, story)
    said = text_of(venue, failure)
    status = story.status
    if isinstance(failure, (ccxt.RateLimitExceeded, ccxt.DDoSProtection)) or status in (418, 429):
        return RateLimited(f"{venue} asks to wait ({said})", retry_after=story.retry_after or 1.0)
    if any(words in said for words in _TURNED_AWAY.get(venue, ())):
        return RateLimited(f"{venue} has no time now ({said})", retry_after=story.retry_after or 0.5)
    by_clock = isinstance(failure, ccxt.InvalidNonce) and not isinstance(failure, ccxt.ChecksumError)
    if by_clock or _EXPIRED.search(said):
        return Expired(f"{venue} refused the time of the request ({said}); set this machine's clock (NTP)")
    for kind, ours in _REFUSED:
        if isinstance(failure, kind):
            twice = ours is Refusal and _DUPLICATE.search(said)
            return (DuplicateOrder if twice else ours)(said, order_id=order_id)
    if isinstance(failure, ccxt.NotSupported):
        return Unsupported(f"{venue} does not offer {method} ({said})")
    if isinstance(failure, ccxt.PermissionDenied):
        return NotPermitted(f"{venue} does not let the key do this ({said})")
    if isinstance(failure, ccxt.AuthenticationError):
        return AuthenticationError(f"{venue} refused the key ({said}); check api_key, api_secret and the host")
    if isinstance(failure, ccxt.RequestTimeout):
        said = "no answer in time" if story.requests else said
        return RequestTimeout(f"{what}: {said}{_outcome(story)}", sent=story.sent)
    answered = status is not None and 400 <= status < 500 and status != 408
    if isinstance(failure, ccxt.NetworkError):
        # 4xx is an answer: ccxt calls it "not available" when it finds no words of the venue's in it.
        return ExchangeError(f"{venue} refused ({said})") if answered else _lost(what, said, story)
    if isinstance(failure, ccxt.ExchangeError) and (status is None or status < 500):
        return Refusal(said, order_id=order_id)
    if isinstance(failure, ccxt.BaseError):
        return _lost(what, said, story)
    # Not ccxt's own: an answer that it could not read, or a call that it could not make.
    return _lost(what, f"ccxt could not make or read it ({type(failure).__name__}{_place(failure)})", story)


def _wire(failure: BaseException) -> str | None:
    """What the wire did, if it was the wire, in words of ours."""
    seen: BaseException | None = failure
    while seen is not None:
        if isinstance(seen, WireFailure):
            return seen.reason
        if isinstance(seen, (aiohttp.ClientError, OSError)) and not isinstance(seen, TimeoutError):
            return reason_of(seen)
        inner = seen.args[0] if seen.args and isinstance(seen.args[0], BaseException) else None
        seen = seen.__cause__ or inner
    return None


def _lost(what: str, reason: str, story: Story) -> RequestDisconnected:
    return RequestDisconnected(f"{what}: {reason}{_outcome(story)}", sent=story.sent)


def _outcome(story: Story) -> str:
    if not story.requests:
        return ""  # a watch, or what was refused before it became a request
    return "; it may have arrived" if story.sent else "; it was not sent"


def never_left(failure: BaseException) -> bool:
    """Whether the request behind a failure certainly never left: the connection was not made."""
    seen: BaseException | None = failure
    while seen is not None:
        if isinstance(seen, WireFailure):
            return not seen.sent
        if isinstance(seen, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, socket.gaierror)):
            return True
        seen = seen.__cause__
    return False


# -- words


def text_of(venue: str, failure: BaseException) -> str:
    """What the venue said, in a line: without addresses, bodies and secrets."""
    text = str(failure).strip()
    text = text.removeprefix(f"{venue} ")
    at = min((index for index in (text.find("{"), text.find("[")) if index >= 0), default=-1)
    if at >= 0:
        try:
            found = _message(json.loads(text[at:]))
        except ValueError:
            found = None
        text = found or text[:at].strip() or type(failure).__name__
    return clean(text) or type(failure).__name__


def clean(text: str) -> str:
    """A text without what it may hold of addresses, signatures and secrets, on one line."""
    text = _ADDRESS.sub(r"\1", redact(text))
    text = _PAIR.sub(r"\1\2***", text)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def _message(answer: Any, depth: int = 0) -> str | None:
    """The words in an answer: venues put them in many places."""
    if depth > 3:
        return None
    if isinstance(answer, list):
        texts = [text for one in answer[:3] if (text := _message(one, depth + 1))]
        return "; ".join(texts) or None
    if isinstance(answer, str):
        return answer if depth else None
    if not isinstance(answer, dict):
        return None
    # What lies deeper is the more exact: OKX says "All operations failed" outside and why inside.
    for key in _DEEPER:
        if (found := _message(answer.get(key), depth + 1)) is not None:
            return found
    for key in _WORDS:
        if isinstance(words := answer.get(key), str) and words:
            return words
    return None


def _place(failure: BaseException) -> str:
    trace = failure.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    name = trace.tb_frame.f_code.co_filename.rpartition("/")[2]
    return f" at {name}:{trace.tb_lineno}"


def is_cancelled_from_outside() -> bool:
    """Whether the running task was asked to end; ccxt cancels what it waits for when it closes a socket."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
