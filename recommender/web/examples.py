"""What the description shows beside the shapes: a meaning for each field that needs one, an example of each answer."""

from typing import Any

CARD: dict[str, Any] = {
    "article_id": "2026/03/harbour-bridge",
    "title": "Harbour bridge reopens after nine months",
    "source": {"id": "courier", "name": "The Courier", "icon_url": None},
    "published_at": "2026-03-01T06:30:00Z",
    "age": "3 hours ago",
    "excerpt": "Trams cross again from Monday; lorries have to wait until May.",
    "image_url": None,
    "url": "https://news.example/2026/03/harbour-bridge",
    "category": "city",
    "language": "en",
    "story_id": "4711",
    "story_size": 3,
    "why": "About transport, which you follow; reported by three outlets.",
    "score": None,
    "parts": None,
}
CHOICES: dict[str, Any] = {
    "id": "reader-17",
    "zone": "Europe/Prague",
    "language": "en",
    "push": True,
    "quiet_from": "22:00",
    "quiet_until": "06:30",
    "daily_cap": 4,
    "followed_topics": ["transport"],
    "muted_topics": [],
    "muted_sources": ["gossip-weekly"],
    "followed_stories": [],
    "muted_stories": [],
}
ANSWERS: dict[str, Any] = {
    "ArticlesAnswer": {
        "new": 1,
        "changed": 0,
        "same": 0,
        "rejected": [{"index": 1, "reason": "published_at: '2026-03-01T08:00' has no offset; add one"}],
    },
    "EventsAnswer": {"accepted": 1, "duplicate": 0, "rejected": []},
    "RelatedAnswer": {"served_id": "8f0c2c1e4b5a69788796a5b4c3d2e1f0", "fallback": None, "items": [CARD]},
    "ForYouAnswer": {"served_id": "8f0c2c1e4b5a69788796a5b4c3d2e1f0", "items": [CARD], "next": "AY8MLB5LWml4h5al..."},
    "ReaderAnswer": CHOICES,
    "Health": {"status": "ok"},
    "Problem": {
        "type": "/docs#problem-422",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "The query is not right: see errors.",
        "errors": [{"where": "limit", "message": "Input should be less than or equal to 100"}],
    },
}
_CHOICE = {
    "zone": "IANA name; alerts come at this local time",
    "language": "Of ages and reasons; articles in it come first",
    "push": "Whether alerts are wanted at all",
    "quiet_from": "Local time from which no alert comes, like 22:00",
    "quiet_until": "Local time until which no alert comes",
    "daily_cap": "Most alerts in 24 hours, 0 to 50",
    "followed_topics": "Topics or categories that lift an article",
    "muted_topics": "Topics or categories never shown",
    "muted_sources": "Ids of sources never shown",
    "followed_stories": "`story_id` of stories to be told more of",
    "muted_stories": "`story_id` of stories never shown",
}
MEANINGS: dict[str, dict[str, str]] = {
    "ReaderIn": _CHOICE,
    "ReaderPatch": {
        **_CHOICE,
        "add": "Entries to put into the lists",
        "remove": "Entries to take out of the lists, before `add`",
    },
    "ReaderLists": {
        name: meaning for name, meaning in _CHOICE.items() if name.endswith(("topics", "sources", "stories"))
    },
    "EventIn": {
        "id": "Of your making, unique: makes posting twice harmless",
        "reader": "One never seen becomes known by it",
        "article": "Any id the article was put under",
        "at": "When it happened on the device, RFC 3339 with an offset",
        "dwell_s": "Seconds on the article",
        "served_id": "Of the list it came from",
        "position": "Place in that list over all its pages, from 0",
        "surface": "Where the list was shown: `for_you`, `related`, or a name of yours",
        "delivery_id": "Of the alert it came from",
    },
    "ArticleIn": {
        "id": "The publisher's own string, 1 to 200 characters",
        "url": "Absolute http or https address",
        "published_at": "RFC 3339 with an offset",
        "summary": "Plain text or HTML",
        "topics": "Tags of the newsroom",
        "places": "Places the article is about",
        "language": "BCP 47, like en or de-AT; found from the text where it is left out",
        "news_value": "The desk's judgement, 1 to 5",
        "lifetime": "How long it stays worth reading: short, medium or long",
        "embargo_until": "Not shown before",
        "image_url": "Absolute http or https address",
    },
    "SourceIn": {"id": "Made from `name` where it is left out", "icon_url": "A small square picture"},
    "DeviceIn": {
        "token": "A registration token of the old kind, where the app has one",
        "is_test": "Gets test alerts",
    },
    "CardSource": {"icon_url": "A small square picture"},
}
