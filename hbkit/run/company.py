"""What the exchange blocks of one run have to agree on: one clock, and of a simulator that they share one market."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from hbkit.clock import iso
from hbkit.config.settings import Exchange
from hbkit.exchange import ExchangeSpec

Found = tuple[str, str, tuple[str, ...]]
"""Code, message, and the keys of the config."""
_SHARED = ("data", "start", "speed", "seed", "state")
"""Keys of `simulator` of which there is one for all blocks of a venue."""


class Block(Protocol):
    """What is looked at of an exchange block."""

    name: str
    mode: str
    settings: Exchange
    spec: ExchangeSpec

    @property
    def feed(self) -> str:
        """Where the market comes from."""

    @property
    def purse(self) -> str:
        """Whose money is traded."""


def check_company(plans: Sequence[Block]) -> Iterator[Found]:
    """Where blocks contradict each other; each at the later one."""
    yield from _clocks(plans)
    for at, plan in enumerate(plans):
        first = next((one for one in plans[:at] if _is_shared(one, plan)), None)
        if first is not None:
            yield from _differences(first, plan)
        twin = next((one for one in plans[:at] if one.purse == plan.purse), None)
        if twin is not None and twin.spec.connector != plan.spec.connector:
            yield "HB114", _twice(twin, plan), ("exchanges", plan.name)


def _clocks(plans: Sequence[Block]) -> Iterator[Found]:
    played = [one for one in plans if one.mode == "replay"]
    for one in plans if played else ():
        if one.mode != "replay":
            message = (
                f"mode replay has a clock of its own: a config replays all of its exchanges or none, and {one.name} is "
                f"in mode {one.mode} beside {played[0].name}"
            )
            yield "HB114", message, ("exchanges", one.name)
    fast = next((one for one in plans if one.feed == "simulator" and one.settings.simulator.speed != 1), None)
    for one in plans if fast is not None else ():
        if fast is not None and one.feed in ("live", "testnet"):
            message = (
                f"{fast.name} plays at {fast.settings.simulator.speed} times the speed of time and {one.name} is heard "
                "as it happens: a run has one clock; leave simulator.speed out"
            )
            yield "HB114", message, ("exchanges", fast.name, "simulator", "speed")
            return


def _is_shared(one: Block, other: Block) -> bool:
    """Whether one simulator is started for both."""
    own = [plan.feed == "simulator" and plan.settings.simulator.url is None for plan in (one, other)]
    return all(own) and one.spec.simulator == other.spec.simulator


def _differences(first: Block, plan: Block) -> Iterator[Found]:
    asked, wanted = first.settings.simulator, plan.settings.simulator
    for key in _SHARED:
        given = key in asked.model_fields_set and key in wanted.model_fields_set
        if given and getattr(asked, key) != getattr(wanted, key):
            yield "HB114", _words(first, plan, f"simulator.{key}", getattr(asked, key)), (
                "exchanges", plan.name, "simulator", key,
            )  # fmt: skip
    both = first.mode == plan.mode == "simulator" and {"latency"} <= first.settings.model_fields_set
    if both and "latency" in plan.settings.model_fields_set and first.settings.latency != plan.settings.latency:
        message = _words(first, plan, "latency", f"{first.settings.latency / 1e6:g}ms")
        yield "HB114", message, ("exchanges", plan.name, "latency")


def _twice(first: Block, plan: Block) -> str:
    return (
        f"{plan.name} ({plan.spec.name}) and {first.name} ({first.spec.name}) are one account through two connectors, "
        "and neither would know of the other's orders; give one of them an api_key and api_secret of its own"
    )


def _words(first: Block, plan: Block, key: str, value: object) -> str:
    shown = iso(value) if key.endswith("start") and isinstance(value, int) else value
    return (
        f"{plan.name} and {first.name} share one simulator, and {first.name} has {key} {shown} for both; write the "
        "same here, or nothing"
    )
