"""What the hot calls carry: validators, encodings, ids of requests; and the counters behind them."""

import gzip
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from data.logs import REQUEST_ID

Make = Callable[..., dict[str, Any]]
RELATED = "/v1/articles/a0/related"


@pytest.fixture
def stocked(client: httpx.Client, item: Make) -> httpx.Client:
    """A client of a newsroom with eleven articles, each on a subject of its own."""
    subjects = (
        "trams cross harbour bridge, engineers inspect cables, signal failure downtown depot",
        "volcano eruption forces island evacuation, ash cloud grounds flights across archipelago",
        "tennis champion wins grand slam final after five sets, crowd cheers record serve",
        "parliament debates pension reform, minister resigns, coalition partners quarrel about budget",
        "chess prodigy aged eleven beats grandmaster in blitz tournament with queen sacrifice",
        "bakery revives forgotten rye sourdough, queue around corner, miller explains flour",
        "telescope spots distant galaxy, astronomers measure redshift, early universe puzzles theorists",
        "river floods meadow villages, volunteers stack sandbags, insurance claims mount quickly",
        "orchestra appoints young conductor, opening night mahler symphony moves critics",
        "beekeepers report milder winter losses, hives recover, varroa mite treatment works",
        "semiconductor plant breaks ground, subsidies attract suppliers, wafers promised by spring",
    )
    items = [item(f"a{n}", title=one.split(",")[0], body=f"{one}. {one}.") for n, one in enumerate(subjects)]
    assert client.put("/v1/articles", json=items).json()["new"] == len(subjects)
    return client


def test_a_related_list_the_caller_holds_is_not_sent_again(stocked: httpx.Client, item: Make) -> None:
    first = stocked.get(RELATED)
    assert first.headers["cache-control"] == "private, no-cache"
    again = stocked.get(RELATED, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    for other in ('"other"', f'"x", {first.headers["etag"]}, "y"', "*"):
        status = stocked.get(RELATED, headers={"if-none-match": other}).status_code
        assert status == (200 if other == '"other"' else 304)
    assert stocked.delete(f"/v1/articles/{first.json()['items'][0]['article_id']}").status_code == 204
    changed = stocked.get(RELATED, headers={"if-none-match": first.headers["etag"]})
    assert changed.status_code == 200
    gone = first.json()["items"][0]["article_id"]
    assert gone not in {card["article_id"] for card in changed.json()["items"]}


def test_long_answers_are_compressed_for_those_who_can_read_it(stocked: httpx.Client) -> None:
    for path in (RELATED, "/v1/readers/r1/for-you", "/openapi.json"):
        with stocked.stream("GET", path, headers={"accept-encoding": "gzip"}) as packed:
            raw = b"".join(packed.iter_raw())
        plain = stocked.get(path, headers={"accept-encoding": "identity"})
        assert packed.headers["content-encoding"] == "gzip"
        assert "Accept-Encoding" in packed.headers["vary"]
        assert "content-encoding" not in plain.headers
        assert len(raw) < len(plain.content)
        assert gzip.decompress(raw)[:12] == plain.content[:12]


def test_every_answer_names_its_request(stocked: httpx.Client) -> None:
    for path in (RELATED, "/v1/nothing", "/docs", "/metrics"):
        assert stocked.get(path, headers={"x-request-id": "app-1.2:3"}).headers["x-request-id"] == "app-1.2:3"
        made = [
            stocked.get(path, headers={"x-request-id": given}).headers["x-request-id"]
            for given in ("", "a b", "x" * 65)
        ]
        assert all(re.fullmatch("[0-9a-f]{32}", one) for one in made)
        assert len(set(made)) == 3
    assert REQUEST_ID.get() == ""


def test_personal_lists_are_kept_by_nobody(stocked: httpx.Client) -> None:
    assert stocked.get("/v1/readers/r1/for-you").headers["cache-control"] == "private, no-store"
    stocked.put("/v1/readers/r1", json={})
    assert stocked.get("/v1/readers/r1").headers["cache-control"] == "private, no-store"


def test_an_encoded_letter_of_the_route_is_the_letter(stocked: httpx.Client, newsroom: Any) -> None:
    assert stocked.get("/v1/article%73/a0/rel%61ted").status_code == 200
    assert newsroom.client(None).get("/v1/article%73/a0/rel%61ted").status_code == 401
    assert newsroom.client(None).post("/v1/event%73", json=[]).status_code == 401


def test_the_counters_tell_routes_and_never_readers(stocked: httpx.Client) -> None:
    stocked.get("/v1/readers/somebody-private/for-you")
    stocked.get(RELATED)
    stocked.get(RELATED)
    stocked.get("/v1/nothing/somebody-private")
    stocked.get("/v1/readers/somebody-private")
    page = stocked.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain")
    assert "private" not in page.text
    for line in (
        'newsbell_http_requests_total{method="GET",route="/v1/readers/{reader}/for-you",status="200"} 1.0',
        'newsbell_http_requests_total{method="GET",route="/v1/readers/{reader}",status="404"} 1.0',
        'newsbell_http_requests_total{method="GET",route="unmatched",status="404"} 1.0',
        'newsbell_cache_total{cache="related",result="hit"} 1.0',
        'newsbell_for_you_lists_total{reader="cold"} 1.0',
        'newsbell_candidates_count{surface="for_you"} 1.0',
        "newsbell_index_articles 11.0",
    ):
        assert line in page.text


def test_other_origins_are_let_in_only_where_they_are_named(
    client: httpx.Client, sqlite_store: Any, newsroom_over: Any
) -> None:
    asked = {"origin": "https://app.example", "access-control-request-method": "POST"}
    refused = client.options("/v1/events", headers=asked)
    assert refused.status_code == 405
    assert not [name for name in refused.headers if name.startswith("access-control")]
    with newsroom_over(sqlite_store, cors_origins="https://app.example, https://b.example") as room:
        allowed = room.client(None).options("/v1/events", headers=asked)
        assert allowed.headers["access-control-allow-origin"] == "https://app.example"
        answer = room.client("app").get("/v1/readers/r/for-you", headers={"origin": "https://b.example"})
        assert answer.headers["access-control-allow-origin"] == "https://b.example"
        other = room.client("app").get("/v1/readers/r/for-you", headers={"origin": "https://c.example"})
        assert "access-control-allow-origin" not in other.headers


def test_catching_up_takes_a_time_or_the_last_visit_and_nothing_else(stocked: httpx.Client) -> None:
    usual = stocked.get("/v1/readers/r1/for-you").json()["items"]
    for since in ("last_visit", "2026-03-01T07:30:00+01:00", "2199-01-01T00:00:00Z"):
        answer = stocked.get("/v1/readers/r1/for-you", params={"since": since})
        assert answer.status_code == 200
        assert len(answer.json()["items"]) == len(usual)
    for since in ("yesterday", "2026-03-01", "2026-03-01T07:30:00", ""):
        answer = stocked.get("/v1/readers/r1/for-you", params={"since": since})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["where"] == "since"


def test_a_reader_nobody_knows_gets_the_language_of_the_phone(stocked: httpx.Client, item: Make) -> None:
    stocked.put("/v1/articles", json=[item("cs", title="Ptáci", body="Ornitologové sčítali čejky.", language="cs")])
    for reader in ("nobody", "no-one"):
        for tags, is_first in (("cs-CZ,cs;q=0.9,en;q=0.8", True), ("en", False), ("cs", True)):
            answer = stocked.get(f"/v1/readers/{reader}/for-you", headers={"accept-language": tags})
            assert (answer.json()["items"][0]["article_id"] == "cs") is is_first
