"""Shows each call of a plugin's hook on stderr, when the environment has `HBKIT_TRACE_PLUGINS=1`.

    hbkit_check_order  hbkit-guest 0.1  request=OrderRequest(...) strategy='one' -> None  0.013 ms

It is for authors of plugins who ask whether and when they are called. Secrets are masked as in every log.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from hbkit.clock import monotonic
from hbkit.log import redact

VARIABLE = "HBKIT_TRACE_PLUGINS"
LONGEST = 80
"""Letters of one value."""

Trace = Callable[[str, str, Mapping[str, Any], Callable[[], Any]], Any]
"""Makes a call: hook, origin, arguments, and what to call."""


def tracer(environ: Mapping[str, str]) -> Trace:
    """What makes hook calls: visibly when the variable is set and not 0, else just so."""
    return _shown if environ.get(VARIABLE, "0") not in ("", "0") else _silent


def _silent(hook: str, origin: str, values: Mapping[str, Any], call: Callable[[], Any]) -> Any:
    del hook, origin, values
    return call()


def _shown(hook: str, origin: str, values: Mapping[str, Any], call: Callable[[], Any]) -> Any:
    began = monotonic()
    outcome = "raised"
    try:
        answer = call()
        outcome = f"-> {_short(answer)}"
        return answer
    except BaseException as error:
        outcome = f"raised {type(error).__name__}: {_short(str(error))}"
        raise
    finally:
        took = (monotonic() - began) * 1000
        told = " ".join(f"{name}={_short(value)}" for name, value in values.items())
        parts = [f"hbkit_{hook}", origin, *([told] if told else [])]
        sys.stderr.write(redact(f"{'  '.join(parts)} {outcome}  {took:.3f} ms") + "\n")


def _short(value: Any) -> str:
    text = redact(" ".join(repr(value).split()))
    # Masked before it is cut: half a secret would not be known for one.
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
