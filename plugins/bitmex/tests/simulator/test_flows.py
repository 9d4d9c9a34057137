"""A sample of the campaign: money is neither made nor lost, whatever accounts do (see `campaign` for more of it)."""

import pytest

from plugins.bitmex.tests.simulator.flows import Flow


@pytest.mark.parametrize("first", range(0, 40, 10))
def test_money_is_kept_to_the_unit_in_random_flows(first):
    for seed in range(first, first + 10):
        Flow(seed).play()
