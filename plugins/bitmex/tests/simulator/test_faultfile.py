"""Faults from a file: what is read, and every fault of the file with its place and its mend."""

import textwrap

import pytest
from hbkit_bitmex.simulator.command import command
from hbkit_bitmex.simulator.faultfile import read_faults

from hbkit.errors import ConfigError, UsageError


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def put(text, name="faults.yaml"):
        (tmp_path / name).write_text(textwrap.dedent(text))
        return read_faults(name)

    return put


def test_a_plan_in_yaml(write):
    cut, mute, lost = write(
        """
        - {at: 30s, fault: cut}
        - {at: 1m30s, fault: mute, table: order, for: 20s}
        - {every: 5m, fault: lost_reply, verb: post, route: /order, count: 1, chance: 0.5}
        """
    )
    assert (cut.at, cut.fault.fault, cut.every) == (30.0, "cut", None)
    assert (mute.at, mute.fault.table, mute.fault.last) == (90.0, "order", 20.0)
    assert (lost.at, lost.every) == (0.0, 300.0)
    assert (lost.fault.verb, lost.fault.route, lost.fault.count, lost.fault.chance) == ("POST", "/order", 1, 0.5)


def test_a_plan_in_json(write):
    (planned,) = write('[{"at": 2.5, "fault": "clock_skew", "seconds": -3}]', "faults.json")
    assert (planned.at, planned.fault.seconds) == (2.5, -3.0)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("- {at: 1s, fault: mutee}", "1:19", 'there is no fault "mutee"; did you mean "mute"?'),
        ("\n- {att: 1s, fault: cut}", "2:4", 'unknown member "att"; did you mean "at"?'),
        ("- {at: soon, fault: cut}", "1:8", '"soon" is not a duration'),
        ("- {at: -3, fault: cut}", "1:8", '"-3" is not a duration'),
        ("- {fault: cut, every: 0}", "1:23", "every is at least 0.1 s"),
        ("- {fault: drop, chance: 7}", "1:25", "chance is from 0 to 1"),
        ("- {fault: cut, table: order}", "1:23", 'cut takes no "table"'),
        ("- {at: 1s}", "1:3", "name a fault"),
        ("- cut", "1:3", "write a fault as {at: 30s, fault: cut}"),
        ("- {fault: halt, symbol: XBTUSDD}", "1:25", 'there is no market "XBTUSDD"; did you mean "XBTUSD"?'),
        ("faults: []", "1:1", "a fault file is a list"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(write, text, place, message):
    with pytest.raises(ConfigError) as raised:
        write(text)
    assert f"faults.yaml:{place}" in str(raised.value)
    assert message in str(raised.value)
    assert "HB443" in str(raised.value)


def test_all_faults_of_a_file_are_told_at_once(write):
    with pytest.raises(ConfigError) as raised:
        write("- {at: x, fault: cut}\n- {fault: nothing}\n- 7\n")
    assert [f"faults.yaml:{line}:" in str(raised.value) for line in (1, 2, 3)] == [True] * 3


def test_a_file_that_is_not_there(write):
    with pytest.raises(UsageError, match=r'fault file "nowhere\.yaml" cannot be read'):
        read_faults("nowhere.yaml")


def test_the_command_refuses_a_wrong_file_before_it_listens(write, tmp_path):
    (tmp_path / "wrong.yaml").write_text("- {fault: cutt}")
    with pytest.raises(ConfigError, match='did you mean "cut"'):
        command.main(["--faults", "wrong.yaml"], standalone_mode=False)
