"""Parameters of a request as clients send them: query, form or JSON, numbers and booleans as text too (protocol 1)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

from hbkit_bitmex.simulator.refusals import Refusal, bad_request

Parameters = Mapping[str, Any]
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no", ""})
_LONGEST = 400


def read(query: str, body: bytes) -> dict[str, Any]:
    """Query first, then the body: JSON when it begins with `{`, else a form; the body's value wins (section 1)."""
    found: dict[str, Any] = dict(parse_qsl(query, keep_blank_values=True))
    try:
        text = body.decode().strip()
    except UnicodeDecodeError:
        raise bad_request("Invalid request body") from None
    if text.startswith("{"):
        found.update(_object(text))
    elif text.startswith("["):
        raise bad_request("Invalid request body")
    elif text:
        found.update(parse_qsl(text, keep_blank_values=True))
    return found


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise bad_request("Invalid request body") from None
    if not isinstance(found, dict) or ("\\u" in text and _has_half_characters(found)):
        raise bad_request("Invalid request body")
    return found


def _has_half_characters(found: dict[str, Any]) -> bool:
    """JSON can spell half of a surrogate pair; no answer could repeat it."""
    try:
        json.dumps(found, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return True
    return False


def _no_constant(name: str) -> None:
    raise ValueError(name)


def given(parameters: Parameters, name: str) -> Any:
    """The value, None where it is absent, null or empty text."""
    value = parameters.get(name)
    return None if value is None or value == "" else value


def text(parameters: Parameters, name: str) -> str:
    """The value as text, empty where there is none."""
    value = given(parameters, name)
    return "" if value is None else str(value)


def decimal(parameters: Parameters, name: str, refusal: Refusal) -> Decimal | None:
    """A finite number, exact from its text; None where there is none."""
    value = given(parameters, name)
    if value is None:
        return None
    if isinstance(value, (bool, dict, list)) or len(str(value)) > _LONGEST:
        raise refusal
    try:
        found = Decimal(str(value).strip())
    except InvalidOperation:
        raise refusal from None
    # 1e999999 is finite, and no arithmetic comes back from it.
    if not found.is_finite() or abs(found.adjusted()) > 30:
        raise refusal
    return found


def integer(parameters: Parameters, name: str, refusal: Refusal) -> int | None:
    """A whole number."""
    found = decimal(parameters, name, refusal)
    if found is None:
        return None
    if found != found.to_integral_value():
        raise refusal
    return int(found)


def boolean(parameters: Parameters, name: str, default: bool, refusal: Refusal) -> bool:
    """A truth value, also as text or number."""
    value = parameters.get(name)
    if value is None:
        return default
    word = str(value).lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise refusal


def many(parameters: Parameters, name: str, refusal: Refusal) -> list[str]:
    """An array: JSON array, JSON text of an array, comma list or one value; empty where there is none."""
    value = given(parameters, name)
    if value is None:
        return []
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise refusal from None
    if isinstance(value, list):
        if any(isinstance(item, (dict, list)) for item in value):
            raise refusal
        return [str(item) for item in value]
    return [part.strip() for part in str(value).split(",") if part.strip()]
