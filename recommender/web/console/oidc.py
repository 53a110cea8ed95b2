"""Signing in at an OpenID Connect provider: authorization code flow with PKCE, state and nonce.

RFC 6749, RFC 7636, OpenID Connect Core 1.0. Tokens are verified by PyJWT with the keys that the provider publishes;
only asymmetric signatures are taken.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from threading import Lock
from time import monotonic
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import jwt
import msgspec

from data.errors import InvalidSettings, NotAllowed
from data.settings import Settings
from data.store.people import ROLES

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
TIMEOUT_S, CACHED_S, LEEWAY_S = 10.0, 3_600.0, 60.0
LASTS_S = 600  # from leaving for the provider until coming back
LARGEST = 1_000_000  # bytes of an answer
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Identity:
    """Who signed in there: `subject` names the person for good, `role` is what the claims map to."""

    subject: str
    email: str
    role: str


@dataclass(frozen=True)
class Trip:
    """What a browser takes along to the provider, sealed in a cookie: nobody else's answer fits it."""

    state: str
    nonce: str
    verifier: str
    target: str
    until_s: float  # of the clock of this machine, epoch seconds

    @classmethod
    def begin(cls, target: str, now_s: float) -> "Trip":
        """A new trip that leads back to a page."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state, nonce, verifier, target, now_s + LASTS_S)

    def sealed(self, key: bytes) -> str:
        """As a cookie holds it."""
        body = urlsafe_b64encode(msgspec.json.encode(asdict(self))).decode()
        return f"{body}.{hmac.new(key, body.encode(), sha256).hexdigest()}"

    @classmethod
    def opened(cls, value: str, key: bytes, now_s: float) -> "Trip":
        """From a cookie; NotAllowed where it is missing, forged or too old."""
        body, _, seal = value.rpartition(".")
        if not hmac.compare_digest(hmac.new(key, body.encode(), sha256).hexdigest(), seal):
            raise NotAllowed("This sign-in was not begun in this browser; begin again.")
        trip = cls(**msgspec.json.decode(urlsafe_b64decode(body)))
        if trip.until_s < now_s:
            raise NotAllowed("This sign-in took too long; begin again.")
        return trip


class Provider:
    """One OpenID Connect provider, as the settings name it. Its addresses and keys are asked for and kept an hour."""

    def __init__(self, settings: Settings) -> None:
        self.issuer = settings.oidc_issuer.rstrip("/")
        self.client_id, self.secret = settings.oidc_client_id, secret_of(settings)
        self.role_claim, self.roles = settings.oidc_role_claim, roles_of(settings)
        self._lock = Lock()
        self._kept: dict[str, tuple[float, dict[str, Any]]] = {}

    def address(self, trip: Trip, back: str) -> str:
        """Where to send the browser."""
        challenge = urlsafe_b64encode(sha256(trip.verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": back,
            "scope": "openid email profile",
            "state": trip.state,
            "nonce": trip.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        there = self._endpoint("authorization_endpoint")
        return f"{there}{'&' if '?' in there else '?'}{urlencode(query)}"

    def identity(self, trip: Trip, code: str, back: str) -> Identity:
        """Who came back with a code; NotAllowed where the provider, its token or the claims do not hold."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": trip.verifier}
        given: dict[str, Any] = {"auth": (self.client_id, self.secret)} if self.secret else {}
        if not self.secret:
            form["client_id"] = self.client_id
        answer = self._asked("POST", self._endpoint("token_endpoint"), data=form, **given)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise NotAllowed("The sign-in provider sent no identity; begin again.")
        return self._of_claims(self._claims(token, trip.nonce))

    def _claims(self, token: str, nonce: str) -> Mapping[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key(token),
                algorithms=ALGORITHMS,
                audience=self.client_id,
                issuer=[self.issuer, f"{self.issuer}/"],
                leeway=LEEWAY_S,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise NotAllowed(f"The sign-in provider's token does not hold ({type(error).__name__}).") from None
        if not hmac.compare_digest(str(claims.get("nonce", "")), nonce):
            raise NotAllowed("The sign-in provider answered another sign-in; begin again.")
        if claims.get("azp", self.client_id) != self.client_id:
            raise NotAllowed("The sign-in provider's token is for another program.")
        return claims

    def _of_claims(self, claims: Mapping[str, Any]) -> Identity:
        email = str(claims.get("email", "")).strip().lower()
        if not email or claims.get("email_verified") is not True:
            raise NotAllowed("The sign-in provider gives no verified email; have it confirmed there.")
        held = claims.get(self.role_claim, [])
        names = {str(one) for one in held} if isinstance(held, list) else {str(held)}
        found = [role for name, role in self.roles.items() if name in names]
        if not found:
            raise NotAllowed("You are known, but have no role at this desk; ask an operator for one.")
        return Identity(f"{self.issuer}|{claims['sub']}"[:400], email[:200], max(found, key=ROLES.index))

    def _key(self, token: str) -> Any:
        """The key that signed; a new one is asked for once."""
        number = jwt.get_unverified_header(token).get("kid")
        for is_again in (False, True):
            keys = self._document(self._endpoint("jwks_uri"), fresh=is_again).get("keys", [])
            fits = [one for one in keys if one.get("use", "sig") == "sig" and number in (None, one.get("kid"))]
            if fits:
                return jwt.PyJWK(fits[0]).key
        raise jwt.InvalidKeyError("no key of the provider signed this")

    def _endpoint(self, name: str) -> str:
        found = self._document(f"{self.issuer}/.well-known/openid-configuration")
        if str(found.get("issuer", "")).rstrip("/") != self.issuer:
            raise NotAllowed("The sign-in provider calls itself by another name than NEWSBELL_OIDC_ISSUER.")
        return _safe(str(found.get(name, "")))

    def _document(self, address: str, *, fresh: bool = False) -> dict[str, Any]:
        with self._lock:
            at_s, found = self._kept.get(address, (float("-inf"), {}))
            if fresh or monotonic() - at_s > CACHED_S:
                found = self._asked("GET", address)
                self._kept[address] = (monotonic(), found)
            return found

    def _asked(self, method: str, address: str, **given: Any) -> dict[str, Any]:
        try:
            answer = httpx.request(method, _safe(address), timeout=TIMEOUT_S, follow_redirects=False, **given)
            if answer.status_code != 200 or len(answer.content) > LARGEST:
                raise NotAllowed(f"The sign-in provider answered {answer.status_code}; begin again.")
            found = answer.json()
        except (httpx.HTTPError, ValueError):
            raise NotAllowed("The sign-in provider cannot be reached now; sign in with a password.") from None
        if not isinstance(found, dict):
            raise NotAllowed("The sign-in provider's answer cannot be read.")
        return found


def secret_of(settings: Settings) -> str:
    """The client's secret, from its file or the environment; "" for a public client."""
    if settings.oidc_secret_file is None:
        return settings.oidc_secret
    try:
        return settings.oidc_secret_file.read_text().strip()
    except OSError as error:
        raise InvalidSettings(f"NEWSBELL_OIDC_SECRET_FILE cannot be read: {error.strerror}") from None


def roles_of(settings: Settings) -> dict[str, str]:
    """Value of the role claim -> role, from `leads=lead, desk=editor`."""
    pairs = [one.strip().rpartition("=") for one in settings.oidc_roles.split(",") if one.strip()]
    for name, _, role in pairs:
        if role not in ROLES or not name:
            raise InvalidSettings(f"NEWSBELL_OIDC_ROLES: write value=role, the roles are {', '.join(ROLES)}")
    return {name.strip(): role for name, _, role in pairs}


def _safe(address: str) -> str:
    """An address to send secrets to: https, or this machine."""
    parts = urlsplit(address)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise NotAllowed("The sign-in provider must be asked over https; mend NEWSBELL_OIDC_ISSUER.")
    return address
