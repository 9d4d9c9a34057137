"""The contract of `hbkit.exchange` as cases that a connector's author runs.

    class TestMine(ConnectorContract):
        connector = MyExchange

        @asynccontextmanager
        async def venue(self, loop: VirtualLoop) -> AsyncIterator[Venue]:
            yield MyVenue(loop)

pytest finds the cases by itself; `score(TestMine)` plays them without it. Each case has a virtual loop of its own, a
number that does not change, a level, and a failure that says what was expected, what came, and where the contract says
so.
"""

from hbkit.testing.contract.case import MEANING, Broken, Case, Level, NotDeclared, NotStaged
from hbkit.testing.contract.score import Outcome, Score, State, cases, score
from hbkit.testing.contract.stage import Heard, Stage
from hbkit.testing.contract.suite import ConnectorContract
from hbkit.testing.contract.venue import Venue

__all__ = [
    "MEANING",
    "Broken",
    "Case",
    "ConnectorContract",
    "Heard",
    "Level",
    "NotDeclared",
    "NotStaged",
    "Outcome",
    "Score",
    "Stage",
    "State",
    "Venue",
    "cases",
    "score",
]
