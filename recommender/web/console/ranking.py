"""The ranking page: weights tried on made-up readers, kept as a draft, published with a reason."""

from datetime import datetime
from itertools import pairwise
from typing import Any

from fastapi import Request, Response

from data.errors import Conflict, NotFound
from data.values import WeightRow
from recommender.snapshot import SURFACES
from recommender.web.console import access
from recommender.web.console.forms import Form, FormError
from recommender.web.console.page import fragment, go, page
from recommender.web.console.route import console_router
from recommender.web.console.say import differences
from recommender.web.console.trial import Trial, trial_of
from recommender.web.console.weights import Values, changed_words, live_values, rebased, settings_of
from recommender.web.site import Site, site_of
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
    _known(surface)
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
        others=[one for one in site.store.drafts(surface) if one.author != request.state.person.email],
        **_preview(request, surface, tried),
        **_reach(request, surface, tried),
    )


@router.get("/ranking/{surface}/preview")
def preview(request: Request, surface: str) -> Response:
    """The list and the shares under the values in the address."""
    _known(surface)
    desk = Desk.of(request, surface)
    values, faults = desk.wanted(request.state.form)
    tried = values if not faults else desk.values
    rows = settings_of(surface, desk.live, tried)
    found = _preview(request, surface, tried)
    return fragment(request, "console/preview.html", surface=surface, rows=rows, faults=faults, **found)


@router.get("/ranking/{surface}/reach")
def reach_of(request: Request, surface: str) -> Response:
    """What the values in the address do to all personas."""
    _known(surface)
    desk = Desk.of(request, surface)
    values, faults = desk.wanted(request.state.form)
    tried = values if not faults else desk.values
    found = _reach(request, surface, tried)
    return fragment(request, "console/reach.html", surface=surface, desk=desk, values=tried, **found)


@router.post("/ranking/{surface}/draft")
def save_draft(request: Request, surface: str) -> Response:
    """Keep the values as the person's draft; on to publishing where that was pressed."""
    _known(surface)
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
    _known(surface)
    site_of(request).store.discard_draft(surface, request.state.person.email)
    return go(f"{HOME}/{surface}", "discarded")


@router.post("/ranking/{surface}/rebase")
def rebase(request: Request, surface: str) -> Response:
    """Put the person's own changes on top of what went live meanwhile."""
    _known(surface)
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
    _known(surface)
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


@router.get("/ranking/{surface}/publish")
def publish_page(request: Request, surface: str) -> Response:
    """The draft in words, its reach and guardrails, and a field for the reason."""
    _known(surface)
    return _publish_page(request, surface, {})


@router.post("/ranking/{surface}/publish")
def publish(request: Request, surface: str) -> Response:
    """Make the draft live now or at a time; a broken guardrail needs a lead."""
    _known(surface)
    site, form, person = site_of(request), request.state.form, request.state.person
    desk, now = Desk.of(request, surface), site.clock.now()
    try:
        reason = form.required("reason", "a reason: it stands in the history", longest=500)
        at = form.time("publish_at", now, site.settings.zone) if form.text("publish_at") else None
    except FormError as error:
        return _publish_page(request, surface, {error.name: str(error)})
    found = _reach(request, surface, desk.values)["reach"]
    if not found.is_safe:
        access.check(person, "lead")
    if at:
        site.store.schedule_draft(surface, person.email, publish_at=at, reason=reason, now=now)
        return go(f"{HOME}/{surface}", "scheduled")
    site.store.publish_draft(surface, person.email, reason=reason, now=now)
    site.service.refresh()
    return go(f"{HOME}/{surface}", "published")


def _publish_page(request: Request, surface: str, faults: dict[str, str]) -> Response:
    desk = Desk.of(request, surface)
    return page(
        request,
        "console/publish.html",
        status=422 if faults else 200,
        surface=surface,
        desk=desk,
        faults=faults,
        typed=request.state.form.as_dict(),
        **_reach(request, surface, desk.values),
    )


class Desk:
    """A person at the weights of a surface: what is live, what the draft says, what happened meanwhile."""

    def __init__(self, site: Site, surface: str, email: str) -> None:
        self.site, self.surface = site, surface
        self.live = site.store.live_weights(surface) or WeightRow(surface, 0, *_builtin(surface))
        self.draft = site.store.draft(surface, email)
        self.base = self.draft.base_version if self.draft else self.live.version
        current = live_values(surface, self.live)
        self.values = current.over(self.draft.weights, self.draft.options) if self.draft else current
        self.current = current

    @classmethod
    def of(cls, request: Request, surface: str) -> "Desk":
        """The desk of who is signed in."""
        return cls(site_of(request), surface, request.state.person.email)

    def wanted(self, form: Form) -> tuple[Values, dict[str, str]]:
        """The values in the form on top of the draft or the live ones, and what is wrong with them."""
        return self.values.read(form)

    @property
    def changes(self) -> list[str]:
        """The draft against the live version, in words."""
        return changed_words(self.current, self.values)

    @property
    def is_behind(self) -> bool:
        """Whether another version went live since the draft began."""
        return self.base != self.live.version

    @property
    def meanwhile(self) -> list[tuple[int, str, datetime | None, list[str]]]:
        """The versions that went live since: number, author, when, what changed."""
        rows = [one for one in self.site.store.weight_versions(self.surface) if one.version >= self.base]
        pairs = pairwise(rows)
        return [
            (new.version, new.author, new.created_at, differences(old.weights | old.options, new.weights | new.options))
            for new, old in pairs
        ]


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


def _reach(request: Request, surface: str, values: Values) -> dict[str, Any]:
    trial = trial_of(request)
    found = trial.reach(surface, values.weights, values.options)
    ids = [one for one, _ in (*found.entered, *found.left)]
    return {"reach": found, "reach_articles": trial.articles(ids)}


def _known(surface: str) -> None:
    if surface not in SURFACES:
        raise NotFound(f"there is no surface {surface[:40]!r}; there are {', '.join(SURFACES)}")


def _builtin(surface: str) -> tuple[dict[str, float], dict[str, float]]:
    from recommender.snapshot import OPTIONS, WEIGHTS

    return dict(WEIGHTS[surface]), {name: float(value) for name, value in vars(OPTIONS[surface]).items()}
