"""No other site can make a signed-in browser change anything: checked by headers that only the browser writes."""

from urllib.parse import urlsplit

from fastapi import Request

from data.errors import NotAllowed

SAFE = ("GET", "HEAD")


def check_origin(request: Request) -> None:
    """Let a changing request pass only if its own page sent it; NotAllowed otherwise.

    `Sec-Fetch-Site` says so in every browser of today; older ones send `Origin`. A request with neither is refused.
    """
    if request.method in SAFE:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        is_ours = site == "same-origin"
    else:
        origin = urlsplit(request.headers.get("origin", ""))
        is_ours = bool(origin.netloc) and origin.netloc == request.headers.get("host")
    if not is_ours:
        raise NotAllowed("This form was not sent from a page of this console; open the page here and repeat.")
