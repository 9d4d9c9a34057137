"""Keys at rest: sealed, of one user, bound to a host, and nothing half written."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from hbkit.config.keystore import KeptKey, KeyStore, default_folder, from_keyring
from hbkit.errors import ConfigError

KEY = KeptKey("bitmex", "api.example.org", "1001", "f3", "2026-09-30T12:00:00Z")
FIELDS = {"api_key": "canary-key-f3", "api_secret": "canary-secret"}


def word(text: str = "tulip"):
    return lambda: text


def never() -> str:
    raise AssertionError("nobody may be asked for a password here")


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "hbkit" / "keys")


def told(error: pytest.ExceptionInfo[ConfigError]) -> str:
    assert error.value.code == "HB120"
    text = str(error.value)
    assert "canary" not in text
    return text


def test_what_is_saved_is_loaded_again_with_the_password(store):
    kept = store.save(KEY, FIELDS, word())
    assert kept.kept == "file"
    assert store.load("bitmex", word()) == FIELDS


def test_the_list_needs_no_password_and_shows_no_secret(store):
    store.save(KEY, FIELDS, word())
    store.save(KeptKey("ccxt:okx", "okx.example", "", "zz", ""), FIELDS, word())
    assert [one.exchange for one in store.listed()] == ["bitmex", "ccxt:okx"]
    assert store.find("bitmex") == KeptKey("bitmex", "api.example.org", "1001", "f3", KEY.saved, "file")
    assert store.find("kraken") is None
    for path in store.folder.iterdir():
        assert "canary" not in path.read_text()


@pytest.mark.parametrize("umask", [0o000, 0o077], ids=oct)
def test_others_can_read_neither_file_nor_folder_whatever_the_umask(store, umask):
    before = os.umask(umask)
    try:
        store.save(KEY, FIELDS, word())
    finally:
        os.umask(before)
    [path] = store.folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700


def test_a_file_that_others_can_read_is_refused_with_the_command_that_mends_it(store):
    store.save(KEY, FIELDS, word())
    [path] = store.folder.iterdir()
    path.chmod(0o644)
    with pytest.raises(ConfigError) as error:
        store.load("bitmex", never)
    assert f"chmod 600 {path}" in told(error)


def test_a_link_is_refused(store, tmp_path):
    store.save(KEY, FIELDS, word())
    [path] = store.folder.iterdir()
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError) as error:
        store.load("bitmex", never)
    assert "it is a link" in told(error)


def test_wrong_passwords_say_always_the_same(store):
    store.save(KEY, FIELDS, word())
    said = set()
    for guess in ("", "t", "tulips", "TULIP"):
        with pytest.raises(ConfigError) as error:
            store.load("bitmex", word(guess))
        said.add(told(error))
    assert len(said) == 1
    assert "wrong password" in said.pop()


def test_one_changed_byte_anywhere_is_an_error_and_never_another_key(store):
    store.save(KEY, FIELDS, word())
    [path] = store.folder.iterdir()
    whole = path.read_bytes()
    password = word()
    # scrypt costs a twentieth of a second a try: every byte of the head that is shown, every 23rd of the rest.
    places = sorted({*range(0, whole.index(b'"scrypt"'), 9), *range(0, len(whole), 23)})
    opened = []
    for at in places:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            opened.append((at, store.load("bitmex", password)))
        except ConfigError as error:
            assert error.code == "HB120"  # noqa: PT017
    # White space between the members of the document carries nothing.
    assert all(whole[at : at + 1].isspace() and fields == FIELDS for at, fields in opened)


def test_the_host_that_is_shown_cannot_be_changed_without_the_password(store):
    store.save(KEY, FIELDS, word())
    [path] = store.folder.iterdir()
    document = json.loads(path.read_text())
    document["key"]["host"] = "evil.example"
    path.write_text(json.dumps(document))
    with pytest.raises(ConfigError) as error:
        store.load("bitmex", word())
    assert "was changed" in told(error)


def test_a_planted_file_cannot_ask_for_a_year_of_work(store):
    store.save(KEY, FIELDS, word())
    [path] = store.folder.iterdir()
    document = json.loads(path.read_text())
    document["scrypt"]["n"] = 1 << 40
    path.write_text(json.dumps(document))
    with pytest.raises(ConfigError) as error:
        store.load("bitmex", never)
    assert "is damaged" in told(error)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[1]", b'{"version": 1, "key": {"exchange": "bitmex"}}'])
def test_a_damaged_file_is_one_clear_error(store, content):
    store.save(KEY, FIELDS, word())
    [path] = store.folder.iterdir()
    path.write_bytes(content)
    for work in (lambda: store.load("bitmex", never), store.listed, lambda: store.remove("bitmex")):
        with pytest.raises(ConfigError) as error:
            work()
        assert "is damaged; delete it" in told(error)


def test_a_key_that_is_not_kept_says_how_to_get_one(store):
    with pytest.raises(ConfigError) as error:
        store.load("bitmex", never)
    assert "hbkit connect bitmex" in told(error)


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden"])
def test_a_name_never_leads_out_of_the_folder(store, name):
    with pytest.raises(ConfigError) as error:
        store.find(name)
    assert "no name of an exchange" in told(error)


def test_removed_is_gone(store):
    store.save(KEY, FIELDS, word())
    assert store.remove("bitmex")
    assert not store.remove("bitmex")
    assert store.listed() == []


def test_where_there_is_a_keyring_it_keeps_the_secret_and_no_password_is_asked(store, ring):
    assert store.save(KEY, FIELDS, never).kept == "keyring"
    assert store.load("bitmex", never) == FIELDS
    assert "canary" in ring.kept["hbkit", "bitmex"]
    [path] = store.folder.iterdir()
    assert "canary" not in path.read_text()
    assert store.remove("bitmex")
    assert ring.kept == {}


def test_a_key_that_left_the_keyring_is_said(store, ring):
    store.save(KEY, FIELDS, never)
    ring.kept.clear()
    with pytest.raises(ConfigError) as error:
        store.load("bitmex", never)
    assert "hbkit connect bitmex" in told(error)
    assert store.remove("bitmex")


def test_any_entry_of_the_keyring_can_be_read(ring):
    ring.set_password("mine", "bitmex", "canary")
    assert from_keyring("mine", "bitmex") == "canary"
    assert from_keyring("mine", "other") is None


def test_without_a_keyring_a_reference_to_it_is_an_error():
    with pytest.raises(ConfigError) as error:
        from_keyring("mine", "bitmex")
    assert "no keyring here" in told(error)


def test_the_folder_follows_the_settings_of_the_user():
    assert default_folder({"XDG_CONFIG_HOME": "/x"}) == Path("/x/hbkit/keys")
    assert default_folder({}) == Path.home() / ".config/hbkit/keys"
