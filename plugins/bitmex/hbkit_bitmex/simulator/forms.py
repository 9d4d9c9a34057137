"""The form in which an answer goes out: JSON or CSV, packed with gzip where the caller takes that (section 1)."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

from hbkit_bitmex.simulator import parameters
from hbkit_bitmex.simulator.models import MODELS
from hbkit_bitmex.simulator.parameters import Parameters
from hbkit_bitmex.simulator.refusals import bad_request
from hbkit_bitmex.simulator.wire import encode

JSON = "application/json; charset=utf-8"
CSV = "text/csv; charset=utf-8"
SMALL = 1024
"""Bytes; what is shorter is not packed."""
FAST = 1


def wanted(sent: Parameters) -> str:
    """`json` or `csv`. Raises the 400 of a form that is not known."""
    form = parameters.text(sent, "_format").lower() or "json"
    if form not in ("json", "csv"):
        raise bad_request("_format is invalid")
    return form


def written(answer: Any, form: str, model: str) -> tuple[str, bytes]:
    """Content type and body; of CSV are only rows made, everything else stays JSON."""
    if form == "csv" and isinstance(answer, dict) and model:
        answer = [answer]
    if form == "csv" and isinstance(answer, list):
        return CSV, _csv(answer, MODELS.get(model, {})).encode()
    return JSON, encode(answer)


def _csv(rows: list[dict[str, Any]], known: Iterable[str]) -> str:
    """Columns in the order of the model, texts in quotes, numbers without; of columns only those that some row has."""
    present = dict.fromkeys(column for row in rows for column in row)
    columns = [column for column in known if column in present or not rows]
    columns += [column for column in present if column not in columns]
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])
    return text.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return json.dumps(value, separators=(",", ":"))
    return str(value).lower() if isinstance(value, bool) else value


def packed(body: bytes, headers: Mapping[str, str]) -> tuple[bytes, dict[str, str]]:
    """The body as it is sent, and the headers that say how."""
    more = {"ETag": f'W/"{len(body):x}-{_digest(body)}"', "Vary": "Accept-Encoding"}
    if len(body) < SMALL or "gzip" not in headers.get("Accept-Encoding", ""):
        return body, more
    return gzip.compress(body, FAST, mtime=0), {**more, "Content-Encoding": "gzip"}


def _digest(body: bytes) -> str:
    return base64.b64encode(hashlib.sha1(body, usedforsecurity=False).digest()).decode().rstrip("=")
