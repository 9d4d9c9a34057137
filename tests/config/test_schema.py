"""The JSON schema of a config: it takes what loads, and refuses what does not, as far as a schema can know it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hbkit import Param, Strategy
from hbkit.config import load_config
from hbkit.config.document import read_document
from hbkit.config.node import plain
from hbkit.config.schema import json_schema
from hbkit.errors import ConfigError, Faults
from hbkit.trading.schema import params_schema
from tests.docs.pages import DOCS, blocks

jsonschema = pytest.importorskip("jsonschema")

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").glob("**/*.yaml"))
SCHEMA = json_schema()
EXAMPLES = [block.text for block in blocks(DOCS / "config.md") if block.language == "yaml"]


def read(text: str) -> Any:
    """What an editor's YAML makes of a text: plain values, before anything is filled in."""
    faults = Faults()
    root = read_document(text.encode(), "demo.yaml", faults)
    assert root is not None
    assert faults.found == []
    return json.loads(json.dumps(plain(root), default=_number))


def _number(value: object) -> float:
    assert isinstance(value, Decimal)
    return float(value)


def complaints(text: str, schema: Mapping[str, Any] = SCHEMA) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(read(text))]


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_configs_of_the_project_fit(path: Path) -> None:
    assert complaints(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_examples_of_the_page_fit(text: str) -> None:
    assert complaints(text) == []


ONE = "exchanges: {a: {%s}}\n"
FITS = {
    "a number for a duration": ONE % "latency: 0.05",
    "a sum of durations": ONE % "dead_man_switch: 1m30s",
    "a reference": ONE % 'latency: "${LAG:-50ms}", api_key: "${KEY}", margin: {leverage: "${LEV}"}',
    "an empty block": "exchanges: {a: }\nstrategies:\nrisk:\n",
    "an empty key": ONE % "mode: , latency: , position_mode: ",
    "files for each symbol": ONE % "replay: {data: {XBTUSD: x.csv, ETHUSD: [a.csv, b.csv]}, from: 2019-05-28}",
    "one file": ONE % "replay: {data: x.csv}",
    "a percentage": "risk: {max_drawdown: 2.5%}\n",
    "a fraction": "risk: {max_drawdown: 0.025}\n",
    "an instrument as a mapping": "strategies: [{use: u, instruments: [X, {symbol: Y, exchange: a}]}]\n",
    "parameters": "strategies: [{use: u, instruments: [X], params: {a: 1, b: 0.5, c: x, d: true, e: [1, 2], f: }}]\n",
    "candles": "strategies: [{use: u, instruments: [X], candles: [1m, 15m, 4h]}]\n",
    "a state": "state: {dir: s, durability: power, on_existing: adopt}\nlog: {level: debug}\n",
}


@pytest.mark.parametrize("text", FITS.values(), ids=FITS.keys())
def test_what_loads_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    path = tmp_path / "demo.yaml"
    path.write_text(text if "exchanges" in text else f"exchanges: {{a: }}\n{text}")
    load_config(path, environ={"KEY": "k", "LEV": "5"})
    assert complaints(text) == []


BAD = {
    "an unknown key": ONE % "levrage: 5",
    "an unknown block": "exchnges: {a: }\n",
    "another mode": ONE % "mode: sandbox",
    "a word for a duration": ONE % "latency: soon",
    "a duration of nothing": ONE % "dead_man_switch: 0",
    "a number in quotes": ONE % 'margin: {leverage: "5"}',
    "a negative number": "risk: {max_position: -1}\n",
    "more than the whole": "risk: {max_drawdown: 5}\n",
    "a part of an order": "risk: {max_orders_per_minute: 1.5}\n",
    "no use": "strategies: [{instruments: [X]}]\n",
    "no instrument": "strategies: [{use: u, instruments: []}]\n",
    "an instrument without a symbol": "strategies: [{use: u, instruments: [{exchange: a}]}]\n",
    "an odd interval": "strategies: [{use: u, instruments: [X], candles: [1y]}]\n",
    "a list for a name": "run: {name: [a]}\n",
    "a name with a blank": "run: {name: my run}\n",
    "a number for a text": "run: {dir: 5}\n",
    "a seed below zero": "run: {seed: -1}\n",
    "a time of day": ONE % 'replay: {from: "18:30"}',
    "a list of exchanges": "exchanges: [a]\n",
    "a nested parameter": "strategies: [{use: u, instruments: [X], params: {a: {b: 1}}}]\n",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_what_does_not_load_does_not_fit(tmp_path: Path, text: str) -> None:
    path = tmp_path / "demo.yaml"
    path.write_text(text if "exch" in text else f"exchanges: {{a: }}\n{text}")
    with pytest.raises(ConfigError):
        load_config(path, environ={})
    assert complaints(text) != []


def test_every_key_says_what_it_means_and_nothing_of_our_own_units() -> None:
    blocks = [SCHEMA, *SCHEMA["$defs"].values()]
    objects = [one for block in blocks for one in (block, *block.get("anyOf", [])) if "properties" in one]
    for one in objects:
        for key, fragment in one["properties"].items():
            assert fragment.get("description") or "$ref" in json.dumps(fragment), key
    text = json.dumps(SCHEMA)
    assert "nanoseconds" not in text
    assert '"default"' not in text
    assert text.count('"additionalProperties": false') == len(objects)


class Sized(Strategy):
    """For the test."""

    fast: int = Param(20, ge=1, doc="candles in the fast average")
    share: Decimal = Param(Decimal("0.5"), gt=0, le=1)
    side: str = Param("both", choices=("both", "long"))
    stop: float | None = Param(None)
    qty: float = Param()


@pytest.mark.parametrize(
    ("params", "is_good"),
    [
        ("{qty: 1}", True),
        ("{qty: 0.5, fast: 5, share: 1, side: long, stop: }", True),
        ('{qty: "${QTY}"}', True),
        ("{fast: 5}", False),
        ("{qty: 1, fast: 0}", False),
        ("{qty: 1, fast: 1.5}", False),
        ("{qty: 1, share: 0}", False),
        ("{qty: 1, share: 1.5}", False),
        ("{qty: 1, side: short}", False),
        ("{qty: , fast: 1}", False),
        ("{qty: 1, fats: 5}", False),
    ],
)
def test_the_parameters_of_a_strategy_are_known_where_it_is_used(params: str, is_good: bool) -> None:
    schema = json_schema({"sized": params_schema(Sized)})
    jsonschema.Draft202012Validator.check_schema(schema)
    text = "strategies: [{use: %s, instruments: [X], params: %s}]\n"
    assert (complaints(text % ("sized", params), schema) == []) is is_good
    assert complaints(text % ("other", params), schema) == []


def test_a_parameter_that_is_needed_is_missed_without_any() -> None:
    schema = json_schema({"sized": params_schema(Sized)})
    assert complaints("strategies: [{use: sized, instruments: [X]}]\n", schema) != []
