"""The reader's front page: the for-you list of a chosen reader, and why each article is on it."""

from collections import Counter
from secrets import token_hex

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from data.values import ReaderRow
from data.wire import Identifier, Language, Topic
from recommender.web.auth import check_page
from recommender.web.bodies import query
from recommender.web.pages.readers import choices, recently_read
from recommender.web.pages.render import here, render
from recommender.web.shapes import Query
from recommender.web.site import Site, site_of

router = APIRouter(include_in_schema=False)
SHOWN = 24
SEEN_FOR_SECTIONS = 100  # sections and languages are those of this many cards
NEW = "new"  # the choice that becomes a reader nobody has seen


class HomeQuery(Query):
    """What the form and the section links ask for; empty means any."""

    reader: Identifier | None = None
    category: Topic | None = None
    language: Language | None = None


@router.get("/")
async def home(request: Request) -> Response:
    """The front page of `?reader=`; without one, of the first reader there is."""
    check_page(request)
    wanted = query(request, HomeQuery, skip_empty=True)
    if wanted.reader == NEW:
        fresh = here("/", reader=f"newcomer-{token_hex(3)}", language=wanted.language)
        return RedirectResponse(fresh, 303)
    return await run_in_threadpool(_page, site_of(request), wanted)


def _page(site: Site, wanted: HomeQuery) -> Response:
    readers = choices(site.store, wanted.reader)
    key = wanted.reader or readers[0].key
    row = site.store.reader(key) or ReaderRow(0, key)
    wide = site.service.for_you(key, limit=SEEN_FOR_SECTIONS, explain=True)
    narrow = site.service.for_you(key, limit=SHOWN, category=wanted.category, language=wanted.language, explain=True)
    sections = Counter(card.category for card in wide.items if card.category)
    languages = Counter(card.language for card in wide.items if card.language)
    return render(
        "home.html",
        language="en",
        wanted=wanted,
        reader=row,
        readers=readers,
        cards=narrow.items,
        sections=[name for name, _ in sections.most_common(8)],
        languages=sorted(languages),
        age_language=row.language if row.id else wanted.language or "en",  # as the cards say it
        recent=recently_read(site.store, row),
        articles=site.store.count_articles(),
    )
