"""The API in readable form: every call of the OpenAPI document, on a page that needs no other server."""

import re
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from recommender.web.describe import MEANINGS
from recommender.web.pages.render import render

router = APIRouter(include_in_schema=False)
front_door = APIRouter(include_in_schema=False)
REF = "#/components/schemas/"


@front_door.get("/")
async def to_docs() -> Response:
    """Where the demo's pages are off, the front door is the API's description."""
    return RedirectResponse("/docs", 307)


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Every call with its parameters, body, answers and an example."""
    document = request.app.openapi()
    schemas = document["components"]["schemas"]
    calls = [
        _call(method, path, call, schemas)
        for path, methods in document["paths"].items()
        for method, call in methods.items()
    ]
    return render(
        "docs.html",
        language="en",
        title=document["info"]["title"],
        about=document["info"]["description"],
        calls=calls,
        shapes=_inner(calls, schemas),
        problems=MEANINGS,
        root=str(request.base_url).rstrip("/"),
    )


def _call(method: str, path: str, call: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    body = call.get("requestBody", {}).get("content", {}).get("application/json", {})
    return {
        "id": call["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": call["summary"],
        "about": call.get("description", ""),
        "needs_key": bool(call["security"]),
        "parameters": [_parameter(item) for item in call.get("parameters", [])],
        "fields": _fields(body.get("schema", {}), schemas),
        "is_list": body.get("schema", {}).get("type") == "array",
        "example": body.get("example"),
        "answers": [_answer(status, item, schemas) for status, item in call["responses"].items()],
    }


def _inner(calls: list[dict[str, Any]], schemas: dict[str, Any]) -> list[dict[str, Any]]:
    """The shapes that fields of bodies and answers are made of, and those within these."""
    told = [
        row for call in calls for row in (*call["fields"], *(row for one in call["answers"] for row in one["fields"]))
    ]
    found: dict[str, dict[str, Any]] = {}
    while told:
        for name in told.pop()["shapes"]:
            if name not in found:
                fields = _fields({"$ref": REF + name}, schemas)
                found[name] = {"name": name, "about": schemas[name].get("description", ""), "fields": fields}
                told += fields
    return sorted(found.values(), key=lambda shape: str(shape["name"]))


def _parameter(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": item["name"],
        "where": item["in"],
        "type": kind(item["schema"]),
        "about": item.get("description", ""),
        "required": item["required"],
    }


def _answer(status: str, item: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    schema = item.get("content", {}).get("application/json", {}).get("schema", {})
    shape = schemas.get(schema.get("$ref", "").removeprefix(REF), {})
    return {
        "status": status,
        "about": item["description"],
        "fields": _fields(schema, schemas),
        "example": next(iter(shape.get("examples", [])), None),
    }


def _fields(schema: dict[str, Any], schemas: dict[str, Any]) -> list[dict[str, Any]]:
    """The fields of a body or answer, one level deep."""
    item: dict[str, Any] = schema.get("items", {})
    one_of = [*schema.get("anyOf", []), *item.get("anyOf", [])]
    reference = next((one["$ref"] for one in (schema, item, *one_of) if "$ref" in one), None)
    if not reference:
        return []
    shape = schemas[reference.removeprefix(REF)]
    required = set(shape.get("required", []))
    return [
        {
            "name": name,
            "type": kind(field),
            "about": field.get("description", ""),
            "required": name in required,
            "shapes": re.findall(rf"{REF}(\w+)", str(field)),
        }
        for name, field in shape.get("properties", {}).items()
    ]


def kind(schema: dict[str, Any]) -> str:
    """A schema's type in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(REF)
    if "anyOf" in schema:
        return " or ".join(kind(one) for one in schema["anyOf"])
    if len(schema.get("enum", ())) > 50:
        return "time zone"
    if "enum" in schema:
        return ", ".join(str(one) for one in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}))}"
    if schema.get("format") == "date-time":
        return "time"
    return str(schema.get("type", "any"))
