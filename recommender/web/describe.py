"""The OpenAPI description of what FastAPI cannot read off a signature: our bodies, queries and problems."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from data.wire import VISIBLE, ArticleIn, DeviceIn, EventIn, ReaderIn, ReaderPatch
from recommender.web import examples
from recommender.web.problems import MEDIA_TYPE, Problem

REF = "#/components/schemas/{model}"
MEANINGS = {
    400: "The body is not JSON",
    401: "No key, or one that is not known",
    403: "The key's role does not cover this call",
    404: "The id names nothing we hold",
    413: "The body or list is larger than the limit",
    405: "The address takes other methods: `Allow` names them",
    410: "The list was begun more than 30 minutes ago; begin a new one",
    415: "The body is not sent as JSON",
    422: "Something in the request is not right: `errors` names each fault",
    429: "The key's rate is used up; `Retry-After` says how many seconds to wait",
    500: "Something went wrong on our side; the log has it under the `X-Request-Id` of the answer",
    503: "The database does not answer or is of another version, or more arrives than can be written",
}
EXAMPLES: dict[str, Any] = {
    "ArticleIn": {
        "id": "2026/03/harbour-bridge",
        "url": "https://news.example/2026/03/harbour-bridge",
        "title": "Harbour bridge reopens after nine months",
        "published_at": "2026-03-01T07:30:00+01:00",
        "summary": "Trams cross again from Monday; lorries have to wait until May.",
        "source": {"id": "courier", "name": "The Courier"},
        "category": "city",
        "topics": ["transport"],
        "language": "en",
        "news_value": 3,
    },
    "EventIn": {
        "id": "5f0c2c1e-0001",
        "reader": "reader-17",
        "article": "2026/03/harbour-bridge",
        "kind": "read",
        "at": "2026-03-01T08:02:11+01:00",
        "dwell_s": 42,
    },
    "ReaderIn": {"zone": "Europe/Prague", "language": "en", "followed_topics": ["transport"], "quiet_until": "06:30"},
    "ReaderPatch": {
        "push": False,
        "add": {"muted_sources": ["gossip-weekly"]},
        "remove": {"muted_topics": ["transport"]},
    },
    "DeviceIn": {"platform": "android", "app_version": "4.2", "language": "en"},
}


NAMED = {
    "article": EXAMPLES["ArticleIn"]["id"],
    "event": EXAMPLES["EventIn"]["id"],
    "reader": "reader-18",
    "fid": "fid-5f0c2c1e",
}


def fails(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem answers of a call."""
    content = {MEDIA_TYPE: {"schema": {"$ref": REF.format(model="Problem")}}}
    return {status: {"description": MEANINGS[status], "content": content} for status in statuses}


def not_modified() -> dict[int | str, dict[str, Any]]:
    """The answer to who holds the same already."""
    return {304: {"description": "The caller holds the same list: `If-None-Match` named its `ETag`"}}


def body(model: str) -> dict[str, Any]:
    """A call that takes one object."""
    return _body({"$ref": REF.format(model=model)}, EXAMPLES[model])


def bulk(model: str) -> dict[str, Any]:
    """A call that takes a list, each item checked alone."""
    anything = {"description": "Whatever else is in the list comes back as rejected, with the reason"}
    one = {"anyOf": [{"$ref": REF.format(model=model)}, anything]}
    return _body({"type": "array", "maxItems": 1_000, "items": one}, [EXAMPLES[model]])


def _body(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}


def parameters(query: type[BaseModel]) -> list[dict[str, Any]]:
    """The query parameters that a shape stands for."""
    found = []
    for name, schema in query.model_json_schema()["properties"].items():
        what = schema.pop("description", "")
        schema.pop("title", None)
        found.append({"name": name, "in": "query", "required": False, "description": what, "schema": schema})
    return found


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI 3.1 document of `app`, made once."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
    )
    shapes = [(model, "validation") for model in (ArticleIn, EventIn, ReaderIn, ReaderPatch, DeviceIn, Problem)]
    _, schemas = models_json_schema(shapes, ref_template=REF)  # type: ignore[arg-type]
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(schemas["$defs"])
    for model, from_path in (("ReaderIn", "id"), ("DeviceIn", "fid")):
        schema = components["schemas"][model]
        schema["required"] = [name for name in schema["required"] if name != from_path]
        del schema["properties"][from_path]  # the address names it; the body may repeat it
    for model, schema in components["schemas"].items():
        if model in examples.ANSWERS:
            schema["examples"] = [examples.ANSWERS[model]]
        for name, meaning in examples.MEANINGS.get(model, {}).items():
            schema["properties"][name].setdefault("description", meaning)
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path, calls in document["paths"].items():
        for call in calls.values():
            call["security"] = [{"key": []}] if path.startswith("/v1/") else []
            for parameter in call.get("parameters", []):
                if parameter["in"] == "path":
                    parameter["schema"] = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": VISIBLE}
                    parameter["example"] = NAMED[parameter["name"]]
    app.openapi_schema = document
    return document
