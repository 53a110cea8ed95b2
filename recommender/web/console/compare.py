"""Two versions side by side: for one reader place by place, and over all made-up readers."""

from collections import Counter
from collections.abc import Mapping, Sequence

from fastapi import Request, Response

from data.errors import NotFound
from data.values import ArticleRow, WeightRow
from recommender.personas import Persona
from recommender.snapshot import SURFACES
from recommender.web.console.desk import Desk
from recommender.web.console.forms import Form
from recommender.web.console.page import page
from recommender.web.console.route import console_router
from recommender.web.console.trial import Trial, trial_of
from recommender.web.console.weights import Values, changed_words, live_values
from recommender.web.site import site_of
from recommender.whatif import Listing, listing, reach, under

router = console_router()
PLACES = 20
DRAFT = "draft"


@router.get("/compare")
def compare(request: Request) -> Response:
    """`?a=` and `?b=` are numbers of versions, or "draft" for the person's own."""
    site, form, trial = site_of(request), request.state.form, trial_of(request)
    surface = form.text("surface", "for_you")
    if surface not in SURFACES:
        raise NotFound(f"there is no surface {surface[:40]!r}; there are {', '.join(SURFACES)}")
    desk, versions = Desk.of(request, surface), site.store.weight_versions(surface)
    a, b = _chosen(desk, versions, form)
    subjects = trial.subjects(surface)
    lists = [[trial.tried(surface, one, v.weights, v.options) for one in subjects] for v in (a[1], b[1])]
    persona = trial.persona(form.text("persona")) if surface != "related" and subjects else None
    long = [_long(trial, surface, persona, one[1]) for one in (a, b)] if persona else []
    ids = [one for each in long for one in each.ids]
    return page(
        request,
        "console/compare.html",
        surface=surface,
        versions=versions,
        a=a,
        b=b,
        words=changed_words(a[1], b[1]),
        reach=reach(lists[0], lists[1]),
        reach_articles=trial.articles([one for each in (*lists[0], *lists[1]) for one in each.ids]),
        long=long,
        articles=trial.articles(ids),
        personas=trial.personas() if persona else (),
        persona=persona,
        sources=_mix(lists, trial.pinned().snapshot.sources),
        sections=_sections(lists, trial),
        has_draft=desk.draft is not None,
    )


def _chosen(desk: Desk, versions: Sequence[WeightRow], form: Form) -> tuple[tuple[str, Values], tuple[str, Values]]:
    """What is compared: by default the version before the live one with it, or live with the draft."""
    live = str(desk.live.version)
    before = str(versions[1].version) if len(versions) > 1 else live
    usual = (live, DRAFT) if desk.draft else (before, live)
    named = form.text("a") or usual[0], form.text("b") or usual[1]
    known = {str(one.version): one for one in versions} | {live: desk.live}
    found = []
    for name in named:
        if name == DRAFT:
            found.append((DRAFT, desk.values))
        elif name in known:
            found.append((name, live_values(desk.surface, known[name])))
        else:
            raise NotFound(f"there is no version {name[:20]!r}; the history lists those there are")
    return found[0], found[1]


def _long(trial: Trial, surface: str, persona: Persona, values: Values) -> Listing:
    pinned = trial.pinned()
    snapshot = under(pinned.snapshot, surface, values.weights, values.options)
    return listing(snapshot, surface, persona, at_us=pinned.at_us, top=PLACES)


def _mix(lists: Sequence[Sequence[Listing]], sources: Mapping[int, object]) -> list[tuple[str, int, int]]:
    """Places by source, before and after."""
    counts = [Counter(source for one in side for source in one.sources) for side in lists]
    names = {number: getattr(row, "name", "") for number, row in sources.items()}
    order = [one for one, _ in (counts[0] + counts[1]).most_common(10)]
    return [(names.get(one, "No source"), counts[0][one], counts[1][one]) for one in order]


def _sections(lists: Sequence[Sequence[Listing]], trial: Trial) -> list[tuple[str, int, int]]:
    """Places by section, before and after."""
    counts = []
    for side in lists:
        articles: Mapping[int, ArticleRow] = trial.articles([i for one in side for i in one.ids])
        counts.append(Counter(articles[i].category or "none" for one in side for i in one.ids if i in articles))
    order = [one for one, _ in (counts[0] + counts[1]).most_common(10)]
    return [(one, counts[0][one], counts[1][one]) for one in order]
