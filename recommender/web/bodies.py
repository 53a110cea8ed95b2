"""Reading what a request carries: JSON bodies, lists checked item by item, query parameters."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, get_origin

import msgspec
from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from data.errors import InvalidInput, TooLarge
from data.wire import reasons
from recommender.web.problems import LONGEST_MESSAGE, Fault, InvalidRequest, invalid

Item = TypeVar("Item", bound=BaseModel)
LONGEST_LIST = 1_000


@dataclass(frozen=True)
class Checked(Generic[Item]):
    """A list whose items were checked alone: the good ones, where each stood, and what was wrong with the others."""

    good: list[Item]
    positions: list[int]
    rejected: list[tuple[int, str]]

    def all_rejected(self, later: Sequence[tuple[int, str]]) -> list[dict[str, Any]]:
        """What was wrong at first and what the store refused, by position in the list that was sent."""
        both = [*self.rejected, *((self.positions[index], reason) for index, reason in later)]
        return [{"index": index, "reason": reason} for index, reason in sorted(both)]


async def json_body(request: Request) -> Any:
    """The body as JSON; 400 where it is none."""
    return decoded(await request.body())


def decoded(body: bytes) -> Any:
    """A body as JSON; 400 where it is none."""
    try:
        return msgspec.json.decode(body)
    except msgspec.ValidationError as error:  # well-formed, but a number no field can take
        raise InvalidInput(f"The body holds a number out of range: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HTTPException(400, f"The body is not JSON in UTF-8: {error}") from None
    except RecursionError:
        raise HTTPException(400, "The body is nested too deeply.") from None


async def json_list(request: Request) -> list[Any]:
    """The body as a list of at most `LONGEST_LIST` items."""
    return as_list(await json_body(request))


def as_list(body: Any) -> list[Any]:
    """A decoded body as a list of at most `LONGEST_LIST` items."""
    if not isinstance(body, list):
        raise InvalidInput("The body must be a list: put [ ] around a single item.")
    if len(body) > LONGEST_LIST:
        raise TooLarge(f"The list holds {len(body):,} items; send at most {LONGEST_LIST:,} at a time.")
    return body


def check_each(shape: type[Item], items: list[Any]) -> Checked[Item]:
    """Check every item alone, so that one wrong item keeps no good one out."""
    checked: Checked[Item] = Checked([], [], [])
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            checked.rejected.append((index, "item: must be an object with the fields of /docs"))
            continue
        try:
            checked.good.append(shape.model_validate(item))
            checked.positions.append(index)
        except ValidationError as error:
            checked.rejected.append((index, reasons(error)[:LONGEST_MESSAGE]))
    return checked


async def json_item(request: Request, shape: type[Item], **from_path: str) -> Item:
    """The body as one shape, its identifiers taken from the path; InvalidRequest names each fault."""
    body = await json_body(request)
    if not isinstance(body, dict):
        raise InvalidInput('The body must be one object, like {"language": "en"}.')
    for name, value in from_path.items():
        if body.get(name, value) != value:
            raise InvalidRequest(
                "The body names another id than the address.",
                [Fault(where=name, message="leave it out, or repeat the one in the address")],
            )
    return checked(shape, {**body, **from_path}, "body")


def query(request: Request, shape: type[Item], *, skip_empty: bool = False) -> Item:
    """The query parameters as one shape. An unknown or repeated parameter is an error: it may be misspelt.

    A form sends its empty fields too: `skip_empty` takes them as not given.
    """
    return query_of(request.query_params.multi_items(), shape, skip_empty=skip_empty)


def query_of(pairs: Iterable[tuple[str, str]], shape: type[Item], *, skip_empty: bool = False) -> Item:
    """Names and values as one shape; an unknown or repeated one is an error."""
    values: dict[str, Any] = {}
    for name, value in pairs:
        if skip_empty and not value:
            continue
        if name in shape.model_fields and get_origin(shape.model_fields[name].annotation) is list:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise InvalidRequest("The query is not right: see errors.", [Fault(where=name, message="is given twice")])
        else:
            values[name] = value
    return checked(shape, values, "query")


def checked(shape: type[Item], value: dict[str, Any], what: str) -> Item:
    """`value` as `shape`, or InvalidRequest with its faults."""
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        raise invalid(error, what) from None
