"""Made-up readers: looking at them, and changing what they have read by picking headlines."""

from fastapi import Request, Response

from data.errors import InvalidInput, NotFound
from data.store.personas import PersonaRow
from recommender.personas import Persona
from recommender.web.console.page import go, page
from recommender.web.console.route import console_router
from recommender.web.console.trial import Trial, trial_of
from recommender.web.gate import segment
from recommender.web.site import site_of

router = console_router()
NEW = "new"
OFFERED = 40
READ_AGO_H = 12.0


@router.get("/personas")
def personas(request: Request) -> Response:
    """All of them."""
    kept = {row.key for row in site_of(request).store.personas()}
    return page(request, "console/personas.html", personas=trial_of(request).personas(), kept=kept)


@router.get("/personas/{key}")
def persona(request: Request, key: str) -> Response:
    """One: what it read, what it gets, and headlines to pick from."""
    trial, form = trial_of(request), request.state.form
    key = segment(key)
    one = Persona(NEW, "", "", "en") if key == NEW else trial.persona(key)
    ids = [read.article_id for read in one.reads]
    listing = trial.live("for_you", one)
    offered = _offered(trial, form.text("q"), set(ids))
    articles = trial.articles([*ids, *listing.ids])
    kept = {row.key for row in trial.site.store.personas()}
    return page(
        request,
        "console/persona.html",
        one=one,
        listing=listing,
        articles=articles,
        offered=offered,
        kept=kept,
        form=form,
    )


@router.post("/personas/{key}")
def save(request: Request, key: str) -> Response:
    """Keep a persona with the ticked reads; a made-up one becomes a kept one of the same key."""
    site, form, trial = site_of(request), request.state.form, trial_of(request)
    key = segment(key)
    old = Persona(NEW, "", "", "en") if key == NEW else trial.persona(key)
    name = form.required("name", "a name", longest=60)
    language = form.text("language", old.language, longest=10)
    if not language.replace("-", "").isalnum():
        raise InvalidInput(f"{language!r} is no language; write a code like en or da")
    row = PersonaRow(
        key=_free_key(name, {one.key for one in trial.personas()}) if key == NEW else key,
        name=name,
        about=form.text("about", longest=200),
        language=language,
        followed_topics=_topics(form.text("follows", longest=500)),
        muted_topics=_topics(form.text("mutes", longest=500)),
        reads=_reads(trial, old, form.all("read")),
    )
    site.store.save_persona(row, by=request.state.person.email, now=site.clock.now())
    return go(f"/console/personas/{row.key}", "persona")


@router.post("/personas/{key}/remove")
def remove(request: Request, key: str) -> Response:
    """Forget a kept persona; a made-up one of the same key is as it was."""
    site = site_of(request)
    site.store.remove_persona(segment(key), by=request.state.person.email, now=site.clock.now())
    return go("/console/personas", "removed")


def _reads(trial: Trial, old: Persona, ticked: list[str]) -> tuple[dict[str, object], ...]:
    """The ticked articles: those read before stay when and how they were, new ones were read half a day ago."""
    known = {read.article_id: read for read in old.reads}
    ids = trial.site.store.article_ids(ticked)
    if len(ids) < len(set(ticked)):
        raise NotFound("one of the ticked articles is gone; load the page again")
    rows = [
        {
            "article": key,
            "kind": known[number].kind if number in known else "read",
            "hours_ago": known[number].hours_ago if number in known else READ_AGO_H,
        }
        for key, number in ids.items()
    ]
    return tuple(sorted(rows, key=lambda row: float(str(row["hours_ago"]))))


def _offered(trial: Trial, search: str, without: set[int]) -> list[object]:
    """Recent headlines to pick from, those that hold the search words first looked for."""
    store = trial.site.store
    rows = trial.articles(list(store.article_ids(store.newest_keys(600)).values())).values()
    found = [one for one in rows if one.id not in without and search.casefold() in one.title.casefold()]
    return list(found[:OFFERED])


def _topics(written: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.strip() for one in written.split(",") if one.strip()))


def _free_key(name: str, taken: set[str]) -> str:
    stem = "".join(c if c.isalnum() else "-" for c in name.lower()).strip("-")[:40] or "persona"
    number = 2
    key = stem if stem != NEW else "persona"
    while key in taken:
        key, number = f"{stem}-{number}", number + 1
    return key
