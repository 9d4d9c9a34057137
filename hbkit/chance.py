"""Randomness and ids, all from one seed: the only place that touches `random` and `uuid`.

A part that needs chance is handed a `Chance`; `fork(name)` gives a part its own stream, so that one part drawing more
numbers never changes what another part sees.
"""

from __future__ import annotations

import hashlib
import random
import secrets
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


class Chance(random.Random):
    """A seeded generator that can also fork by name and make ids."""

    def __init__(self, seed: int) -> None:
        self.seed_value = seed
        super().__init__(seed)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied and stored with the place that its stream has reached."""
        return type(self), (self.seed_value,), self.getstate()

    def fork(self, name: str) -> Chance:
        """An independent generator for the part `name`; the same seed and name give the same stream."""
        digest = hashlib.blake2b(f"{self.seed_value}/{name}".encode(), digest_size=8).digest()
        return Chance(int.from_bytes(digest, "big"))

    def arrays(self, name: str) -> np.random.Generator:
        """A numpy generator for the part `name`; the same seed and name give the same numbers."""
        import numpy as np  # only where columns are made

        return np.random.Generator(np.random.PCG64(self.fork(name).seed_value))

    def guid(self) -> str:
        """A version 4 guid drawn from this stream."""
        return str(uuid.UUID(int=self.getrandbits(128), version=4))

    def named_guid(self, name: str) -> str:
        """The guid of the part `name`: the same seed and name give the same one, whatever was drawn before."""
        digest = hashlib.blake2b(f"{self.seed_value}/{name}".encode(), digest_size=16).digest()
        return str(uuid.UUID(bytes=digest, version=4))

    def short_id(self, length: int = 6) -> str:
        """`length` characters of lower-case letters and digits."""
        return "".join(self.choices("0123456789abcdefghijklmnopqrstuvwxyz", k=length))


def fresh_seed() -> int:
    """A seed for a run that names none; it is written down with the run, so the run can be had again."""
    return secrets.randbits(31)


def unguessable(length: int) -> bytes:
    """Bytes from the system that nobody can foretell, for what guards a secret; no seed brings them back."""
    return secrets.token_bytes(length)
