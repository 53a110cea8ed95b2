"""The page to look at the phones, and the calls that steer a running fake. All under `/`, `/phones` and `/_fake`."""

from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from data.errors import InvalidInput
from scheduler.fake_fcm import page
from scheduler.fake_fcm.answers import Answer, ok
from scheduler.fake_fcm.script import make_script
from scheduler.fake_fcm.service import Reply, Request, Service, json_of


class Control:
    """Answers what is not FCM's; None leaves the request to FCM."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.addresses = ("", "")

    def handle(self, request: Request) -> Reply | None:
        """Pages are read with GET; `/_fake` answers JSON."""
        path = request.path
        if path == "/" and request.method == "GET":
            return _page(page.phones(self.service, self.addresses, dict(parse_qsl(request.query)).get("q", "")))
        if path.startswith("/phones/"):
            return self._phone(unquote(path.removeprefix("/phones/")), request)
        if path.startswith("/_fake/"):
            return Reply(self._call(path.removeprefix("/_fake/"), request))
        return None

    def _phone(self, device: str, request: Request) -> Reply:
        if device not in self.service.inbox.phones:
            return Reply(Answer(404, page.missing(device).encode(), page.HTML))
        if request.method == "POST":
            self._switch(device, dict(parse_qsl(request.body.decode("latin-1"))).get("online") == "true")
            return Reply(Answer(303, b"", page.HTML, {"Location": request.path}))
        return _page(page.phone(self.service, device))

    def _call(self, path: str, request: Request) -> Answer:
        what, _, device = path.partition("/")
        calls: dict[str, Any] = {"log": self._log, "script": self._script, "phones": self._phones}
        if what not in calls:
            return Answer(404, b'{"error":"there are /_fake/log, /_fake/script, /_fake/phones/DEVICE"}')
        answer: Answer = calls[what](request, unquote(device))
        return answer

    def _log(self, request: Request, _: str) -> Answer:
        lines = dict(parse_qsl(request.query)).get("lines", "0")
        return ok(self.service.log.as_dict(lines=int(lines) if lines.isdigit() else 0))

    def _script(self, request: Request, _: str) -> Answer:
        if request.method == "PUT":
            try:
                self.service.play(make_script(json_of(request.body) or {}))
            except InvalidInput as error:
                return Answer(422, msgspec.json.encode({"error": str(error)}))
        return ok(msgspec.to_builtins(self.service.script))

    def _phones(self, request: Request, device: str) -> Answer:
        if not device:
            return ok({"phones": len(self.service.inbox.phones), "shows_a_story_twice": self.service.inbox.doubled()})
        if request.method == "PUT":
            wanted = json_of(request.body)
            self._switch(device, bool(isinstance(wanted, dict) and wanted.get("online", True)))
        phone = self.service.inbox.phone(device)
        return ok(
            {
                "is_online": phone.is_online,
                "shown": [asdict(note) for note in reversed(phone.shown.values())],
                "waiting": len(phone.waiting),
                "arrived": phone.arrived,
                "replaced": phone.replaced,
                "collapsed": phone.collapsed,
                "expired": phone.expired,
                "dropped": phone.dropped,
            }
        )

    def _switch(self, device: str, is_online: bool) -> None:
        phone = self.service.inbox.phone(device)
        if is_online:
            phone.connect(self.service.now_s)
        else:
            phone.disconnect()


def _page(text: str) -> Reply:
    # Nothing may be loaded from anywhere: what a push says is somebody else's text.
    policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'"
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
    return Reply(Answer(200, text.encode(), page.HTML, headers))
