"""Signing in at a provider: a small one on this machine, and everything somebody might try with it."""

import base64
import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from data.clock import SystemClock
from data.errors import InvalidSettings, NotAllowed
from data.settings import Settings
from data.store import Store
from recommender.service import Service
from recommender.web.app import create_app
from recommender.web.console.oidc import Provider, Trip, roles_of, secret_of
from recommender.web.console.sessions import COOKIE

START, BACK = "/console/sign-in/provider", "/console/sign-in/back"


@dataclass
class Fake:
    """An OpenID Connect provider that says what a test wants."""

    url: str = ""
    key: Any = field(default_factory=lambda: rsa.generate_private_key(65_537, 2_048))
    other: Any = field(default_factory=lambda: rsa.generate_private_key(65_537, 2_048))
    claims: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)  # what the browser brought
    posts: list[dict[str, str]] = field(default_factory=list)
    signs_with: str = "key"
    algorithm: str = "RS256"
    issuer: str = ""

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._configuration),
                Route("/jwks", self._keys),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    def _configuration(self, _: Request) -> JSONResponse:
        ends = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/jwks"}
        return JSONResponse({"issuer": self.issuer or self.url, **{k: self.url + v for k, v in ends.items()}})

    def _keys(self, _: Request) -> JSONResponse:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return JSONResponse({"keys": [{**public, "kid": "one", "use": "sig"}]})

    async def _token(self, request: Request) -> JSONResponse:
        form = dict(parse_qsl((await request.body()).decode()))
        self.posts.append(form | {"authorization": request.headers.get("authorization", "")})
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        if challenge.decode() != self.asked.get("code_challenge") or form["code"] != "right":
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        usual = {
            "iss": self.url, "aud": "newsbell", "sub": "ada-1", "iat": now, "exp": now + 300,
            "nonce": self.asked["nonce"], "email": "Ada@Herald.example", "email_verified": True, "groups": ["leads"],
        }  # fmt: skip
        claims = {name: value for name, value in (usual | self.claims).items() if value is not None}
        signer: Any = (
            "a shared secret of thirty-two byte" if self.algorithm == "HS256" else getattr(self, self.signs_with)
        )
        if self.algorithm == "none":
            signer = None
        return JSONResponse({"id_token": jwt.encode(claims, signer, self.algorithm, headers={"kid": "one"})})


@pytest.fixture(scope="module")
def fake(serving: Any) -> Iterator[Fake]:
    made = Fake()
    with serving(made.app()) as url:
        made.url = url
        yield made


@pytest.fixture
def desk(fake: Fake, filled: Path, tmp_path: Path, serving: Any) -> Iterator[Any]:
    """The console with a provider set; yields a browser that is not signed in, and the store."""
    fake.claims, fake.posts, fake.signs_with, fake.algorithm, fake.issuer = {}, [], "key", "RS256", ""
    path = tmp_path / "room.db"
    path.write_bytes(filled.read_bytes())
    roles = "leads=lead, desk=editor, readers=viewer"
    settings = Settings(index_dir=None, oidc_issuer=fake.url, oidc_secret="s3cret", oidc_roles=roles)
    with Store.open(f"sqlite:///{path}") as store:
        app = create_app(store, Service(store, settings, SystemClock()), settings, SystemClock())
        with serving(app) as url, browser(url) as client:
            yield client, store


@contextmanager
def browser(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, headers={"accept": "text/html"}, timeout=60) as client:
        yield client


def left(client: httpx.Client, fake: Fake, target: str = "/console/rules") -> dict[str, str]:
    """Begin; what the provider is asked."""
    answer = client.get(START, params={"next": target})
    assert answer.status_code == 303
    there = urlsplit(answer.headers["location"])
    assert f"{there.scheme}://{there.netloc}{there.path}" == f"{fake.url}/authorize"
    fake.asked = dict(parse_qsl(there.query))
    return fake.asked


def returned(client: httpx.Client, fake: Fake, **changed: str) -> httpx.Response:
    query = {"code": "right", "state": fake.asked["state"]} | changed
    return client.get(BACK, params=query)


def test_the_whole_way_in_with_pkce_state_and_nonce(desk: Any, fake: Fake) -> None:
    client, store = desk
    assert "Sign in with 127.0.0.1" in client.get("/console/sign-in").text
    asked = left(client, fake)
    assert (asked["response_type"], asked["code_challenge_method"], asked["client_id"]) == ("code", "S256", "newsbell")
    assert asked["redirect_uri"].endswith(BACK)
    cookie = client.cookies.jar
    assert [one.path for one in cookie if one.name == "newsbell_trip"] == ["/console/sign-in"]
    answer = returned(client, fake)
    assert answer.headers["location"] == "/console/rules"
    assert client.get("/console/rules").status_code == 200
    assert fake.posts[0]["authorization"].startswith("Basic ")
    person = next(one for one in store.people() if one.email == "ada@herald.example")
    assert person.role == "lead"
    assert store.check_password("ada@herald.example", "") is None
    assert returned(client, fake).status_code == 403  # the trip is over


def test_the_role_follows_the_claims_and_the_subject_stays_the_person(desk: Any, fake: Fake) -> None:
    client, store = desk
    left(client, fake)
    returned(client, fake)
    fake.claims = {"groups": ["readers", "desk"], "email": "ada.new@herald.example"}
    left(client, fake)
    returned(client, fake)
    found = [(one.email, one.role) for one in store.people() if one.email.startswith("ada")]
    assert found == [("ada@herald.example", "editor")]
    assert store.changes(limit=1)[0].what == "changed the role of"
    fake.claims = {"sub": "mallory", "email": "ada@herald.example"}
    left(client, fake)
    assert returned(client, fake).status_code == 403


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another-program"},
        {"azp": "another-program"},
        {"iss": "https://evil.example"},
        {"exp": 1_000},
        {"exp": None},
        {"sub": None},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email": None},
        {"groups": ["strangers"]},
        {"groups": None},
    ],
)
def test_a_token_that_does_not_hold_lets_nobody_in(desk: Any, fake: Fake, claims: dict[str, Any]) -> None:
    client, store = desk
    before = len(store.people())
    fake.claims = claims
    left(client, fake)
    answer = returned(client, fake)
    assert answer.status_code == 403
    assert COOKIE not in client.cookies
    assert len(store.people()) == before


@pytest.mark.parametrize("how", ["other", "HS256", "none"])
def test_a_token_signed_otherwise_lets_nobody_in(desk: Any, fake: Fake, how: str) -> None:
    client, _ = desk
    fake.signs_with, fake.algorithm = ("other", "RS256") if how == "other" else ("key", how)
    left(client, fake)
    assert returned(client, fake).status_code == 403


def test_an_answer_to_another_sign_in_is_refused(desk: Any, fake: Fake) -> None:
    client, _ = desk
    left(client, fake)
    assert returned(client, fake, state="forged").status_code == 403
    left(client, fake)
    assert returned(client, fake, code="wrong").status_code == 403
    left(client, fake)
    assert returned(client, fake, error="access_denied").status_code == 403
    left(client, fake)
    stranger = httpx.Client(base_url=client.base_url)
    with stranger:  # a browser that began nothing: signing somebody in as another
        assert returned(stranger, fake).status_code == 403


def test_a_session_of_before_is_over_and_nobody_is_led_away(desk: Any, fake: Fake) -> None:
    client, store = desk
    person = store.people()[0]
    token = store.open_session(person.id, now=SystemClock().now())
    client.cookies.set(COOKIE, token, path="/console")
    left(client, fake, target="https://evil.example")
    assert returned(client, fake).headers["location"] == "/console"
    assert store.session_person(token, now=SystemClock().now()) is None


def test_a_provider_of_another_name_is_not_believed(desk: Any, fake: Fake) -> None:
    client, _ = desk
    fake.issuer = "https://evil.example"
    assert client.get(START).status_code == 403


def test_without_a_provider_there_is_no_button_and_no_way(shared_room: Any) -> None:
    client = shared_room.client(None)
    assert "Sign in with" not in client.get("/console/sign-in").text
    assert client.get(START).status_code == 404
    assert client.get(BACK).status_code == 404


def test_trips_are_sealed_and_end() -> None:
    trip = Trip.begin("/console", 1_000.0)
    sealed = trip.sealed(b"key")
    assert Trip.opened(sealed, b"key", 1_500.0) == trip
    for value, key, at in ((sealed, b"other", 1_500.0), (sealed[:-1] + "x", b"key", 1_500.0), ("", b"key", 0.0)):
        with pytest.raises(NotAllowed):
            Trip.opened(value, key, at)
    with pytest.raises(NotAllowed):
        Trip.opened(sealed, b"key", 1_601.0)


def test_settings_say_what_is_wrong_with_them(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings):
        roles_of(Settings(oidc_roles="leads=boss"))
    with pytest.raises(InvalidSettings):
        secret_of(Settings(oidc_secret_file=tmp_path / "none"))
    (tmp_path / "secret").write_text("abc\n")
    assert secret_of(Settings(oidc_secret_file=tmp_path / "secret", oidc_secret="other")) == "abc"
    with pytest.raises(NotAllowed):
        Provider(Settings(oidc_issuer="http://login.example")).address(Trip.begin("/console", 0.0), "http://x/back")
