"""Keeps the keys of exchanges: in the system's keyring where there is one, else in encrypted files of the user's own.

    store = KeyStore(default_folder(os.environ))
    store.save(KeptKey("bitmex", host="api.example.org", account="1001", key_ends="f3"), {"api_key": ...}, password)
    fields = store.load("bitmex", password)

One small file an exchange, `<name>.json`, says which host the key belongs to, so that `connect --list` needs no
password and a key can never be sent to another host. What is secret is sealed with AES-GCM under a key that scrypt
draws from the password, and bound to the rest of the file: whoever changes one byte of either gets nothing.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hbkit.chance import unguessable
from hbkit.errors import ConfigError

SERVICE = "hbkit"
"""The service under which the keyring knows our entries."""
PASSWORD_VARIABLE = "HBKIT_PASSWORD"
_SCRYPT = {"n": 1 << 15, "r": 8, "p": 1}
_SCRYPT_MEMORY = 64 << 20
_MOST_COST = 1 << 20
"""No file of ours asks for more work than this: a planted one could otherwise hold a program up for hours."""
_MAX_BYTES = 64 << 10
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*")
_EXTRA = 'install it: pip install "hbkit-core[keys]"'


@dataclass(frozen=True)
class KeptKey:
    """What may be shown of a key that is kept."""

    exchange: str
    host: str
    """Host and port that the key was verified at, the only ones it is sent to; `simulator`: one that a run starts."""
    account: str
    key_ends: str
    """The last two characters of the key."""
    saved: str
    """When, ISO 8601."""
    kept: str = ""
    """`keyring` or `file`."""


def default_folder(environ: Mapping[str, str]) -> Path:
    """Where the user's keys are: `hbkit/keys` in the user's folder of settings."""
    base = environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "hbkit" / "keys"


class KeyStore:
    """The keys of one user. Errors are ConfigError with code HB120 and the mend; none of them shows a secret."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def listed(self) -> list[KeptKey]:
        """Every key that is kept, by the exchange's name; needs no password."""
        names = sorted(path.stem.replace("+", ":") for path in self.folder.glob("*.json"))
        return [self._kept(self._read(name)) for name in names]

    def find(self, exchange: str) -> KeptKey | None:
        """What may be shown of one key, None when there is none."""
        return self._kept(self._read(exchange)) if os.path.lexists(self._path(exchange)) else None

    def save(self, key: KeptKey, fields: Mapping[str, str], password: Callable[[], str]) -> KeptKey:
        """Keep the fields (`api_key` and what else was asked for), in place of an earlier key of that exchange.

        :param password: asked only where a file is written.
        """
        ring = _keyring()
        public = asdict(key) | {"kept": "keyring" if ring is not None else "file"}
        text = json.dumps(dict(fields))
        if ring is not None:
            ring.set_password(SERVICE, key.exchange, text)
            document: dict[str, Any] = {"version": 1, "key": public}
        else:
            salt, nonce = unguessable(16), unguessable(12)
            cost = {**_SCRYPT, "salt": _text(salt)}
            head = {"version": 1, "key": public, "scrypt": cost, "nonce": _text(nonce)}
            sealed = _cipher(_derived(password(), cost)).encrypt(nonce, text.encode(), _canonical(head))
            document = head | {"sealed": _text(sealed)}
        self._write(key.exchange, document)
        return self._kept(document)

    def load(self, exchange: str, password: Callable[[], str]) -> dict[str, str]:
        """The fields of a key that is kept."""
        document = self._read(exchange)
        ring = self._kept(document).kept == "keyring"
        text = self._from_keyring(exchange) if ring else self._opened(exchange, document, password)
        fields = json.loads(text)
        return {str(name): str(value) for name, value in fields.items()}

    def remove(self, exchange: str) -> bool:
        """Forget a key; False when there was none."""
        path = self._path(exchange)
        if not os.path.lexists(path):
            return False
        if self._kept(self._read(exchange)).kept == "keyring" and (ring := _keyring()) is not None:
            from keyring.errors import PasswordDeleteError

            with contextlib.suppress(PasswordDeleteError):  # it is gone already, which is what is wanted
                ring.delete_password(SERVICE, exchange)
        path.unlink()
        return True

    # -- files

    def _path(self, exchange: str) -> Path:
        if not _NAME.fullmatch(exchange):
            raise _fault(f'"{exchange}" is no name of an exchange; hbkit connect --list shows what is kept')
        return self.folder / f"{exchange.replace(':', '+')}.json"

    def _write(self, exchange: str, document: Mapping[str, Any]) -> None:
        """Whole or not at all, and never readable by others, whatever the umask is."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            partial = self.folder / f".{self._path(exchange).stem}.{unguessable(4).hex()}"
            file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(file, "w", encoding="utf-8") as writing:
                json.dump(document, writing, indent=1)
                writing.flush()
                os.fsync(writing.fileno())
            partial.replace(self._path(exchange))
        except OSError as error:
            raise _fault(f"the key cannot be kept in {self.folder}: {error.strerror}") from None

    def _read(self, exchange: str) -> dict[str, Any]:
        path = self._path(exchange)
        try:
            file = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        except FileNotFoundError:
            raise _fault(f"no key of {exchange} is kept; hbkit connect {exchange} asks for one") from None
        except OSError as error:
            what = "it is a link, which may lead anywhere; delete it" if path.is_symlink() else error.strerror
            raise _fault(f"the key file {path} cannot be read: {what}") from None
        with os.fdopen(file, "rb") as reading:
            if os.name == "posix":
                _check_owner(path, os.fstat(reading.fileno()))
            content = reading.read(_MAX_BYTES)
        with _damage_of(path):
            document = json.loads(content)
            if document["version"] != 1 or document["key"]["exchange"] != exchange:
                raise ValueError
            KeptKey(**document["key"])
            return dict(document)

    @staticmethod
    def _kept(document: Mapping[str, Any]) -> KeptKey:
        return KeptKey(**document["key"])

    def _opened(self, exchange: str, document: Mapping[str, Any], password: Callable[[], str]) -> str:
        with _damage_of(self._path(exchange)):
            head = {name: document[name] for name in ("version", "key", "scrypt", "nonce")}
            nonce, sealed = _bytes(document["nonce"]), _bytes(document["sealed"])
            cost = document["scrypt"]
            if not 0 < cost["n"] * cost["r"] * cost["p"] <= _MOST_COST:
                raise ValueError
        word = password()
        with _damage_of(self._path(exchange)):
            cipher = _cipher(_derived(word, cost))
            from cryptography.exceptions import InvalidTag

            try:
                return str(cipher.decrypt(nonce, sealed, _canonical(head)), "utf-8")
            except InvalidTag:
                message = f"the key of {exchange} cannot be opened: wrong password, or the file was changed"
        raise _fault(f"{message}; hbkit connect {exchange} asks for the key anew")

    @staticmethod
    def _from_keyring(exchange: str) -> str:
        ring = _keyring()
        text: str | None = ring.get_password(SERVICE, exchange) if ring is not None else None
        if text is None:
            raise _fault(f"the keyring has no key of {exchange} any more; hbkit connect {exchange} asks for one")
        return text


def _check_owner(path: Path, about: os.stat_result) -> None:
    if about.st_uid != os.geteuid():
        raise _fault(f"the key file {path} belongs to another user; delete it and connect again")
    if stat.S_IMODE(about.st_mode) & 0o077:
        raise _fault(f"the key file {path} can be read by others; run: chmod 600 {path}")


def from_keyring(service: str, name: str) -> str | None:
    """A password of the system's keyring, None when it has none. Raises ConfigError where there is no keyring."""
    ring = _keyring()
    if ring is None:
        raise _fault(f"there is no keyring here; {_EXTRA}, or use ${{NAME}} or ${{file:path}}")
    text: str | None = ring.get_password(service, name)
    return text


def _keyring() -> Any:
    """The system's keyring, None where there is none that keeps anything."""
    try:
        import keyring
        from keyring.backends import chainer, fail, null
    except ImportError:
        return None
    ring = keyring.get_keyring()
    if isinstance(ring, chainer.ChainerBackend) and not ring.backends:
        return None
    return None if isinstance(ring, (fail.Keyring, null.Keyring)) else ring


def _cipher(key: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise _fault(f"keeping keys in a file needs the package cryptography; {_EXTRA}") from None
    return AESGCM(key)


def _derived(password: str, cost: Mapping[str, Any]) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=_bytes(cost["salt"]), n=cost["n"], r=cost["r"], p=cost["p"], dklen=32,
        maxmem=_SCRYPT_MEMORY,
    )  # fmt: skip


@contextlib.contextmanager
def _damage_of(path: Path) -> Iterator[None]:
    """Whatever a damaged file makes of our reading is one error; the file's content is not shown."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, MemoryError):
        damaged = _fault(f"the key file {path} is damaged; delete it and connect again")
    else:
        return
    raise damaged


def _fault(message: str) -> ConfigError:
    return ConfigError(message, code="HB120")


def _canonical(head: Mapping[str, Any]) -> bytes:
    return json.dumps(head, sort_keys=True, separators=(",", ":")).encode()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
