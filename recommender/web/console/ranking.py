"""The ranking page: weights tried on made-up readers, kept as a draft, published with a reason."""

from typing import Any

from fastapi import Request, Response

from data.clock import instant
from data.errors import Conflict, NotFound
from recommender.interest import name_of
from recommender.snapshot import SURFACES
from recommender.web.console.desk import Desk
from recommender.web.console.forms import Form, FormError
from recommender.web.console.page import fragment, go, page
from recommender.web.console.route import console_router
from recommender.web.console.trial import Trial, trial_of
from recommender.web.console.weights import Values, rebased, settings_of
from recommender.web.site import site_of
from recommender.whatif import Listing, Moved, Subject, gone, moves, shares

router = console_router()
HOME = "/console/ranking"


@router.get("/ranking")
def first() -> Response:
    """The tab that is asked for most."""
    return go(f"{HOME}/for_you")


@router.get("/ranking/{surface}")
def ranking(request: Request, surface: str) -> Response:
    """Weights, preview and reach of the values in the address, of the person's draft, or of the live version."""
    known(surface)
    site, form = site_of(request), request.state.form
    desk = Desk.of(request, surface)
    values, faults = desk.wanted(form)
    tried = values if not faults else desk.values
    return page(
        request,
        "console/ranking.html",
        status=422 if faults else 200,
        surface=surface,
        desk=desk,
        rows=settings_of(surface, desk.live, tried),
        typed=form.as_dict() if faults else {},
        faults=faults,
        interest=interest_under(request, surface, tried),
        others=[one for one in site.store.drafts(surface) if one.author != request.state.person.email],
        **_preview(request, surface, tried),
        **reach_under(request, surface, tried),
    )


@router.get("/ranking/{surface}/preview")
def preview(request: Request, surface: str) -> Response:
    """The list and the shares under the values in the address."""
    known(surface)
    desk = Desk.of(request, surface)
    values, faults = desk.wanted(request.state.form)
    tried = values if not faults else desk.values
    rows = settings_of(surface, desk.live, tried)
    found = _preview(request, surface, tried)
    return fragment(request, "console/preview.html", surface=surface, rows=rows, faults=faults, **found)


@router.get("/ranking/{surface}/reach")
def reach_of(request: Request, surface: str) -> Response:
    """What the values in the address do to all personas."""
    known(surface)
    desk = Desk.of(request, surface)
    values, faults = desk.wanted(request.state.form)
    tried = values if not faults else desk.values
    found = reach_under(request, surface, tried)
    return fragment(request, "console/reach.html", surface=surface, desk=desk, values=tried, **found)


@router.post("/ranking/{surface}/draft")
def save_draft(request: Request, surface: str) -> Response:
    """Keep the values as the person's draft; on to publishing where that was pressed."""
    known(surface)
    site, form = site_of(request), request.state.form
    desk = Desk.of(request, surface)
    values, faults = desk.wanted(form)
    if faults:
        name, message = next(iter(faults.items()))
        raise FormError(name, f"{name}: {message}")
    base = int(form.number("base", 0, 1e9, desk.base))
    site.store.save_draft(
        surface,
        request.state.person.email,
        base_version=base,
        weights=values.weights,
        options=values.options,
        now=site.clock.now(),
    )
    if form.text("then") == "publish":
        return go(f"{HOME}/{surface}/publish")
    return go(f"{HOME}/{surface}", "draft", **_subject_query(form))


@router.post("/ranking/{surface}/discard")
def discard(request: Request, surface: str) -> Response:
    """Forget the person's draft."""
    known(surface)
    site_of(request).store.discard_draft(surface, request.state.person.email)
    return go(f"{HOME}/{surface}", "discarded")


@router.post("/ranking/{surface}/rebase")
def rebase(request: Request, surface: str) -> Response:
    """Put the person's own changes on top of what went live meanwhile."""
    known(surface)
    site, person = site_of(request), request.state.person
    draft, live = site.store.draft(surface, person.email), site.store.live_weights(surface)
    if draft is None or live is None:
        raise Conflict("There is no draft any more; change the live weights anew.")
    base = site.store.weight_version(surface, draft.base_version)
    values = rebased(base, Values(draft.weights, draft.options), live)
    site.store.save_draft(
        surface,
        person.email,
        base_version=live.version,
        weights=values.weights,
        options=values.options,
        now=site.clock.now(),
    )
    return go(f"{HOME}/{surface}", "rebased")


@router.post("/ranking/{surface}/take")
def take(request: Request, surface: str) -> Response:
    """Make a copy of somebody else's draft one's own: how a lead publishes what an editor may not."""
    known(surface)
    site, form = site_of(request), request.state.form
    theirs = site.store.draft(surface, form.required("author", "whose draft", longest=200))
    if theirs is None:
        raise Conflict("That draft was published or discarded meanwhile.")
    site.store.save_draft(
        surface,
        request.state.person.email,
        base_version=theirs.base_version,
        weights=theirs.weights,
        options=theirs.options,
        now=site.clock.now(),
    )
    return go(f"{HOME}/{surface}", "taken")


def _preview(request: Request, surface: str, values: Values) -> dict[str, object]:
    """The list of one persona, or beside one article, under the values."""
    trial, form = trial_of(request), request.state.form
    subject, choices, chosen = _subject(trial, surface, form)
    if subject is None:
        return {"moved": (), "left": (), "articles": {}, "choices": (), "chosen": "", "shares": {}, "most": 1.0}
    before = trial.live(surface, subject)
    after = trial.tried(surface, subject, values.weights, values.options)
    moved, left = moves(before, after), gone(before, after)
    return {
        "moved": moved,
        "left": left,
        "articles": trial.articles([*after.ids, *left]),
        "choices": choices,
        "chosen": chosen,
        "shares": shares([after]),
        "most": _most(before, moved),
    }


def _most(before: Listing, moved: tuple[Moved, ...]) -> float:
    """The greatest score of both lists: the width of the bars."""
    return max([line.score for line in before.lines] + [one.line.score for one in moved] + [1e-9])


def _subject(trial: Trial, surface: str, form: Form) -> tuple[Subject | None, list[tuple[str, str]], str]:
    """On whom the preview is tried, and the choices."""
    if surface != "related":
        personas = trial.personas()
        if not personas:
            return None, [], ""
        chosen = trial.persona(form.text("persona"))
        return chosen, [(one.key, f"{one.name}: {one.about}") for one in personas], chosen.key
    subjects = [one for one in trial.subjects(surface) if isinstance(one, int)]
    if not subjects:
        return None, [], ""
    articles = trial.articles(subjects)
    choices = [(str(one), articles[one].title) for one in subjects if one in articles]
    wanted = form.text("beside")
    one = int(wanted) if wanted.isdecimal() and int(wanted) in subjects else subjects[0]
    return one, choices, str(one)


def _subject_query(form: Form) -> dict[str, str]:
    return {name: form.text(name) for name in ("persona", "beside") if form.text(name)}


def reach_under(request: Request, surface: str, values: Values) -> dict[str, Any]:
    """What values do to all on whom the surface is tried, and the articles that come and go."""
    trial = trial_of(request)
    found = trial.reach(surface, values.weights, values.options)
    ids = [one for one, _ in (*found.entered, *found.left)]
    return {"reach": found, "reach_articles": trial.articles(ids)}


def interest_under(request: Request, surface: str, values: Values) -> dict[str, Any] | None:
    """What is told of the click model that values name: None where they name none or give it no weight."""
    number = int(values.options.get("interest_model", 0))
    if surface != "for_you" or not number or not values.weights.get("interest"):
        return None
    model = site_of(request).service.snapshot.models.get(number)
    if model is None:
        return {"name": name_of(number), "is_here": False}
    gain = sorted(model.gain.items(), key=lambda one: -one[1])
    days = [instant(int(model.told[name])) if name in model.told else None for name in ("from_us", "until_us")]
    return {"name": name_of(number), "is_here": True, "gain": gain, "days": days, "told": model.told}


def known(surface: str) -> None:
    """NotFound unless there is such a surface."""
    if surface not in SURFACES:
        raise NotFound(f"there is no surface {surface[:40]!r}; there are {', '.join(SURFACES)}")
