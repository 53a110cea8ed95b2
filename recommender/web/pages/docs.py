"""The API in readable form: every call of the OpenAPI document, on a page that needs no other server."""

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
    return {"status": status, "about": item["description"], "fields": _fields(schema, schemas)}


def _fields(schema: dict[str, Any], schemas: dict[str, Any]) -> list[dict[str, Any]]:
    """The fields of a body or answer, one level deep."""
    item = schema.get("items", {})
    reference = schema.get("$ref") or item.get("$ref") or item.get("anyOf", [{}])[0].get("$ref")
    if not reference:
        return []
    shape = schemas[reference.removeprefix(REF)]
    required = set(shape.get("required", []))
    return [
        {"name": name, "type": kind(field), "about": field.get("description", ""), "required": name in required}
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
