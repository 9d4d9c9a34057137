"""`hbkit schema`: what it prints is the schema, with the parameters of the strategies that are named."""

import json


def test_it_prints_the_schema(bench):
    done = bench.hbkit("schema")
    assert done.code == 0
    schema = json.loads(done.out)
    assert schema["properties"].keys() >= {"exchanges", "strategies", "risk", "run"}
    assert "allOf" not in schema["$defs"]["Strategy"]


def test_it_knows_the_parameters_of_a_file(bench):
    bench.strategy('fast: int = Param(20, ge=1, doc="candles")\n\ndef on_candle(self, candle): pass')
    (rule,) = json.loads(bench.hbkit("schema", "--strategy", "one").out)["$defs"]["Strategy"]["allOf"]
    assert rule["if"]["properties"]["use"] == {"const": "one"}
    fast = rule["then"]["properties"]["params"]["properties"]["fast"]
    assert fast["anyOf"][0] == {"type": "integer", "minimum": 1}
    assert fast["description"] == "candles; >= 1; default 20"


def test_a_strategy_that_is_not_there_is_named(bench):
    done = bench.hbkit("schema", "--strategy", "market_makr")
    assert done.code == 2
    assert 'no strategy "market_makr"' in done.err
