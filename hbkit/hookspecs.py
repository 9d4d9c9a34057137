"""Every hook that a plugin can implement, typed and described; nothing else stands in this file.

Hooks are asked once, at start, or on rare events. Market data never goes through one: a hook call with a single
implementation costs 12 to 19 times a direct call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import pluggy

if TYPE_CHECKING:
    from hbkit.data.source import Source
    from hbkit.exchange import ExchangeSpec
    from hbkit.model.alert import Alert
    from hbkit.model.order import OrderRequest
    from hbkit.model.position import PositionModeChange

Notifier: TypeAlias = "Callable[[Alert], None]"
"""Tells somebody of an alert; it may take some seconds, and what it raises is logged."""

hookspec = pluggy.HookspecMarker("hbkit")
hookimpl = pluggy.HookimplMarker("hbkit")


@hookspec
def hbkit_exchanges() -> Mapping[str, ExchangeSpec]:  # type: ignore[empty-body]
    """Offer exchanges: config name to spec. Importing the module that answers must not load aiohttp.

    Where there are very many the answer is a `hbkit.exchange.Bridge`: a spec of it is made when it is asked for.
    """


@hookspec
def hbkit_strategies() -> Mapping[str, type]:  # type: ignore[empty-body]
    """Offer strategies: the name that users write in `use:` to a Strategy subclass."""


@hookspec
def hbkit_data_sources() -> Mapping[str, Callable[[int], Source]]:  # type: ignore[empty-body]
    """Offer data sources: the name that users write in `replay: {data: NAME}` to a factory.

    The factory takes the run's seed, from which whatever is synthesised must be drawn.
    """


@hookspec
def hbkit_fill_models() -> Mapping[str, Callable[[], Any]]:  # type: ignore[empty-body]
    """Offer fill models: the name that users write in `fill_model:` to a factory of a `hbkit.matching.FillModel`."""


@hookspec
def hbkit_commands() -> Mapping[str, Any]:  # type: ignore[empty-body]
    """Offer commands: name to click command; a name of hbkit's own cannot be taken."""


@hookspec
def hbkit_report_sections() -> Mapping[str, Callable[[Any], str]]:  # type: ignore[empty-body]
    """Offer report sections: title to a function from the run's result to HTML (escaped by the function)."""


@hookspec
def hbkit_notifiers() -> Mapping[str, Callable[..., Notifier]]:  # type: ignore[empty-body]
    """Offer notifiers: the name that users write in `notify:` to a factory, which takes the `options` of the config.

    The factory is called when the config is checked and must not send anything; what it returns is called with each
    alert of a run that is no replay, beside the run, one after the other.
    """


@hookspec(firstresult=True)
def hbkit_check_order(request: OrderRequest, strategy: str) -> str | None:
    """Veto an order before it is journalled: return the reason, or None to let it pass.

    :param request: the order as it would go out.
    :param strategy: the name of the strategy that wants it.

    The first answer that is not None wins. A hook that raises refuses the order.
    """


@hookspec
def hbkit_session_started(run_id: str, mode: str) -> None:
    """A run is about to deliver its first event.

    :param run_id: name of its folder under `runs/`.
    :param mode: `replay`, and so on.
    """


@hookspec
def hbkit_session_stopped(run_id: str, stop_reason: str) -> None:
    """A run ended and its report is written.

    :param run_id: name of its folder under `runs/`.
    :param stop_reason: why it ended.
    """


@hookspec
def hbkit_position_mode_changed(change: PositionModeChange) -> None:
    """The position mode of an account changed, or a change was refused.

    :param change: `change.mode` is the mode in force; a refusal is `change.mode != change.requested`.
    """


@hookspec
def hbkit_alert(alert: Alert) -> None:
    """Something happened that a person wants to hear of: a start, a stop, a failure, a veto, a risk limit.

    :param alert: `kind`, `level`, `text`, `strategy`; told in every mode, on the run's own thread.
    """
