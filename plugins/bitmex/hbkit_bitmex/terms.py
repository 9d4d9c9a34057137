"""Position mode, margin mode, leverage and risk limit of an account at BitMEX (protocol 4.7, 13, 18.5).

What is asked for while a run goes on returns at once; a refusal comes back as a `PositionModeChange` whose mode is not
the one requested, or as a warning in the log. What a config asks for is done before anything is traded, or the run is
refused with the exchange's reason.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from decimal import Decimal
from typing import Any

from hbkit.errors import ExchangeError, OrderRejected, Unsupported
from hbkit.exchange import no_legs
from hbkit.log import get_logger
from hbkit.model import Instrument, MarginMode, PositionMode, PositionSide
from hbkit_bitmex import bodies
from hbkit_bitmex.rest import Rest
from hbkit_bitmex.rows import PositionRow, UserRow
from hbkit_bitmex.words import known

MULTI_WAY = "MultiWay"
_STRATEGY: Mapping[PositionSide, str] = {PositionSide.LONG: "Long", PositionSide.SHORT: "Short"}


def mode_of(user: UserRow) -> PositionMode:
    """The mode that `/user` tells; rows of before hedge mode have none."""
    return PositionMode.HEDGE if known(user.positionMode) == MULTI_WAY else PositionMode.ONE_WAY


class TermsDesk:
    """Asks for other terms; it remembers none: what is in force stands in the position rows."""

    def __init__(
        self,
        rest: Rest,
        name: str,
        start: Callable[[Coroutine[Any, Any, None]], object],
        is_isolated: Callable[[Instrument, PositionSide], bool],
    ) -> None:
        """
        :param start: begins a task and owns it.
        :param is_isolated: what the position rows say of a leg.
        """
        self._rest = rest
        self._name = name
        self._start = start
        self._is_isolated = is_isolated
        self._log = get_logger("bitmex")

    # -- the position mode

    async def switch(self, mode: PositionMode) -> PositionMode:
        """POST /user/positionMode; returns the mode in force then. Raises OrderRejected with the exchange's reason."""
        body: dict[str, object] = {"positionMode": MULTI_WAY} if mode is PositionMode.HEDGE else {}
        return mode_of(await self._rest.send("POST", "/user/positionMode", bodies.encode(body), UserRow))

    async def read_mode(self) -> PositionMode:
        """GET /user."""
        return mode_of(await self._rest.get("/user", UserRow))

    # -- margin

    def set_leverage(self, instrument: Instrument, leverage: float, side: PositionSide) -> None:
        """In the margin mode in force; 0 is cross margin at the highest leverage."""
        self._need_contract(instrument)
        self._ask(instrument, self._leverage(instrument, Decimal(repr(float(leverage))), side))

    def set_margin_mode(self, instrument: Instrument, mode: MarginMode, side: PositionSide) -> None:
        """POST /position/isolate."""
        self._need_contract(instrument)
        self._ask(instrument, self._isolate(instrument, mode, side))

    def transfer_margin(self, instrument: Instrument, amount: int, side: PositionSide) -> None:
        """POST /position/transferMargin."""
        self._need_contract(instrument)
        self._ask(instrument, self._post("/position/transferMargin", instrument, side, amount=amount))

    def set_risk_limit(self, instrument: Instrument, limit: int, side: PositionSide) -> None:
        """POST /position/riskLimit."""
        self._need_contract(instrument)
        self._ask(instrument, self._post("/position/riskLimit", instrument, side, riskLimit=limit))

    def _need_contract(self, instrument: Instrument) -> None:
        if instrument.is_spot:
            raise Unsupported(f"{self._name}: {instrument} is spot, which has no margin")

    def _ask(self, instrument: Instrument, work: Coroutine[Any, Any, None]) -> None:
        async def ask() -> None:
            try:
                await work
            except ExchangeError as error:
                self._log.warning("margin not changed", instrument=instrument.symbol, reason=error.message)

        self._start(ask())

    async def _leverage(self, instrument: Instrument, leverage: Decimal, side: PositionSide) -> None:
        if not leverage:
            await self._post("/position/leverage", instrument, side, leverage=0)
            await self._post("/position/crossLeverage", instrument, side, crossLeverage=0)
        elif self._is_isolated(instrument, side):
            await self._post("/position/leverage", instrument, side, leverage=float(leverage))
        else:
            await self._post("/position/crossLeverage", instrument, side, crossLeverage=float(leverage))

    async def _isolate(self, instrument: Instrument, mode: MarginMode, side: PositionSide) -> None:
        await self._post("/position/isolate", instrument, side, enabled=mode is MarginMode.ISOLATED)

    async def _post(self, path: str, instrument: Instrument, side: PositionSide, **fields: object) -> None:
        body: dict[str, object] = {"symbol": instrument.symbol, **fields}
        if side in _STRATEGY:
            body["strategy"] = _STRATEGY[side]
        await self._rest.send("POST", path, bodies.encode(body), PositionRow)

    # -- before a run

    async def margin_at_start(
        self, instruments: Sequence[Instrument], mode: MarginMode | None, leverage: Decimal | None
    ) -> None:
        """What the config's `margin` asks for, for each contract that is traded; raises with the exchange's reason."""
        for instrument in instruments:
            if instrument.is_spot:
                continue
            try:
                if mode is MarginMode.ISOLATED and leverage is not None:
                    await self._post("/position/leverage", instrument, PositionSide.NET, leverage=float(leverage))
                    continue
                if mode is not None:
                    await self._isolate(instrument, mode, PositionSide.NET)
                if leverage is not None and mode is MarginMode.CROSS:
                    await self._post(
                        "/position/crossLeverage", instrument, PositionSide.NET, crossLeverage=float(leverage)
                    )
                elif leverage is not None:
                    await self._leverage(instrument, leverage, PositionSide.NET)
            except OrderRejected as error:
                asked = ", ".join(
                    [*([f"{mode} margin"] if mode else []), *([f"leverage {leverage:f}"] if leverage else [])]
                )
                message = f"{self._name} refused {asked} for {instrument} ({error.message}); change margin"
                raise ExchangeError(message, code="HB413") from None

    async def mode_at_start(
        self,
        instruments: Sequence[Instrument],
        mode: PositionMode,
        wanted: PositionMode,
        open_orders: Callable[[], Coroutine[Any, Any, int]],
    ) -> PositionMode:
        """Switch the account because the config says so; raises HB420 with the exchange's reason where it refuses."""
        if wanted is mode:
            return mode
        if wanted is PositionMode.HEDGE and not any(one.hedge and not one.is_spot for one in instruments):
            raise ExchangeError(f"{no_legs(instruments)}; leave position_mode out", code="HB420")
        try:
            found = await self.switch(wanted)
        except OrderRejected as error:
            count = await open_orders()
            orders = f"{count} open order{'s' if count != 1 else ''}" if count else "an isolated position"
            verb = "prevent" if count > 1 else "prevents"
            raise ExchangeError(
                f"the account of {self._name} is in {mode} mode, the config says {wanted}; {orders} {verb} the switch "
                f"({error.message}). Use position_mode: {mode}, or close what is in the way and run "
                f"hbkit position-mode {self._name} {wanted}",
                code="HB420",
            ) from None
        self._log.info("position mode switched", exchange=self._name, mode=str(found), previous=str(mode))
        return found
