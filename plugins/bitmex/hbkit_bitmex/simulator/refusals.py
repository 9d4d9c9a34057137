"""How the venue says no: status, text and name of BitMEX's error envelope (protocol 5)."""

from __future__ import annotations

from typing import Any

AWAY = "Service unavailable"
"""503 while the venue restarts (5.2)."""


class Refusal(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str, name: str = "HTTPError", details: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.name = name
        self.details = details

    def body(self) -> dict[str, Any]:
        """The envelope; `details` only where there are any."""
        error = {"message": self.message, "name": self.name}
        if self.details is not None:
            error["details"] = self.details
        return {"error": error}


def invalid(message: str) -> Refusal:
    """What the engine refuses: 400, ValidationError."""
    return Refusal(400, message, "ValidationError")


def bad_request(message: str) -> Refusal:
    """What the table routes refuse: 400, HTTPError."""
    return Refusal(400, message)


def insufficient(needed: int, currency: str) -> Refusal:
    """Balance: the newer coded form (protocol 5.4)."""
    text = f"Account has insufficient Available Balance, {needed} {currency} required"
    return Refusal(400, text, "CodedHTTPError", "19000")


def not_found() -> Refusal:
    """Unknown path, or a wrong verb on a known one (protocol 18.9.1)."""
    return Refusal(404, "Not Found")
