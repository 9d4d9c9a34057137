"""Loading a config: the file on disk, `--set`, places for later checks, and all faults at once."""

from __future__ import annotations

import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hbkit.config import Config, load_config
from hbkit.errors import ConfigError, Fault

TEXT = """\
exchanges:
  bitmex_perpetual: {mode: simulator}
strategies:
  - use: market_maker
    instruments: [XBTUSD]
    params: {spread_bps: 8, qty: 100}
  - use: strategies/grid.py
    name: second
    instruments: [XBTUSD]
risk:
  max_position: 1000
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with one good config in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo.yaml").write_text(TEXT)
    return tmp_path


def load(*overrides: str, path: str = "demo.yaml", **environ: str) -> Config:
    return load_config(path, overrides=overrides, environ=environ)


def faults(*overrides: str, path: str = "demo.yaml") -> list[Fault]:
    with pytest.raises(ConfigError) as caught:
        load(*overrides, path=path)
    assert caught.value.exit_code == 2
    return caught.value.faults


@pytest.mark.usefixtures("folder")
def test_config_holds_settings_text_and_path() -> None:
    config = load()
    assert config.settings.run.name == "demo"
    assert config.settings.risk.max_position == 1000
    assert (config.path, config.text, config.faults) == (Path("demo.yaml"), TEXT, [])


@pytest.mark.parametrize(
    ("file", "name"), [("my bot.yaml", "my-bot"), ("v1.2.yml", "v1.2"), (f"{'x' * 60}.yaml", "x" * 40), ("...", "run")]
)
def test_run_takes_the_files_name(folder: Path, file: str, name: str) -> None:
    (folder / file).write_text(TEXT)
    assert load(path=file).settings.run.name == name


# --- the file on disk ---


def test_missing_file_names_the_configs_that_are_there(folder: Path) -> None:
    (folder / "grid.yml").write_text("")
    [fault] = faults(path="x.yaml")
    assert str(fault) == 'error[HB100] config file "x.yaml" not found; configs here: demo.yaml, grid.yml'


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("gone/x.yaml", 'config file "gone/x.yaml" not found; there is no folder "gone"'),
        ("empty/x.yaml", 'config file "empty/x.yaml" not found; no configs here'),
        ("empty", '"empty" is a directory, not a config file; no configs here'),
        (".", '"." is a directory, not a config file; configs here: demo.yaml'),
        ("/dev/null", 'config file "/dev/null" cannot be read: it is not a plain file'),
        ("demo.yaml/x", 'config file "demo.yaml/x" cannot be read: not a directory'),
        ("a\0b", 'config file "a\\x00b" cannot be read: its name holds a character that no file name can'),
        ("big.yaml", 'config file "big.yaml" cannot be read: it is larger than 1 MiB'),
    ],
)
def test_path_that_is_no_config_file(folder: Path, path: str, message: str) -> None:
    (folder / "empty").mkdir()
    if path == "big.yaml":
        (folder / path).write_text("#" * (1 << 20) + "\n")
    [fault] = faults(path=path)
    assert (fault.code, fault.file, fault.message) == ("HB100", None, message)


def test_many_configs_are_not_all_listed(folder: Path) -> None:
    for number in range(20):
        (folder / f"a{number:02}.yaml").touch()
    [fault] = faults(path="x.yaml")
    assert fault.message.endswith("a09.yaml and 11 more")


def test_all_faults_come_at_once_in_line_order_with_the_file_as_typed(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub/bad.yaml").write_text(
        "risk: {max_position: ${GONE}}\nexchanges:\n  bitmex: {mode: no, levrage: 5}\n"
        "strategies:\n- use: u\n  exchange: bitmx\n  instruments: [X]\n  instruments: [Y]\n  params: ten\n"
        .replace("${GONE}", '"${GONE}"')
    )  # fmt: skip
    with pytest.raises(ConfigError) as caught:
        load("run.seed=x", path="sub/bad.yaml")
    assert str(caught.value).splitlines() == [
        'error[HB103] --set run.seed=x run.seed must be a whole number >= 0, got text "x"',
        "error[HB110] sub/bad.yaml:1:22 environment variable GONE is not set; set it, or write ${GONE:-default}",
        'error[HB104] sub/bad.yaml:3:18 "no" reads as false in older YAML; write "no" in quotes or false',
        'error[HB101] sub/bad.yaml:3:22 unknown key "levrage" in exchanges.bitmex; did you mean "margin.leverage"?',
        'error[HB107] sub/bad.yaml:6:13 strategies[0].exchange: no exchange "bitmx" in this config; '
        'did you mean "bitmex"?',
        'error[HB102] sub/bad.yaml:8:3 key "instruments" already set on line 7; remove one',
        'error[HB103] sub/bad.yaml:9:11 strategies[0].params must be a mapping, got text "ten"',
        "7 errors, nothing was started",
    ]


def test_a_file_of_nonsense_is_not_listed_to_its_end(folder: Path) -> None:
    (folder / "demo.yaml").write_text("plugins: {load: []}\n" + "".join(f"a{n}: 1\n" for n in range(300)))
    assert len(faults()) == 100


# --- references ---


def test_environment_is_the_one_that_was_handed_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QTY", "1")
    (folder / "demo.yaml").write_text(TEXT.replace("1000", "${QTY}"))
    assert load(QTY="2000").settings.risk.max_position == 2000
    with pytest.raises(ConfigError, match="environment variable QTY is not set"):
        load()


def test_value_of_a_variable_is_not_shown(folder: Path) -> None:
    (folder / "demo.yaml").write_text("log: {level: '${LEVEL}'}\nrun: {name: 'x ${LEVEL}'}")
    with pytest.raises(ConfigError) as caught:
        load(LEVEL="hunter2")
    assert "hunter2" not in str(caught.value)
    assert "got what ${LEVEL} holds" in str(caught.value)


def test_number_of_a_variable_is_a_text_where_a_text_belongs(folder: Path) -> None:
    (folder / "demo.yaml").write_text("run: {name: '${ID}', dir: '${DIR}'}\nrisk: {max_position: '${ID}'}")
    config = load(ID="1.50", DIR="2024")
    assert (config.settings.run.name, config.settings.run.dir) == ("1.50", "2024")
    assert config.settings.risk.max_position == Decimal("1.5")


def test_empty_variable_does_not_lift_a_limit(folder: Path) -> None:
    (folder / "demo.yaml").write_text("risk: {max_position: '${MAX}'}")
    with pytest.raises(ConfigError, match="must be a number > 0"):
        load(MAX="")


# --- --set ---


@pytest.mark.usefixtures("folder")
def test_overrides_replace_and_add_values() -> None:
    config = load(
        "risk.max_position=1e-8",
        "risk.max_drawdown=5%",
        "strategies.0.params.qty=200",
        "strategies.market_maker.params.levels=[1, 2.5]",
        "strategies.second.params={step: 1}",
        "strategies.grid.candles=[1m]",
        "strategies.0.instruments.0=ETHUSD",
        "exchanges.bitmex_perpetual.replay.to=2019-05-29T00:00:00Z",
        'run.name="1"',
        "run.dir=${DIR}",
        "state.dir=a=b: *c #d",
        DIR="elsewhere",
    )
    got = config.settings
    assert (got.risk.max_position, got.risk.max_drawdown) == (Decimal("1e-8"), Decimal("0.05"))
    first, second = got.strategies
    assert first.params == {"spread_bps": 8, "qty": 200, "levels": (1, Decimal("2.5"))}
    assert first.pairs == [("bitmex_perpetual", "ETHUSD")]
    assert (second.params, second.candles) == ({"step": 1}, ("1m",))
    assert got.exchanges["bitmex_perpetual"].replay.to_ts == 1_559_088_000 * 10**9
    assert (got.run.name, got.run.dir, got.state.dir) == ("1", "elsewhere", "a=b: *c #d")
    assert config.text == TEXT


@pytest.mark.usefixtures("folder")
def test_empty_override_takes_a_value_back() -> None:
    assert load("risk.max_position=").settings.risk.max_position is None


@pytest.mark.parametrize(
    ("override", "code", "file", "message"),
    [
        ("risk.max_positon=5", "HB101", "--set risk.max_positon=5", 'unknown key "max_positon" in risk; did you mean'),
        ("risks.max_position=5", "HB101", "--set risks.max_position=5", 'unknown key "risks"; did you mean "risk"?'),
        ("risk.max_position=ten", "HB103", "--set risk.max_position=ten", 'a number > 0, got text "ten"'),
        ("risk.max_position=010", "HB104", "--set risk.max_position=010", '"010" reads as 8'),
        ("risk.max_position.x=1", "HB101", "--set risk.max_position.x=1", "has no keys, it is number 1000"),
        ("run.name=no", "HB104", "--set run.name=no", '"no" reads as false'),
        ("run.duration=${GONE}", "HB110", "--set run.duration=${GONE}", "environment variable GONE is not set"),
        ("risk={a: 1, a: 2}", "HB102", "--set risk={a: 1, a: 2}", 'key "a" already set; remove one'),
        ("risk={a: 1", "HB100", "--set risk={a: 1", 'lacks a comma here, or its closing "}"'),
        ("strategies.5.params=1", "HB101", "--set strategies.5.params=1", "has 2 items, counted from 0; there is no 5"),
        ("strategies.99999999999.x=1", "HB101", "--set strategies.99999999999.x=1", "there is no 99999999999"),
        ("strategies.market_makr.use=x", "HB101", "--set strategies.market_makr.use=x",
         'strategies has no item "market_makr"; did you mean "market_maker"?'),
        ("exchanges.bitmex_perptual.mode=paper", "HB107", "--set exchanges.bitmex_perptual.mode=paper",
         'no exchange "bitmex_perptual" in this config; did you mean "bitmex_perpetual"?'),
        ("exchanges.other={mode: paper}", "HB107", "--set exchanges.other={mode: paper}", 'no exchange "other"'),
        ("exchanges.bitmex_perpetual.secret_key=hunter2", "HB101", "--set exchanges.bitmex_perpetual.secret_key=***",
         'unknown key "secret_key"'),
        ("password=[hunter2", "HB100", "--set password=***", "cannot be read"),
        ("hunter2", "HB001", "--set", "--set takes path=value, such as risk.max_position=500"),
        ("=5", "HB001", "--set", "--set takes path=value"),
        ("risk..x=5", "HB001", "--set", "--set takes path=value"),
        (".".join("a" * 33) + "=1", "HB101", None, "the path is more than 32 keys deep"),
        ("run.name=a\nb", "HB103", "--set run.name=a\\x0ab", "must be a name of letters"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("folder")
def test_bad_override_is_named(override: str, code: str, file: str | None, message: str) -> None:
    found = [fault for fault in faults(override) if fault.message.find("hunter2") < 0]
    assert found[0].code == code
    assert (found[0].line, found[0].column) == (None, None)
    assert file is None or found[0].file == file
    assert message in found[0].message
    assert not any("hunter2" in str(fault) for fault in faults(override))


def test_strategy_that_is_used_twice_needs_its_name(folder: Path) -> None:
    (folder / "demo.yaml").write_text(TEXT.replace("strategies/grid.py", "market_maker"))
    assert load("strategies.second.params.qty=1").settings.strategies[1].params == {"qty": 1}
    [fault] = faults("strategies.market_maker.params.qty=1")
    assert fault.message == 'strategies uses "market_maker" more than once; write its name or its number'


def test_override_of_an_alias_changes_that_place_only(folder: Path) -> None:
    text = TEXT.replace("params: {", "params: &p {").replace("name: second", "name: second\n    params: *p")
    (folder / "demo.yaml").write_text(text)
    first, second = load("strategies.second.params.qty=5").settings.strategies
    assert (first.params["qty"], second.params["qty"]) == (100, 5)


def test_override_stands_in_for_a_missing_variable(folder: Path) -> None:
    (folder / "demo.yaml").write_text(TEXT.replace("1000", "${GONE}"))
    assert load("risk.max_position=5").settings.risk.max_position == 5


# --- places and paths for later checks ---


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        (("strategies", 0, "params", "qty"), ("demo.yaml", 6, 34)),
        (("strategies", 0, "params", "gone"), ("demo.yaml", 6, 13)),
        (("strategies", 1, "params", "qty"), ("demo.yaml", 7, 5)),
        (("strategies", 0, "instruments", 0), ("demo.yaml", 5, 19)),
        (("strategies", 9), ("demo.yaml", 4, 3)),
        (("run", "seed"), ("--set run.seed=5", None, None)),
        (("gone",), ("demo.yaml", 1, 1)),
        ((), ("demo.yaml", 1, 1)),
    ],
)
@pytest.mark.usefixtures("folder")
def test_where_is_the_value_or_its_nearest_parent(keys: tuple[str | int, ...], place: tuple[object, ...]) -> None:
    assert load("run.seed=5").where(*keys) == place


@pytest.mark.usefixtures("folder")
def test_later_fault_points_into_the_file() -> None:
    fault = load().fault("HB302", "market_maker.qty must be 1..50, got 100", "strategies", 0, "params", "qty")
    assert str(fault) == "error[HB302] demo.yaml:6:34 market_maker.qty must be 1..50, got 100"
    assert load().fault("HB502", "m", "risk", severity="warning").severity == "warning"


def test_path_is_tried_from_the_configs_folder_first(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub/demo.yaml").write_text(TEXT)
    config = load(path="sub/demo.yaml")
    (folder / "here.csv").touch()
    assert config.resolve("here.csv") == Path("here.csv")
    (folder / "sub/here.csv").touch()
    assert config.resolve("here.csv") == Path("sub/here.csv")
    assert config.resolve("gone.csv") == Path("sub/gone.csv")
    assert config.resolve(str(folder / "here.csv")) == folder / "here.csv"


# --- whatever comes in ---

WORDS = st.sampled_from(
    ["exchanges", "strategies", "risk", "run", "bitmex", "use", "instruments", "params", "mode", "replay", "data",
     "name", "seed", "max_position", "from", "to", "no", "010", "1e-8", "12:30", "${X}", "$${", "${file:x}", "*a", "&a",
     "!!str", "? ", "- ", ": ", "\n", "\n  ", "\t", "{", "}", "[", "]", ",", "'", '"', "|", ">", "#", "<<", "---", "x"]
)  # fmt: skip
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=5),
    max_leaves=12,
)
ANYTHING = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def only_config_errors(folder: Path, content: bytes, override: str) -> None:
    (folder / "any.yaml").write_bytes(content)
    found: list[Fault] = []
    try:
        load(override, path="any.yaml", X="1")
    except ConfigError as error:
        found = error.faults
    assert all(fault.code.startswith("HB1") or fault.code == "HB001" for fault in found)


@ANYTHING
@given(content=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_random_bytes_only_raise_config_errors(folder: Path, content: bytes) -> None:
    only_config_errors(folder, content, "run.seed=1")


@ANYTHING
@given(words=st.lists(WORDS, max_size=20), override=st.text(max_size=20) | st.lists(WORDS, max_size=5).map(".".join))
def test_random_yaml_only_raises_config_errors(folder: Path, words: list[str], override: str) -> None:
    only_config_errors(folder, " ".join(words).encode(), override)


@ANYTHING
@given(tree=PLAIN, path=st.lists(WORDS, min_size=1, max_size=3), value=PLAIN)
def test_random_trees_only_raise_config_errors(folder: Path, tree: object, path: list[str], value: object) -> None:
    only_config_errors(folder, flow(tree).encode("utf-8", "replace"), f"{'.'.join(path)}={flow(value)}")


def flow(value: object) -> str:
    """A value as YAML in brackets, words without quotes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 500_000,
        "{a: " * 200_000,
        "- " * 400_000,
        "a" * 1_000_000,
        "a: '" + "x\n" * 400_000,
        "a\n" * 400_000,
        "[" + "no, " * 250_000 + "]",
        "".join(f"k{n}: {n}\n" for n in range(60_000)),
        "plugins: {load: [" + "1, " * 40_000 + "]}",
        "a: " + "9" * 1_000_000,
        "? " * 300_000,
        "&a " * 300_000,
        "'${" * 100_000 + "'",
        "run: {name: '" + "$${" * 300_000 + "'}",
    ],
    ids=["lists", "mappings", "items", "word", "open-quote", "lines", "traps", "keys", "texts", "digits",
         "complex-keys", "anchors", "references", "escapes"],
)  # fmt: skip
def test_largest_files_are_quick_to_refuse(folder: Path, text: str) -> None:
    (folder / "large.yaml").write_text(text)
    started = time.process_time()
    faults(path="large.yaml")
    assert time.process_time() - started < 2


def test_configs_load_without_the_heavy_libraries() -> None:
    program = (
        "import sys, hbkit.config; "
        "print([name for name in ('aiohttp', 'structlog', 'numpy', 'click') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_copy_of_a_config_has_no_secret_in_it(folder: Path) -> None:
    (folder / "demo.yaml").write_text(
        "exchanges:\n  bitmex_perpetual: {api_key: planted-key, api_secret: 'planted secret'}\nstrategies: []\n"
    )
    config = load()
    assert "planted" not in config.text
    assert config.text.splitlines()[1] == "  bitmex_perpetual: {api_key: ***, api_secret: '***'}"
    assert config.is_in_clear("exchanges", "bitmex_perpetual", "api_secret")
    assert "planted" not in repr(config.settings)


def test_a_secret_from_outside_is_not_in_clear(folder: Path) -> None:
    (folder / "demo.yaml").write_text("exchanges: {bitmex_perpetual: {api_secret: '${SECRET}'}}\n")
    config = load(SECRET="planted-secret")
    assert not config.is_in_clear("exchanges", "bitmex_perpetual", "api_secret")
    assert config.settings.exchanges["bitmex_perpetual"].api_secret.reveal() == "planted-secret"
