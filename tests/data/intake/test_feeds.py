from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from data.errors import InvalidInput
from data.intake.items import ARRIVAL, FeedReport, Origin, Rejected
from data.intake.read import read_bytes
from data.wire import ArticleIn

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DATE = "<pubDate>Sun, 01 Mar 2026 08:00:00 +0100</pubDate>"


def read(
    data: str | bytes, url: str | None = "https://feeds.example/rss", content_type: str | None = None
) -> tuple[list[ArticleIn | Rejected], FeedReport]:
    raw = data.encode() if isinstance(data, str) else data
    reading = read_bytes(raw, Origin("the feed", NOW, url, content_type))
    return list(reading), reading.report


def rss(*items: str, head: str = "") -> str:
    inside = "".join(f"<item>{item}</item>" for item in items)
    return f"<rss version='2.0'><channel><title>The Herald</title><link>https://www.herald.example/</link>{head}{inside}</channel></rss>"


def one(*items: str, head: str = "") -> ArticleIn:
    found, _ = read(rss(*items, head=head))
    assert isinstance(found[0], ArticleIn), found[0]
    return found[0]


def refusals(data: str | bytes) -> list[str]:
    return [item.reason for item in read(data)[0] if isinstance(item, Rejected)]


LINK = "<link>https://www.herald.example/a</link>"


def test_an_rss_item_becomes_an_article() -> None:
    article = one(
        f"""<title>Bread &amp;amp; roses</title>{LINK}<guid isPermaLink="false">77</guid>{DATE}
        <description>&lt;p&gt;Short &lt;b&gt;one&lt;/b&gt;&lt;/p&gt;</description>
        <content:encoded xmlns:content="http://purl.org/rss/1.0/modules/content/">
        <![CDATA[<p>Long</p><script>x()</script>
        <img src="/p.jpg"/>]]></content:encoded>
        <category>Food</category><category>Paris</category><category>Food</category>
        <author>desk@herald.example (Ada Byron)</author>""",
        head="<language>en_GB</language>",
    )
    assert article.title == "Bread & roses"
    assert article.url == "https://www.herald.example/a"
    assert article.published_at == datetime(2026, 3, 1, 7, tzinfo=UTC)
    assert (article.summary, article.body) == ("Short one", "Long")
    assert (article.category, article.topics) == ("Food", ["Food", "Paris"])
    assert article.author == "Ada Byron"
    assert article.language == "en-GB"
    assert article.image_url == "https://www.herald.example/p.jpg"
    assert article.source is not None
    assert (article.source.id, article.source.name) == ("herald.example", "The Herald")
    assert article.id.startswith("feeds.example~")
    assert article.id.endswith(":77")


def test_an_atom_entry_becomes_an_article_with_its_update() -> None:
    found, report = read(
        """<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://blog.example/x/"><title>Blog</title>
        <link href="https://blog.example/"/><entry><id>tag:blog.example,2026:1</id><title type="text">1 &lt; 2</title>
        <link rel="alternate" href="posts/1"/><published>2026-03-01T08:00:00Z</published>
        <updated>2026-03-01T09:00:00Z</updated>
        <author><name>Ada</name></author><author><name>Bob</name></author>
        <content type="xhtml">
        <div xmlns="http://www.w3.org/1999/xhtml"><p>Hello <em>there</em></p></div></content></entry></feed>"""
    )
    article = found[0]
    assert isinstance(article, ArticleIn)
    assert (article.id, article.url, article.title) == (
        "tag:blog.example,2026:1",
        "https://blog.example/x/posts/1",
        "1 < 2",
    )
    assert article.updated_at == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert article.author == "Ada, Bob"
    assert article.body == "Hello there"
    assert (report.kind, report.title, report.accepted) == ("Atom 1.0", "Blog", 1)


def test_rdf_takes_its_date_from_dublin_core() -> None:
    found, report = read(
        """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
        <channel rdf:about="https://r.example/"><title>R</title><link>https://r.example/</link></channel>
        <item rdf:about="https://r.example/1"><title>One</title><link>https://r.example/1</link><dc:date>2026-02-03T04:05:06+09:00</dc:date></item></rdf:RDF>"""
    )
    assert isinstance(found[0], ArticleIn)
    assert found[0].published_at == datetime(2026, 2, 2, 19, 5, 6, tzinfo=UTC)
    assert report.kind == "RSS 1.0"


def test_guids_that_are_not_global_do_not_collide_between_feeds() -> None:
    item = f"<title>T</title>{LINK}<guid isPermaLink='false'>1</guid>{DATE}"
    first, _ = read(rss(item), "https://a.example/rss")
    second, _ = read(rss(item), "https://b.example/rss")
    again, _ = read(rss(item), "http://a.example/rss/?utm_source=x")
    ids = [found[0].id for found in (first, second, again) if isinstance(found[0], ArticleIn)]
    assert ids[0] != ids[1]
    assert ids[0] == ids[2]


@pytest.mark.parametrize(
    "guid", ["https://herald.example/?p=1", "urn:uuid:60a76c80-d399-11d9-b93C-0003939e0af6", "tag:x,2026:1"]
)
def test_guids_that_are_global_stay_as_they_are(guid: str) -> None:
    assert one(f"<title>T</title>{LINK}<guid isPermaLink='false'>{guid}</guid>{DATE}").id == guid


def test_without_a_guid_the_canonical_address_is_the_id() -> None:
    assert (
        one(f"<title>T</title><link>http://herald.example/a/?utm_source=rss</link>{DATE}").id
        == "https://herald.example/a"
    )


def test_an_id_over_200_characters_is_replaced_by_its_hash() -> None:
    item = f"<title>T</title>{LINK}<guid isPermaLink='false'>{'x' * 500}</guid>{DATE}"
    assert one(item).id.startswith("sha256:")
    assert one(item).id == one(item).id


def test_one_guid_on_different_links_does_not_merge_articles() -> None:
    items = [f"<title>{n}</title><link>https://h.example/{n}</link><guid>https://h.example/</guid>{DATE}" for n in "ab"]
    found, report = read(rss(*items))
    assert [item.id for item in found if isinstance(item, ArticleIn)] == ["https://h.example/a", "https://h.example/b"]
    assert any("one guid" in warning for warning in report.warnings)


def test_different_items_on_one_page_keep_the_first_and_say_so() -> None:
    items = [f"<title>{n}</title>{LINK}<guid isPermaLink='false'>{n}</guid>{DATE}" for n in "ab"]
    found, _ = read(rss(*items))
    assert isinstance(found[0], ArticleIn)
    assert isinstance(found[1], Rejected)
    assert "earlier item" in found[1].reason


def test_a_permalink_guid_stands_in_for_a_missing_link() -> None:
    assert one(f"<title>T</title><guid>https://herald.example/p/1</guid>{DATE}").url == "https://herald.example/p/1"


def test_relative_links_are_resolved_against_the_feed() -> None:
    assert one(f"<title>T</title><link>/a/1</link>{DATE}").url == "https://feeds.example/a/1"


@pytest.mark.parametrize(
    "link",
    ["", "<link>javascript:alert(1)</link>", "<link>mailto:a@b.example</link>", "<guid isPermaLink='false'>7</guid>"],
)
def test_an_item_without_a_usable_link_is_rejected(link: str) -> None:
    assert refusals(rss(f"<title>T</title>{link}{DATE}")) == ["no link: neither a link nor a guid that is an address"]


def test_the_first_words_stand_in_for_a_missing_title() -> None:
    found, report = read(rss(f"{LINK}{DATE}<description>{'word ' * 60}</description>"))
    assert isinstance(found[0], ArticleIn)
    assert found[0].title.startswith("word word")
    assert found[0].title.endswith("…")
    assert len(found[0].title) <= 80
    assert report.warnings["no title: the first words of its text stand in"] == 1


def test_an_item_without_title_and_text_is_rejected_and_the_rest_goes_in() -> None:
    found, report = read(rss(f"{LINK}{DATE}", f"<title>Good</title><link>https://h.example/b</link>{DATE}"))
    assert isinstance(found[0], Rejected)
    assert found[0].reason == "no title and no text"
    assert isinstance(found[1], ArticleIn)
    assert (report.accepted, dict(report.rejected)) == (1, {"no title and no text": 1})


def test_an_item_without_a_date_takes_the_feeds_and_is_flagged() -> None:
    head = "<lastBuildDate>Sat, 28 Feb 2026 00:00:00 GMT</lastBuildDate>"
    found, report = read(rss(f"<title>T</title>{LINK}", head=head))
    assert isinstance(found[0], ArticleIn)
    assert found[0].published_at == datetime(2026, 2, 28, tzinfo=UTC)
    assert report.warnings[ARRIVAL] == 1
    assert report.arrival_ids == {found[0].id}


def test_an_item_without_any_date_is_dated_by_its_arrival() -> None:
    assert one(f"<title>T</title>{LINK}").published_at == NOW


def test_a_date_without_a_zone_is_read_as_utc_and_flagged() -> None:
    found, report = read(rss(f"<title>T</title>{LINK}<pubDate>Sun, 01 Mar 2026 08:00:00</pubDate>"))
    assert isinstance(found[0], ArticleIn)
    assert found[0].published_at == datetime(2026, 3, 1, 8, tzinfo=UTC)
    assert report.warnings["a date without a zone was read as UTC"] == 1


def test_an_item_names_its_own_source() -> None:
    article = one(f"<title>T</title>{LINK}{DATE}<source url='https://www.nhk.example/rss'>NHK</source>")
    assert article.source is not None
    assert (article.source.id, article.source.name) == ("nhk.example", "NHK")


def test_media_and_enclosures_give_the_picture() -> None:
    media = "<media:content xmlns:media='http://search.yahoo.com/mrss/' url='https://i.example/m.jpg' medium='image'/>"
    assert one(f"<title>T</title>{LINK}{DATE}{media}").image_url == "https://i.example/m.jpg"
    enclosure = "<enclosure url='https://i.example/e.png' type='image/png' length='1'/>"
    assert one(f"<title>T</title>{LINK}{DATE}{enclosure}").image_url == "https://i.example/e.png"
    pixel = "<description>&lt;img src='https://t.example/p.gif' width='1' height='1'&gt; x</description>"
    assert one(f"<title>T</title>{LINK}{DATE}{pixel}").image_url is None


def test_a_long_description_alone_is_the_text() -> None:
    article = one(f"<title>T</title>{LINK}{DATE}<description>{'word ' * 400}</description>")
    assert article.summary == ""
    assert len(article.body) > 1_900


def test_the_language_is_detected_where_the_feed_names_none() -> None:
    text = "Regeringen fremlagde i dag et nyt forslag om klimaet, og oppositionen er ikke tilfreds med det."
    assert one(f"<title>Nyt forslag om klimaet</title>{LINK}{DATE}<description>{text}</description>").language == "da"


def test_a_100_000_character_title_is_rejected_with_the_limit() -> None:
    reason = refusals(rss(f"<title>{'x' * 100_000}</title>{LINK}{DATE}"))[0]
    assert "title" in reason
    assert "1000" in reason


def test_an_item_cut_off_by_the_end_of_the_document_is_rejected() -> None:
    whole = rss(f"<title>A</title>{LINK}{DATE}", f"<title>B</title><link>https://h.example/b</link>{DATE}")
    found, _ = read(whole[: whole.index("<title>B") + 8])
    assert isinstance(found[0], ArticleIn)
    assert found[1:] == [Rejected("item 2", "the document ends inside this item")]


ENCODINGS: list[tuple[str, str, str | None]] = [
    ("utf-8", "utf-8", None),
    ("utf-16", "utf-16", None),
    ("iso-8859-2", "iso-8859-2", None),
    ("windows-1250", "windows-1250", None),
    ("utf-8", "iso-8859-1", None),  # wrong declaration
    ("utf-8", "utf-8", "text/xml; charset=iso-8859-1"),  # wrong header
    ("iso-8859-2", "utf-8", "application/xml; charset=iso-8859-2"),  # the header knows better
]


@pytest.mark.parametrize(("real", "declared", "content_type"), ENCODINGS)
def test_texts_survive_right_and_wrong_declarations(real: str, declared: str, content_type: str | None) -> None:
    text = f'<?xml version="1.0" encoding="{declared}"?>' + rss(f"<title>Příliš žluťoučký kůň</title>{LINK}{DATE}")
    found, _ = read(text.encode(real), content_type=content_type)
    assert isinstance(found[0], ArticleIn)
    assert found[0].title == "Příliš žluťoučký kůň"


@pytest.mark.parametrize(
    ("encoding", "title"),
    [
        ("koi8-r", "Наверное, единственное, во что сегодня можно верить безоговорочно"),
        ("euc_jp", "ウルトラマンはストリーモードを終えて、ほぼやり尽くしてしまった。" * 3),
        ("windows-1252", "Café crème à l’hôtel"),
    ],
)
def test_undeclared_encodings_are_guessed(encoding: str, title: str) -> None:
    found, _ = read(rss(f"<title>{title}</title>{LINK}{DATE}").encode(encoding))
    assert isinstance(found[0], ArticleIn)
    assert found[0].title == title


def test_a_few_broken_bytes_do_not_spoil_the_rest() -> None:
    data = rss(f"<title>{'Žluťoučký kůň ' * 5}XX</title>{LINK}{DATE}").encode().replace(b"XX", b"\xff")
    found, report = read(data)
    assert isinstance(found[0], ArticleIn)
    assert found[0].title.startswith("Žluťoučký kůň")
    assert report.warnings["bytes that are not UTF-8 were replaced"] == 1


def test_control_bytes_are_dropped() -> None:
    found, _ = read(rss(f"<title>a\x00b\x08c</title>{LINK}{DATE}"))
    assert isinstance(found[0], ArticleIn)
    assert found[0].title == "abc"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("<!DOCTYPE html><html><body>Hi</body></html>", "an HTML page"),
        ('<?xml version="1.0"?><opml version="2.0"><body/></opml>', "an OPML list"),
        ('<?xml version="1.0"?><catalog/>', "the root <catalog>"),
        ("Dear readers", "neither XML nor JSON"),
        ("", "it is empty"),
        ('{"name": "x"}', "neither a JSON Feed nor articles"),
        ("[1, 2]", "neither a JSON Feed nor articles"),
    ],
)
def test_what_is_no_feed_is_refused_by_name(data: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        read(data)


def test_a_crash_of_the_parser_costs_one_item_only(monkeypatch: pytest.MonkeyPatch) -> None:
    from data.intake import tamed

    real: Callable[..., object] = tamed.parse

    def fragile(data: bytes, content_type: str | None) -> object:
        if b"POISON" in data:
            raise AssertionError("deep inside")
        return real(data, content_type)

    monkeypatch.setattr(tamed, "parse", fragile)
    found, _ = read(
        rss(
            f"<title>A</title>{LINK}{DATE}",
            "<title>POISON</title>",
            f"<title>C</title><link>https://h.example/c</link>{DATE}",
        )
    )
    assert [type(item).__name__ for item in found] == ["ArticleIn", "Rejected", "ArticleIn"]


@pytest.mark.parametrize(
    ("author", "name"),
    [
        ("desk@herald.example (Ada Byron)", "Ada Byron"),
        ("Ada Byron &lt;ada@herald.example&gt;", "Ada Byron"),
        ("Ada Byron", "Ada Byron"),
        ("ada@herald.example", None),
    ],
)
def test_authors_are_names_without_their_mail_addresses(author: str, name: str | None) -> None:
    assert one(f"<title>T</title>{LINK}{DATE}<author>{author}</author>").author == name
