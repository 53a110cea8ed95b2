"""The reader's article page with its Related Articles, and the one thing it may write: that it was read."""

import hashlib
from urllib.parse import parse_qsl, urlsplit

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from data.errors import InvalidInput, NotAllowed, NotFound
from data.values import ArticleRow, ReaderRow
from data.wire import EventIn, Identifier
from recommender.answers import RelatedList
from recommender.cards import Card, age
from recommender.web.auth import check_page
from recommender.web.bodies import checked, query
from recommender.web.gate import segment
from recommender.web.pages.readers import has_read
from recommender.web.pages.render import here, render
from recommender.web.pages.render import segment as as_segment
from recommender.web.shapes import Query, identifier
from recommender.web.site import Site, site_of

router = APIRouter(include_in_schema=False)
RELATED = 6
FEW = 3  # fewer related articles than this leave room for more from the section


class ArticleQuery(Query):
    """Who reads."""

    reader: Identifier | None = None


class ReadForm(Query):
    """Who read what."""

    reader: Identifier
    article: Identifier


@router.get("/a/{article}")
async def article(request: Request, article: str) -> Response:
    """One article as the reader sees it; NotFound for one that is retracted or may not be seen yet."""
    check_page(request)
    wanted = query(request, ArticleQuery, skip_empty=True)
    key = identifier(segment(article), "article id")
    return await run_in_threadpool(_page, site_of(request), key, wanted.reader)


def _page(site: Site, key: str, reader_key: str | None) -> Response:
    now = site.clock.now()
    found = site.store.article(key)
    if found.retracted_at or (found.embargo_until and found.embargo_until > now):
        raise NotFound("This article is not to be read here: it was withdrawn, or its time has not come.")
    reader = (site.store.reader(reader_key) or ReaderRow(0, reader_key)) if reader_key else None
    served = site.service.related(key, limit=RELATED, reader=reader_key)
    age_language = reader.language if reader and reader.id else found.language  # as the cards say it
    return render(
        "article.html",
        language="en",
        article=found,
        paragraphs=paragraphs(found),
        age=age(found.published_at, now, age_language),
        age_language=age_language,
        reader=reader,
        is_read=reader is not None and has_read(site.store, reader, found),
        related=served.items,
        fallback=served.fallback,
        more=_more(site, found, reader_key or "", served),
    )


def _more(site: Site, article: ArticleRow, reader_key: str, served: RelatedList) -> tuple[Card, ...]:
    """Where little is related, what else the section has for this reader, under a heading of its own."""
    if served.fallback or len(served.items) >= FEW or not article.category:
        return ()
    shown = [article.key, *(card.article_id for card in served.items)]
    slate = site.service.for_you(
        reader_key, limit=FEW, category=article.category, language=article.language, exclude=shown
    )
    return slate.items


def paragraphs(article: ArticleRow) -> list[str]:
    """The body by paragraphs; the summary where there is no body."""
    parts = [part.strip() for part in (article.body or article.summary).split("\n")]
    return [part for part in parts if part]


@router.post("/read")
async def read(request: Request) -> Response:
    """Note that the demo's reader read an article, then go back to it; a script gets 204 instead."""
    check_page(request)
    check_same_origin(request)
    form = checked(ReadForm, form_fields(await request.body()), "form")
    await run_in_threadpool(_note, site_of(request), form)
    if "text/html" not in request.headers.get("accept", ""):
        return Response(status_code=204)
    return RedirectResponse(here(f"/a/{as_segment(form.article)}", reader=form.reader), 303)


def form_fields(body: bytes) -> dict[str, str]:
    """The fields of a small form."""
    try:
        return dict(parse_qsl(body.decode(), max_num_fields=10))
    except ValueError:
        raise InvalidInput("The form cannot be read; open the page again and send it from there.") from None


def _note(site: Site, form: ReadForm) -> None:
    """One `read` a day, reader and article: sending the form twice changes nothing."""
    now = site.clock.now()
    name = "\n".join((form.reader, form.article, now.date().isoformat()))
    event = EventIn(
        id="page-" + hashlib.sha256(name.encode()).hexdigest()[:32],
        reader=form.reader,
        article=form.article,
        kind="read",
        at=now,
        surface="reader_page",
    )
    result = site.store.add_events([event], now=now)
    if result.rejected:
        raise InvalidInput(result.rejected[0][1])


def check_same_origin(request: Request) -> None:
    """Refuse a form that another site's page sent: browsers say where a request comes from."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    if site not in {"same-origin", "none"} or (origin and urlsplit(origin).netloc != request.headers.get("host")):
        raise NotAllowed("This form belongs to another site; open the page here and try again.")
