"""The eight invented outlets: who they are and how each of them writes."""

import re
from dataclasses import dataclass

from data.wire import SourceIn


@dataclass(frozen=True, slots=True)
class Outlet:
    """One outlet: `letter` is how the fact sheets name it, `lexicon` its own spelling and words."""

    letter: str
    key: str
    name: str
    home_url: str
    profile: str
    language: str
    bylines: tuple[str, ...]
    closers: tuple[str, ...]
    lexicon: tuple[tuple[str, str], ...]
    quote_marks: tuple[str, str] = ("“", "”")
    dateline: bool = False

    def source(self) -> SourceIn:
        """The outlet as every article of it names it."""
        return SourceIn(id=self.key, name=self.name, icon_url=f"/static/icons/{self.key}.svg")

    def spell(self, text: str) -> str:
        """A sentence in the outlet's own spelling."""
        for pattern, replacement in self.lexicon:
            text = re.sub(pattern, replacement, text)
        return text


_SHORT_UNITS = (
    (r"(\d) per cent\b", r"\1%"),
    (r"(\d) kilometres\b", r"\1 km"),
    (r"\bmore than (?=\d)", "over "),
    (r"\bMore than (?=\d)", "Over "),
)
_CURLY = ((r"(?<!\w)'(?=\w)", "‘"), (r"'", "’"))

OUTLETS: tuple[Outlet, ...] = (
    Outlet(
        "M",
        "meridian-post",
        "The Meridian Post",
        "https://meridian-post.example/",
        "National daily: long reads, analysis, people",
        "en",
        ("Judith Amsel", "Conrad Veith", "Salma Reyes", "Philip Ostler"),
        (
            "The Meridian Post will publish readers' letters on the subject on Saturday.",
            "A longer version of this report appears in the weekend edition.",
        ),
        ((r"\babout (?=\d)", "some "), *_CURLY),
    ),
    Outlet(
        "L",
        "ledger-wire",
        "Ledger Wire",
        "https://ledger-wire.example/",
        "Business wire: short, numbers first",
        "en",
        ("Ledger Wire staff", "Tobias Renn", "Mei Okonjo"),
        (
            "Reporting by the Ledger Wire markets desk; figures are rounded.",
            "Ledger Wire will update this report as further figures become available.",
        ),
        ((r"\babout (?=\d)", "around "), *_SHORT_UNITS),
        quote_marks=('"', '"'),
        dateline=True,
    ),
    Outlet(
        "C",
        "commonwave",
        "Commonwave",
        "https://commonwave.example/",
        "Public broadcaster: plain, careful, in several languages",
        "en",
        ("Commonwave newsroom", "Ngaire Holt", "Sam Adeleke"),
        (
            "Commonwave's correspondents will have more on this story on radio at six.",
            "Commonwave's live page is following developments.",
        ),
        (),
    ),
    Outlet(
        "A",
        "aldermouth-courier",
        "The Aldermouth Courier",
        "https://aldermouth-courier.example/",
        "Local paper of a river town",
        "en",
        ("Nell Braithwaite", "Josh Tilling", "Courier reporters"),
        (
            "Have you been affected? The Courier's newsroom in Mill Street is open until five.",
            "The Courier has asked the council for comment on what this means for Aldermouth.",
        ),
        (),
    ),
    Outlet(
        "B",
        "bytefield",
        "Bytefield",
        "https://bytefield.example/",
        "Technology site: informal, hands-on",
        "en",
        ("Dev Marlowe", "Ximena Roux"),
        (
            "Know more? Write to the Bytefield tip line; we keep sources confidential.",
            "We have asked for more details and will update this post.",
        ),
        ((r"\bper cent\b", "percent"), (r"\babout (?=\d)", "roughly "), (r"(\d) kilometres\b", r"\1 km")),
        quote_marks=('"', '"'),
    ),
    Outlet(
        "T",
        "touchline-daily",
        "Touchline Daily",
        "https://touchline-daily.example/",
        "Sports daily: quick, partisan for the game",
        "en",
        ("Ray Costigan", "Amara Lund", "Touchline desk"),
        (
            "Fixtures, tables and results are on the Touchline results page.",
            "Touchline's podcast discusses this on Thursday.",
        ),
        ((r"\babout (?=\d)", "around "), *_SHORT_UNITS),
        quote_marks=('"', '"'),
    ),
    Outlet(
        "F",
        "field-notes",
        "Field Notes",
        "https://field-notes.example/",
        "Science magazine: explains, names uncertainties",
        "en",
        ("Dr Ottoline Grey", "Bruno Castellan", "Anika Rao"),
        (
            "Readers with data of their own on this subject are invited to write to the editors.",
            "Field Notes keeps a reading list on this subject for teachers.",
        ),
        _CURLY,
    ),
    Outlet(
        "D",
        "baelt-tidende",
        "Bælt Tidende",
        "https://baelt-tidende.example/",
        "Danish daily, in Danish",
        "da",
        ("Mette Ravnsborg", "Anders Kjeldby"),
        ("Bælt Tidende følger sagen.", "Artiklen bliver opdateret."),
        (),
        quote_marks=("»", "«"),
    ),
)

BY_LETTER = {outlet.letter: outlet for outlet in OUTLETS}
BY_KEY = {outlet.key: outlet for outlet in OUTLETS}
