"""Why a run ended."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Ending:
    """Why a run ended; the first cause counts."""

    reason: str = ""
    exit_code: int = 0

    def set(self, reason: str, exit_code: int) -> None:
        """Record the cause, unless there is one already."""
        if not self.reason:
            self.reason, self.exit_code = reason, exit_code
