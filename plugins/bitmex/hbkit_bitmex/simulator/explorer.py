"""The API's description, Swagger 2 as the exchange's own was, written from the routes that serve.

Generated clients (bravado and its like) name operations `Order_new`, `Trade_get` as they did there. Rows say what their
columns are; which of them a row has, protocol 0.3 says.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hbkit_bitmex.simulator.models import MODELS
from hbkit_bitmex.simulator.routes import OUTSIDE, PREFIX, Parameter, Route

PATH = f"{OUTSIDE}/api/explorer/swagger.json"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
_COLUMNS: dict[str, dict[str, str]] = {
    "boolean": {"type": "boolean"},
    "float": {"type": "number", "format": "double"},
    "guid": {"type": "string", "format": "guid"},
    "integer": {"type": "integer", "format": "int32"},
    "long": {"type": "integer", "format": "int64"},
    "string": {"type": "string"},
    "symbol": {"type": "string"},
    "timespan": {"type": "string", "format": "date-time"},
    "timestamp": {"type": "string", "format": "date-time"},
}
_PARAMETERS: dict[str, dict[str, str]] = {
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer", "format": "int64"},
    "json": {"type": "string", "format": "JSON"},
    "number": {"type": "number", "format": "double"},
    "string": {"type": "string"},
    "time": {"type": "string", "format": "date-time"},
}
_KEYS = {"apiKey": "api-key", "apiExpires": "api-expires", "apiSignature": "api-signature"}
_REFUSALS = {
    "400": "Parameter error",
    "401": "Unauthorized",
    "403": "Access denied",
    "404": "Not found",
    "429": "Rate limit exceeded",
    "503": "Overloaded",
}


def describe(routes: Iterable[Route]) -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = {}
    models: dict[str, None] = {}
    for route in routes:
        if route.path.startswith(OUTSIDE):
            continue
        paths.setdefault(route.path or "/", {})[route.verb.lower()] = _operation(route)
        if route.model:
            models[route.model] = None
    return {
        "swagger": "2.0",
        "info": {
            "title": "BitMEX API",
            "version": "1.2.0",
            "description": "The REST API of hbkit's BitMEX simulator, written from the routes that it serves.",
        },
        "basePath": PREFIX,
        "consumes": [JSON, FORM],
        "produces": [JSON, "text/csv"],
        "securityDefinitions": {
            name: {"type": "apiKey", "in": "header", "name": header} for name, header in _KEYS.items()
        },
        "paths": paths,
        "definitions": {
            **{_definition(model): _model(MODELS[model]) for model in models},
            "Error": {
                "type": "object",
                "required": ["error"],
                "properties": {
                    "error": {
                        "type": "object",
                        "required": ["message", "name"],
                        "properties": {column: {"type": "string"} for column in ("message", "name", "details")},
                    }
                },
            },
        },
    }


def _definition(model: str) -> str:
    return model[0].upper() + model[1:]


def _operation(route: Route) -> dict[str, Any]:
    where = "query" if route.verb == "GET" else "formData"
    found: dict[str, Any] = {
        "operationId": route.name,
        "tags": [route.name.partition(".")[0]],
        "summary": route.summary,
        "parameters": [_parameter(one, where) for one in route.parameters],
        "responses": {
            "200": {"description": "Request was successful", **_schema(route)},
            **{code: _refusal(text) for code, text in _REFUSALS.items()},
        },
    }
    if route.needs is not None:
        found["security"] = [{name: [] for name in _KEYS}]
        if route.needs:
            found["description"] = f"Needs a key with the permission {route.needs}."
    return found


def _refusal(text: str) -> dict[str, Any]:
    return {"description": text, "schema": {"$ref": "#/definitions/Error"}}


def _schema(route: Route) -> dict[str, Any]:
    """Nothing where the answer is no row: its form is its own."""
    if not route.model:
        return {}
    row = {"$ref": f"#/definitions/{_definition(route.model)}"}
    return {"schema": row if route.one else {"type": "array", "items": row}}


def _parameter(one: Parameter, where: str) -> dict[str, Any]:
    found: dict[str, Any] = {"name": one.name, "in": where, "required": one.required, **_PARAMETERS[one.kind]}
    if one.text:
        found["description"] = one.text
    if one.default is not None:
        found["default"] = one.default
    if one.choices:
        found["enum"] = list(one.choices)
    return found


def _model(columns: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {name: dict(_COLUMNS.get(kind, {})) for name, kind in columns.items()}}
