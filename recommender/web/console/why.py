"""Why an article is on a list, or is not: a sentence, the numbers, everything that was looked at."""

import msgspec
from fastapi import Request, Response

from data.clock import micros
from recommender.explain import Asked, TitlesOf, explain
from recommender.for_you import Ask
from recommender.personas import Persona
from recommender.shelf import Shelf
from recommender.web.console import access
from recommender.web.console.forms import Form
from recommender.web.console.page import page
from recommender.web.console.route import console_router
from recommender.web.console.trial import trial_of
from recommender.web.site import Site, site_of
from recommender.why import Explanation

router = console_router()
REAL_READERS = "lead"  # who may look at a real reader; every look is noted
PLACES = 20


@router.get("/why")
def why(request: Request) -> Response:
    """The explanation of `?article=` for `?persona=` or `?reader=`; without an article, a form."""
    form, trial = request.state.form, trial_of(request)
    found = explained(request, form) if form.text("article") else None
    newest = trial.articles(_newest(trial.site))
    return page(
        request,
        "console/why.html",
        found=found,
        article=trial.site.store.article(form.text("article")) if found else None,
        personas=trial.personas(),
        form=form,
        newest=list(newest.values()),
        query=request.url.query,
    )


@router.get("/why.json")
def why_json(request: Request) -> Response:
    """The same as numbers."""
    body = msgspec.json.encode(explained(request, request.state.form))
    return Response(body, media_type="application/json")


def explained(request: Request, form: Form) -> Explanation:
    """Ask for a persona, or for a real reader, which is noted in the audit log."""
    site, article = site_of(request), form.required("article", "an article")
    if reader := form.text("reader"):
        person = request.state.person
        access.check(person, REAL_READERS)
        site.store.note(person.email, "looked at reader", reader, now=site.clock.now(), why=f"why {article}")
        return site.service.why(reader, article, limit=PLACES)
    persona = trial_of(request).persona(form.text("persona"))
    return of_persona(site, persona, article)


def of_persona(site: Site, persona: Persona, article: str) -> Explanation:
    """The explanation for a made-up reader."""
    at_us = micros(site.clock.now())
    ask = Ask(limit=PLACES, window_h=site.settings.window_days * 24)
    asked = Asked(persona.name, site.store.article(article), at_us, ask, persona.language)
    return explain(site.service.snapshot, persona.view(at_us), asked, _Titles(Shelf(site.store)))


class _Titles(TitlesOf):
    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def __call__(self, ids: list[int]) -> dict[int, tuple[str, str]]:
        return {number: (one.key, one.title) for number, one in self.shelf.articles(ids).items()}


def _newest(site: Site) -> list[int]:
    return list(site.store.article_ids(site.store.newest_keys(100)).values())
