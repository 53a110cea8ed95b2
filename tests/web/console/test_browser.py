"""The console in a real Chromium: every page fits and is accessible; each main task by keyboard and without scripts."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser
PAGES = (
    "/console",
    "/console/stories",
    "/console/stories/evil-1",
    "/console/ranking/for_you?freshness=0.05",
    "/console/ranking/related",
    "/console/ranking/push",
    "/console/ranking/for_you?freshness=lots",
    "/console/ranking/for_you/publish",
    "/console/push",
    "/console/push/new?article=evil-1",
    "/console/push/alerts/1",
    "/console/push/morning-digest/policy",
    "/console/policy",
    "/console/replay",
    "/console/replay/1",
    "/console/experiments",
    "/console/experiments?size=1&name=x",
    "/console/experiments/1",
    "/console/rules",
    "/console/rules/new?kind=pin&target=article&target_key=evil-1",
    "/console/history",
    "/console/compare",
    "/console/why?article=evil-1&persona=persona-01",
    "/console/why",
    "/console/personas",
    "/console/personas/persona-04",
    "/console/personas/new",
    "/console/system",
    "/console/patterns",
)
Open = Callable[..., Any]


@pytest.fixture
def look(browser: Browser, shared_room: Any, hostile: str) -> Open:
    """Opens pages signed in; at the end no page may have complained or asked anybody but this server."""

    @contextmanager
    def opened(role: str | None = "operator", *, may_fail: bool = False, **options: Any) -> Iterator[Page]:
        context = browser.new_context(base_url=shared_room.url, **options)
        if role:
            cookie = {"name": "newsbell_session", "value": shared_room.token(role), "url": f"{shared_room.url}/console"}
            context.add_cookies([cookie])
        page, complaints, asked = context.new_page(), [], []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog {dialog.message}"))
        page.on("request", lambda request: asked.append(request.url))
        yield page
        context.close()
        if may_fail:  # Chromium reports a page with an error status
            complaints = [one for one in complaints if "status of 4" not in one]
        assert complaints == []
        assert [url for url in asked if not url.startswith(shared_room.url)] == []

    if not shared_room.store.changes(limit=1, search="wrote"):
        fields = {"article": "evil-1", "title": hostile[:65], "body": hostile, "audience": "everyone"}
        client = shared_room.client("operator")
        client.post("/console/push/new", data=fields)
        client.post("/console/stories/evil-1/reach", data={"share": "60", "hours": "6", "reason": hostile})
        client.post("/console/replay", data={"of": "1", "hours": "24"})
        client.post("/console/ranking/for_you/draft", data={"freshness": "0.4"})
        tried = {"name": hostile[:100], "tried": "draft", "against": "0", "percent": "10", "days": "7"}
        client.post("/console/experiments", data=tried | {"kind": "split", "metric": "opens", "reason": hostile})
        assert shared_room.store.experiments()
        shared_room.app.framework.state.replay_worker.wait()
    return opened


@pytest.mark.parametrize(("scheme", "width", "other"), [("light", 1280, 320), ("dark", 320, 1280)])
def test_every_page_is_accessible_fits_and_complains_of_nothing(
    look: Open, scheme: str, width: int, other: int
) -> None:
    """Each scheme and each width is judged once, for neither depends on the other; every page fits both widths."""
    with look(color_scheme=scheme, viewport={"width": width, "height": 800}, may_fail=True) as page:
        for path in PAGES:
            page.goto(path)
            page.evaluate(
                "for (const one of [...document.querySelectorAll('main details')].slice(0, 4)) one.open = true"
            )
            found = Axe().run(page)
            assert found.violations_count == 0, path + found.generate_report()
            for fitting in (width, other, width):
                page.set_viewport_size({"width": fitting, "height": 800})
                assert page.evaluate("document.documentElement.scrollWidth") <= fitting, path
            assert page.locator("h1").count() == 1
            assert page.locator("script:not([src])").count() == 0


def test_sign_in_is_accessible_and_leads_on(look: Open, password: str) -> None:
    with look(None, may_fail=True) as page:
        page.goto("/console/rules")
        assert Axe().run(page).violations_count == 0
        page.keyboard.type("viewer@herald.example")
        page.keyboard.press("Tab")
        page.keyboard.type("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("do not match")
        assert page.title().startswith("Error:")
        expect(page.locator("#email")).to_have_value("viewer@herald.example")
        page.keyboard.type(password)
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Rules")


def test_a_key_on_a_slider_changes_the_preview_and_keeps_the_focus(look: Open) -> None:
    with look("editor") as page:
        page.goto("/console/ranking/for_you")
        before = page.locator("#preview .headline").all_inner_texts()
        tab_to(page, "input[data-of=freshness]")
        page.keyboard.press("Home")
        expect(page.locator("#moved-status")).to_contain_text("new in the first")
        expect(page.locator("#freshness")).to_have_value("0.00")
        assert page.evaluate("document.activeElement.dataset.of") == "freshness"
        assert page.locator("#preview .headline").all_inner_texts() != before
        expect(page.locator("#share-freshness")).to_have_text(re.compile(r"^0\s%"))
        expect(page.locator("#bar-reach")).to_contain_text("Changes")
        page.locator("#freshness").fill("0.22")
        expect(page.locator("#moved-status")).to_contain_text("0 new in the first")
        assert page.evaluate("document.activeElement.id") == "freshness"


def test_the_keyboard_publishes_and_undoes(look: Open, shared_room: Any) -> None:
    with look("lead") as page:
        page.goto("/console/ranking/related")
        version = shared_room.store.live_weights("related").version
        tab_to(page, "input[data-of=freshness]")
        page.keyboard.press("ArrowRight")
        tab_to(page, "button[value=publish]", most=150)
        page.keyboard.press("Enter")
        expect(page.locator(".words")).to_contain_text("Freshness 0.12 → 0.13")
        tab_to(page, "#reason")
        page.keyboard.type("a little newer")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").first).to_contain_text("Published.")
        assert shared_room.store.live_weights("related").version == version + 1
        tab_to(page, ".bottom button", most=200)
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").first).to_contain_text("Restored")
        assert shared_room.store.live_weights("related").weights["freshness"] == 0.12


def test_the_keyboard_judges_and_pins_a_story(look: Open, shared_room: Any) -> None:
    with look("editor") as page:
        page.goto("/console/stories?show=big")
        tab_to(page, ".values input")
        page.keyboard.press("ArrowRight")
        expect(page.locator("#status")).to_contain_text("Saved:")
        tab_to(page, ".menu summary")
        page.keyboard.press("Enter")
        tab_to(page, ".menu a")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_contain_text("Pin")
        tab_to(page, "#reason")
        page.keyboard.type("by keyboard")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_have_text("Rule added.")
        assert shared_room.store.rules(shared_room.now)[-1].reason == "by keyboard"


def test_the_keyboard_writes_an_alert_tests_it_and_throws_it_away(look: Open) -> None:
    with look("push_editor") as page:
        page.goto("/console/push/new?article=evil-1")
        tab_to(page, "#title")
        page.keyboard.press("Control+A")
        page.keyboard.type("Bridge closed")
        expect(page.locator("#title-count")).to_have_text("13")
        expect(page.locator(".ios.dark .t")).to_have_text("Bridge closed")
        tab_to(page, "#reason")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").first).to_contain_text("Nothing is sent")
        tab_to(page, "form[action$='/test'] button")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").first).to_contain_text("Test on its way")
        tab_to(page, "form[action$='/cancel'] button")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").first).to_contain_text("Cancelled")


def test_the_keyboard_sets_a_reach_target_and_stops_it(look: Open, shared_room: Any) -> None:
    article = shared_room.newest(30)
    with look("editor") as page:
        page.goto(f"/console/stories/{article}")
        tab_to(page, "section[aria-labelledby=aim] summary")
        page.keyboard.press("Enter")
        tab_to(page, "#share")
        page.keyboard.press("Control+A")
        page.keyboard.type("40")
        tab_to(page, "#aim-reason")
        page.keyboard.type("by keyboard")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").first).to_contain_text("Reach target set")
        assert [one.share for one in shared_room.store.open_targets() if one.reason == "by keyboard"] == [0.4]
        tab_to(page, "form[action$='/stop'] button")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").first).to_contain_text("Reach target stopped")


def test_the_keyboard_turns_a_limit_and_replays_a_version(look: Open, shared_room: Any) -> None:
    with look("lead") as page:
        page.goto("/console/policy")
        tab_to(page, "input[data-of=personal_cap]")
        page.keyboard.press("ArrowLeft")
        expect(page.locator("#personal_cap")).to_have_value("3")
        tab_to(page, "form.dials button:not([name])")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").first).to_contain_text("Draft saved")
        tab_to(page, "form[action$='/policy/discard'] button", most=200)
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").first).to_contain_text("discarded")
        page.goto("/console/replay")
        tab_to(page, "form[action='/console/replay'] button")
        page.keyboard.press("Enter")
        page.wait_for_url("**/console/replay/*")
        shared_room.app.framework.state.replay_worker.wait()
        expect(page.locator("table.replayed")).to_contain_text("nDCG@10", timeout=20_000)


def test_another_story_brings_its_words_unless_one_wrote_others(look: Open) -> None:
    with look("push_editor") as page:
        page.goto("/console/push/new?article=evil-1")
        page.locator("#article").select_option(index=4)
        fresh = page.locator("#article option").nth(4).get_attribute("data-title")
        expect(page.locator("#title")).to_have_value(str(fresh))
        expect(page.locator(".ios.dark .t")).to_have_text(str(fresh))
        page.locator("#title").fill("My own words")
        page.locator("#article").select_option(index=5)
        expect(page.locator("#title")).to_have_value("My own words")


def test_the_keyboard_asks_why_and_finds_a_change(look: Open) -> None:
    with look("viewer") as page:
        page.goto("/console/personas/persona-02")
        tab_to(page, ".listing .why")
        page.keyboard.press("Enter")
        expect(page.locator(".lede")).to_contain_text("Number 1.")
        page.goto("/console/stories/evil-1")
        page.get_by_role("link", name="Why is it where it is?").click()
        expect(page.locator(".lede")).to_contain_text("umber")
        page.goto("/console/history")
        tab_to(page, "#q")
        page.keyboard.type("published")
        page.keyboard.press("Enter")
        expect(page.locator("tbody")).to_contain_text("published weights")


def test_every_change_works_without_scripts(look: Open, shared_room: Any) -> None:
    with look("lead", java_script_enabled=False, viewport={"width": 360, "height": 800}) as page:
        page.goto("/console/ranking/push")
        page.get_by_role("textbox", name="Freshness").fill("0.17")
        page.get_by_role("button", name="Preview").click()
        assert "freshness=0.17" in page.url
        page.get_by_role("button", name="Save draft").click()
        assert "Draft saved" in page.inner_text("[role=status]")
        page.get_by_role("button", name="Discard").click()
        assert shared_room.store.draft("push", "lead@herald.example") is None
        page.goto("/console/stories/evil-1")
        page.locator(".values input").nth(4).check(force=True)
        page.get_by_role("button", name="Save").click()
        assert shared_room.store.article("evil-1").news_value == 5
        page.goto("/console")
        page.get_by_label("Reason").fill("no scripts here")
        page.get_by_role("button", name="Pause all push").click()
        page.get_by_role("button", name="Resume push").click()
        assert "Push is on again" in page.inner_text("[role=status]")
        page.goto("/console/push/new?article=evil-1")
        page.get_by_label("Title").fill("Without scripts")
        page.get_by_role("button", name="Preview").click()
        assert page.locator(".phone .t").first.inner_text() == "Without scripts"
        page.get_by_role("button", name="Save, send nothing yet").click()
        assert page.inner_text("h1") == "Without scripts"
        page.goto(f"/console/stories/{shared_room.newest(31)}")
        page.locator("section[aria-labelledby=aim] summary").click()
        page.locator("#aim-reason").fill("without scripts")
        page.get_by_role("button", name="Set the reach target").click()
        page.get_by_role("button", name="Stop the reach target").click()
        assert "Reach target stopped" in page.inner_text("[role=status]")
        page.goto("/console/policy")
        page.get_by_label("Personal alerts in 24 hours").and_(page.get_by_role("textbox")).fill("2")
        page.get_by_role("button", name="Save draft").click()
        page.get_by_role("button", name="Discard the draft").click()
        assert "Draft discarded" in page.inner_text("[role=status]")
        page.goto("/console/replay")
        page.get_by_role("button", name="Replay against live").click()
        shared_room.app.framework.state.replay_worker.wait()
        page.reload()
        assert "nDCG@10" in page.inner_text("table.replayed")
        page.get_by_role("button", name="Sign out").click()
        assert page.url.endswith("/console/sign-in?said=signed-out")


def test_a_wrong_number_moves_the_focus_to_the_summary(look: Open) -> None:
    with look("editor", may_fail=True) as page:
        page.goto("/console/ranking/for_you?freshness=lots")
        expect(page.locator("#faults")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#freshness")).to_be_focused()


def test_the_keyboard_starts_and_stops_an_experiment(look: Open, shared_room: Any) -> None:
    with look("lead") as page:
        page.goto("/console/history")
        tab_to(page, "a[href='/console/experiments']")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Experiments")
        tab_to(page, "#name")
        page.keyboard.type("by keyboard")
        tab_to(page, "#against")
        page.keyboard.press("End")  # the oldest version
        tab_to(page, "#reason")
        page.keyboard.type("is it the same?")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").first).to_contain_text("Started.")
        expect(page.locator("h1")).to_have_text("by keyboard")
        tab_to(page, "#reason")
        page.keyboard.type("it is")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").first).to_contain_text("Stopped.")
        assert shared_room.store.experiment("by keyboard").state == "stopped"


def test_without_scripts_an_experiment_is_sized_started_and_stopped(look: Open, shared_room: Any) -> None:
    with look("lead", java_script_enabled=False, viewport={"width": 320, "height": 800}) as page:
        page.goto("/console/experiments")
        page.get_by_label("Name").fill("no scripts")
        page.get_by_label("Percent of readers").fill("5")
        page.get_by_role("button", name="How many readers").click()
        assert "readers" in page.inner_text("#size")
        assert page.get_by_label("Name").input_value() == "no scripts"
        page.get_by_label("Version to try").select_option("2")
        page.get_by_label("Against").select_option("1")
        page.get_by_label("What is to be found out").fill("plain forms")
        page.get_by_role("button", name="Start the experiment").click()
        assert "Started." in page.inner_text("[role=status]")
        page.get_by_label("Reason").fill("done")
        page.get_by_role("button", name="Stop the experiment").click()
        assert shared_room.store.experiment("no scripts").state == "stopped"


def tab_to(page: Page, selector: str, most: int = 120) -> None:
    """Press Tab until an element of `selector` has the focus, which must be visible and not covered."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("selector => !!document.activeElement?.matches(selector)", selector):
            assert page.evaluate(SEEN)
            return
    pytest.fail(f"{selector} cannot be reached by the keyboard")


SEEN = """() => {
  const one = document.activeElement, box = one.getBoundingClientRect();
  const shows = [one, one.nextElementSibling].some((part) => part && getComputedStyle(part).outlineStyle !== "none");
  const top = document.elementFromPoint(box.x + box.width / 2, box.y + Math.min(box.height, 12) / 2);
  return shows && (!top || one.contains(top) || top.contains(one) || one.parentElement.contains(top));
}"""
