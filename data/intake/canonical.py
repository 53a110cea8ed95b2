"""One address per article: what makes two links the same page."""

import re
from urllib.parse import SplitResult, urlsplit, urlunsplit

from w3lib.url import canonicalize_url

# Parameters that say where a click came from, never which page it is.
_TRACKING_NAMES = """
__twitter_impression _ga _gl _hsenc _hsmi cmpid dclid emc fbclid gbraid gclid gclsrc guccounter hsctatracking icid
igsh igshid intcmp mbid mc_cid mc_eid mkt_tok msclkid ncid ocid oly_anon_id oly_enc_id partner phpsessid ref_src
ref_url s_cid s_kwcid smid soc_src soc_trk spm sref traffic_source trk ttclid twclid vero_id wbraid wt.mc_id wt_mc
xtor yclid
"""
_TRACKING = frozenset(_TRACKING_NAMES.split())
_TRACKING_PREFIXES = """
at_bbc at_campaign at_custom at_format at_link at_medium at_ptr fb_action_ fb_ref guce_ hsa_ mtm_ ns_campaign ns_fee
ns_linkname ns_mchannel ns_source piwik_ pk_ utm_
"""
_TRACKING_PREFIX = tuple(_TRACKING_PREFIXES.split())
_SESSION = re.compile(r";jsessionid=[^/?;]*", re.IGNORECASE)
_INDEX = re.compile(r"/(?:index|default)\.(?:html?|php\d?|aspx?|jsp|shtml)$", re.IGNORECASE)
_AMP_FILE = re.compile(r"\.amp(\.html?)?$", re.IGNORECASE)
# Fragments that name an item of its own: `#!` pages, and the numbered items of a blog's page of the day (#a080605).
_ITEM_FRAGMENT = re.compile(r"!.*|[a-z]{0,5}[-_]?\d{5,}", re.IGNORECASE)
_DEFAULT_PORT = re.compile(r"(?<=[^:]):(?:80|443)?$")


def canonical_url(url: str) -> str:
    """The identity of a page's address: compare it, do not link to it.

    https for http, lower-case host in ASCII form, no default port, user name, session id or tracking parameter, the
    rest of the query sorted, no trailing slash, `index.html` or `/amp`, no fragment but `#!...` and numbered items.
    Pure and idempotent. What is no http address comes back stripped of white space.
    """
    text = "".join(url.split())
    for _ in range(8):  # each round only shortens or settles; two suffice for all but made-up addresses
        before, text = text, _once(text)
        if text == before:
            break
    return text


def _once(text: str) -> str:
    try:
        if urlsplit(text).scheme not in {"http", "https"} or not urlsplit(text).hostname:
            return text
        parts = urlsplit(canonicalize_url(text, keep_fragments=True))
    except (ValueError, UnicodeError):
        return text
    host = parts.netloc.rpartition("@")[2].lower()
    host = _DEFAULT_PORT.sub("", host).rstrip(".")
    scheme = "https" if not re.search(r":\d+$", host) else parts.scheme
    fragment = parts.fragment if _ITEM_FRAGMENT.fullmatch(parts.fragment) else ""
    return urlunsplit(SplitResult(scheme, host, _path(parts.path), _query(parts.query), fragment))


def _path(path: str) -> str:
    path = _SESSION.sub("", path)
    path = _INDEX.sub("/", path)
    path = _AMP_FILE.sub(lambda found: found[1] or "", path)
    path = path.rstrip("/")
    if path.lower().endswith("/amp") and path.count("/") > 1:  # "/amp" alone is a page of its own
        path = path[:-4].rstrip("/")
    return path or "/"


def _query(query: str) -> str:
    return "&".join(sorted(pair for pair in query.split("&") if pair and not _is_noise(pair)))


def _is_noise(pair: str) -> bool:
    name, _, value = pair.lower().partition("=")
    if name in {"amp", "outputtype"}:
        return value in {"", "1", "true", "amp"}
    return name in _TRACKING or name.startswith(_TRACKING_PREFIX)
