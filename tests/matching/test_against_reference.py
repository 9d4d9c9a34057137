"""The engine does what the reference does, flow after flow; and bugs planted on purpose are noticed."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from hbkit.matching import Account, Engine, EngineOrder, Market
from hbkit.model import Instrument
from hbkit.model.instrument import round_half_away
from tests.matching.campaign import campaign
from tests.matching.flows import Flow, make_flow
from tests.matching.play import check, finding, shrink

FLOWS_AT_A_TIME = 50
ENOUGH_TO_NOTICE = 300


@pytest.mark.parametrize("first", range(0, 400, FLOWS_AT_A_TIME))
def test_engine_and_reference_agree(first: int) -> None:
    for seed in range(first, first + FLOWS_AT_A_TIME):
        flow = make_flow(seed)
        assert not check(flow), finding(flow)


@pytest.mark.parametrize("seed", [1891])
def test_a_flow_that_found_a_bug_stays_found(seed: int) -> None:
    assert not check(make_flow(seed)), finding(make_flow(seed))


def test_a_seed_is_always_the_same_flow() -> None:
    assert make_flow(7) == make_flow(7)
    assert make_flow(7) != make_flow(8)


# -- bugs planted on purpose


def skip_the_queue_ahead(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Market, "_ahead", lambda *_: 0)


def forget_dents(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Market, "_dent", lambda *_: None)


def amend_up_keeps_its_place(patch: pytest.MonkeyPatch) -> None:
    honest = Engine.amend

    def amend(self: Engine, account: Account, order_id: str, ts: int, *, ticks: int | None, units: int | None) -> None:
        order = account.orders.get(order_id)
        larger = order is not None and ticks is None and units is not None and units > order.units
        if order is None or not larger or self._amend_refusal(order, order.ticks, units or 0):
            honest(self, account, order_id, ts, ticks=ticks, units=units)
            return
        order.units, order.arrived = units or 0, ts
        self._cut_to_position(order)
        self._report(order, "")
        self._hold_reduce_only(order)

    patch.setattr(Engine, "amend", amend)


def round_the_fee(patch: pytest.MonkeyPatch) -> None:
    def fee(self: Instrument, value: int, rate: Decimal) -> int:
        numerator, denominator = rate.as_integer_ratio()
        return round_half_away(value * numerator, denominator)

    patch.setattr(Instrument, "fee", fee)


def let_reduce_only_flip(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Engine, "_cut_to_position", lambda *_: None)


def let_the_closing_side_cross_zero(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Engine, "_reduces", lambda _self, order: order.request.reduce_only)


def turn_the_sign_of_inverse_cost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Instrument, "cost_sign", property(lambda _self: 1))


def let_the_most_eager_give_way(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(EngineOrder, "eagerness", property(lambda self: (self.side * (self.ticks or 0), self.sequence)))


def offer_a_print_to_each_side_whole(patch: pytest.MonkeyPatch) -> None:
    honest = Market._serve_waiting

    def serve(self: Market, ticks: int, units: int) -> int:
        honest(self, ticks, units)
        return units

    patch.setattr(Market, "_serve_waiting", serve)


def count_parts_of_a_lot(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Market, "_whole", lambda _self, units, _leaves: units)


PLANTED = [
    skip_the_queue_ahead,
    forget_dents,
    amend_up_keeps_its_place,
    round_the_fee,
    let_reduce_only_flip,
    let_the_closing_side_cross_zero,
    turn_the_sign_of_inverse_cost,
    let_the_most_eager_give_way,
    offer_a_print_to_each_side_whole,
    count_parts_of_a_lot,
]


def first_failure() -> Flow | None:
    return next((flow for flow in map(make_flow, range(ENOUGH_TO_NOTICE)) if check(flow)), None)


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_noticed(plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    assert first_failure() is not None


def test_a_failing_flow_is_made_short(monkeypatch: pytest.MonkeyPatch) -> None:
    round_the_fee(monkeypatch)
    flow = first_failure()
    assert flow is not None
    short = shrink(flow)
    assert check(short)
    assert len(short.events) <= 6 < len(flow.events)
    for dropped in range(len(short.events)):
        events = short.events[:dropped] + short.events[dropped + 1 :]
        assert not check(Flow(flow.seed, flow.setting, events))


def test_a_campaign_prints_the_line_that_plays_a_failure_again(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    assert campaign(5, 0, 1, said.append) == 0
    turn_the_sign_of_inverse_cost(monkeypatch)
    assert campaign(ENOUGH_TO_NOTICE, 0, 1, said.append) == 1
    assert "python -m tests.matching.campaign --flows 1 --seed " in said[-1]
