"""What a connector has reached: every case with its outcome, and the grade that follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from io import StringIO
from typing import ClassVar, Protocol

from hbkit import log
from hbkit.clock import WallClock
from hbkit.testing.contract.case import Case, Level, NotDeclared, NotStaged

LOGGED = 5
"""Lines of the log that are shown with a failure."""


class Suite(Protocol):
    """What a suite is asked for here."""

    known: ClassVar[Mapping[str, str]]

    def play(self, found: Case) -> None:
        """Play one case."""


class State(StrEnum):
    """What became of a case."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_DECLARED = "not declared"
    NOT_STAGED = "not staged"


_FINE = (State.PASSED, State.NOT_DECLARED)


@dataclass(frozen=True)
class Outcome:
    """One case that was played; `why` is empty where it passed."""

    case: Case
    state: State
    why: str = ""


@dataclass(frozen=True)
class Score:
    """All of them, in order of their number."""

    outcomes: Sequence[Outcome]

    @property
    def grade(self) -> Level | None:
        """The highest level of which, and of those below, every case passed or is not declared; None for no level.

        Above bronze something of what is declared has to have passed: who takes no orders is not silver for it.
        """
        levels = list(Level)
        below = levels.index(self.missing[0]) if self.missing is not None else len(levels)
        return levels[below - 1] if below else None

    @property
    def missing(self) -> tuple[Level, list[Outcome]] | None:
        """The next level and the cases that keep it open, none where nothing of it is declared; None past the last."""
        for level in Level:
            own = [one for one in self.outcomes if one.case.level is level]
            still = [one for one in own if one.state not in _FINE]
            shown = level is Level.BRONZE or any(one.case.needs and one.state is State.PASSED for one in own)
            if still or not shown:
                return level, still
        return None

    @property
    def failed(self) -> list[Outcome]:
        """Those that are declared and do not hold."""
        return [one for one in self.outcomes if one.state is State.FAILED]


def cases(contract: type[Suite]) -> list[Case]:
    """Every case of a suite, in order of its number."""
    found = [getattr(getattr(contract, name), "case", None) for name in dir(contract)]
    return sorted((one for one in found if isinstance(one, Case)), key=lambda one: one.number)


def score(contract: type[Suite]) -> Score:
    """Play every case."""
    suite = contract()
    return Score([outcome(suite, one) for one in cases(contract)])


def outcome(suite: Suite, one: Case) -> Outcome:
    """Play one case; whatever it raises is its failure, and what was logged meanwhile stands below it."""
    said = StringIO()
    log.configure(level="warning", stream=said, clock=WallClock())
    try:
        suite.play(one)
    except NotDeclared as skipped:
        return Outcome(one, State.NOT_DECLARED, str(skipped))
    except NotStaged as skipped:
        return Outcome(one, State.NOT_STAGED, str(skipped))
    except Exception as error:  # noqa: BLE001 - of a connector under test anything may come
        words = str(error).strip() if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
        known = [f"known: {suite.known[one.number]}"] if one.number in suite.known else []
        logged = [f"log:      {line}" for line in said.getvalue().splitlines()[-LOGGED:]]
        return Outcome(one, State.FAILED, "\n".join([*known, words, *logged]))
    finally:
        log.close()
    return Outcome(one, State.PASSED)
