"""Another server in place of the venue's own: `rest_url` and `ws_url` against the addresses that ccxt knows.

The rule: of every address that ccxt has for the venue, the scheme, the host and the port become those of `rest_url`
(http, https) or `ws_url` (ws, wss), and the path stays. So a venue with several hosts stands behind one server, which
tells them apart by path, and where one of the two is given nothing of that kind goes to the venue itself. Only
addresses that a server names in its answers (KuCoin's sockets) are taken as they come: they are that server's.

A path on `rest_url` or `ws_url` stands before those of ccxt, unless one of ccxt's begins with it or ccxt puts it there
itself when it signs: `https://host/api/v1` and `https://host` are the same BitMEX.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from hbkit.errors import ConfigError
from hbkit.log import get_logger

_log = get_logger("ccxt.urls")
_PROBE = "hbkit"
_REST, _SOCKET = ("http", "https"), ("ws", "wss")


def redirect(api: Any, rest_url: str, ws_url: str) -> None:
    """Let a ccxt object speak to other servers; an empty text leaves that kind alone."""
    for given, schemes, key in ((rest_url, _REST, "rest_url"), (ws_url, _SOCKET, "ws_url")):
        if given:
            _move(api, given, schemes, key)


def _move(api: Any, given: str, schemes: tuple[str, str], key: str) -> None:
    parts = urlsplit(given)
    if parts.scheme not in schemes or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ConfigError(
            f'{key}: "{given}" is not such an address; write it as {schemes[1]}://host or {schemes[1]}://host/path'
        )
    prefix = parts.path.rstrip("/")
    known = [path for address in _addresses(api.urls["api"], schemes) for path in [urlsplit(address).path]]
    if schemes is _REST and prefix:
        known += _signed(api)
    if any(path.rstrip("/") == prefix or path.startswith(f"{prefix}/") for path in known):
        prefix = ""

    def moved(address: str) -> str:
        old = urlsplit(address)
        return urlunsplit((parts.scheme, parts.netloc, prefix + old.path, old.query, ""))

    api.urls["api"] = _mapped(api.urls["api"], schemes, moved)


def _addresses(node: Any, schemes: tuple[str, str]) -> Iterator[str]:
    if isinstance(node, dict):
        for one in node.values():
            yield from _addresses(one, schemes)
    elif isinstance(node, str) and node.partition("://")[0] in schemes:
        yield node


def _mapped(node: Any, schemes: tuple[str, str], moved: Any) -> Any:
    if isinstance(node, dict):
        return {key: _mapped(one, schemes, moved) for key, one in node.items()}
    if isinstance(node, str) and node.partition("://")[0] in schemes:
        return moved(node)
    return node


def _signed(api: Any) -> list[str]:
    """Paths of public requests as ccxt would send them: what it puts before a route by itself stands in them."""
    found = []
    for section, verbs in (api.api or {}).items():
        if not isinstance(verbs, dict) or "get" not in verbs:
            continue
        try:
            found.append(urlsplit(api.sign(_PROBE, section, "GET", {})["url"]).path)
        except Exception as error:  # noqa: BLE001 - a section that cannot be signed without a key tells nothing
            _log.debug("no public requests", section=str(section), kind=type(error).__name__)
    return found
