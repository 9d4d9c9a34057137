"""What a run tells to people who are not watching: to every plugin, and to the notifiers that the config names."""

from __future__ import annotations

from collections.abc import Mapping

from hbkit.background import Background, InlineBackground
from hbkit.clock import Clock
from hbkit.hookspecs import Notifier
from hbkit.model import OrderRequest
from hbkit.model.alert import Alert
from hbkit.plugins import Plugins
from hbkit.runtime.host import Host

_RISK = 6
"""Exit code of a run that a risk limit ended."""


class Alerts:
    """Of one run. A plugin or a notifier that raises is logged, and nothing else comes of it."""

    def __init__(
        self,
        plugins: Plugins,
        clock: Clock,
        run_id: str,
        notifiers: Mapping[str, Notifier] | None = None,
        background: Background | None = None,
    ) -> None:
        """
        :param background: where notifiers are called: they may take their time, which the run does not have.
        """
        self._plugins = plugins
        self._clock = clock
        self._run_id = run_id
        self._notifiers = notifiers or {}
        self._background = background or InlineBackground()
        self._vetoes: set[tuple[str, str]] = set()

    def started(self, text: str) -> None:
        """The run is about to deliver its first event."""
        self._tell("started", "info", text)

    def stopped(self, reason: str, exit_code: int) -> None:
        """The run is over and its report is written."""
        if exit_code == _RISK:
            self._tell("risk", "error", reason)
        level = "info" if exit_code == 0 else "warning" if exit_code in (_RISK, 130) else "error"
        self._tell("stopped", level, f"{reason}, exit {exit_code}")

    def failed(self, host: Host) -> None:
        """A strategy raised."""
        self._tell("failed", "error", str(host.failure), host.name)

    def veto(self, request: OrderRequest, strategy: str) -> str | None:
        """Ask the plugins for a reason against an order; a reason is told once for each strategy."""
        reason = self._plugins.veto(request, strategy)
        if reason is not None and (strategy, reason) not in self._vetoes:
            self._vetoes.add((strategy, reason))
            text = f"{request.side} of {request.instrument} refused: {reason}"
            self._tell("vetoed", "warning", text, strategy)
        return reason

    def _tell(self, kind: str, level: str, text: str, strategy: str = "") -> None:
        alert = Alert(
            ts=self._clock.now(), kind=kind, level=level, run_id=self._run_id, text=text, strategy=strategy
        )
        self._plugins.tell("alert", alert=alert)
        for name, notify in self._notifiers.items():
            self._background.run(lambda name=name, notify=notify: self._notify(name, notify, alert))  # type: ignore[misc]

    def _notify(self, name: str, notify: Notifier, alert: Alert) -> None:
        try:
            notify(alert)
        except Exception as error:  # noqa: BLE001 - a guest's code: its failure must not end the run
            self._plugins.complain(f'the notifier "{name}"', error)
