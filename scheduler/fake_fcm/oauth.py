"""The OAuth token endpoint: signed assertions in, bearers with an end out."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import jwt
import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from scheduler.fake_fcm.answers import Answer, ok

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCE = "https://oauth2.googleapis.com/token"
SCOPES = ("https://www.googleapis.com/auth/firebase.messaging", "https://www.googleapis.com/auth/cloud-platform")


def _refused(code: str, text: str) -> Answer:
    return Answer(400, msgspec.json.encode({"error": code, "error_description": text}))


@dataclass
class OAuth:
    """Accounts made at run time and the bearers they hold. `any_bearer`: take whatever begins with `ya29.`;
    None: while there is no account.
    """

    life_s: float = 3_599.0
    any_bearer: bool | None = None
    grants: int = 0
    keys: dict[str, Any] = field(default_factory=dict)  # client_email -> public key
    bearers: dict[str, tuple[str, float]] = field(default_factory=dict)  # bearer -> (client_email, ends_at_s)
    revoked: set[str] = field(default_factory=set)

    def account(self, project: str, token_uri: str) -> dict[str, str]:
        """A new service account of a project, in the form of Google's JSON file."""
        key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        email = f"newsbell-{secrets.token_hex(4)}@{project}.iam.gserviceaccount.com"
        self.keys[email] = key.public_key()
        form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return {
            "type": "service_account",
            "project_id": project,
            "private_key_id": secrets.token_hex(20),
            "private_key": key.private_bytes(serialization.Encoding.PEM, form, plain).decode(),
            "client_email": email,
            "client_id": str(secrets.randbelow(10**21)),
            "token_uri": token_uri,
        }

    def grant(self, form: bytes, now_s: float) -> Answer:
        """Answer a token request: RS256 by a known account, for the right audience and scope, not revoked."""
        fields = {name: values[0] for name, values in parse_qs(form.decode("latin-1")).items()}
        if fields.get("grant_type") != GRANT:
            return _refused("unsupported_grant_type", "Invalid grant_type")
        try:
            email = self._signer(fields.get("assertion", ""))
        except (jwt.PyJWTError, KeyError) as error:
            return _refused("invalid_grant", f"Invalid JWT: {error}")
        if email in self.revoked:
            return _refused("invalid_grant", "Invalid grant: account not found")
        self.grants += 1
        bearer = f"ya29.{secrets.token_urlsafe(32)}"
        self.bearers[bearer] = (email, now_s + self.life_s)
        return ok({"access_token": bearer, "expires_in": int(self.life_s), "token_type": "Bearer"})

    def revoke(self, email: str) -> None:
        """Take an account's key and its bearers away at once."""
        self.revoked.add(email)
        self.bearers = {bearer: held for bearer, held in self.bearers.items() if held[0] != email}

    def restore(self, email: str) -> None:
        """Undo `revoke`; the account must ask for a new bearer."""
        self.revoked.discard(email)

    def knows(self, authorization: str, now_s: float) -> bool:
        """Whether this Authorization header lets its bearer send now."""
        kind, _, bearer = authorization.partition(" ")
        if kind.lower() != "bearer" or not bearer:
            return False
        held = self.bearers.get(bearer)
        if held is None:
            takes_any = not self.keys if self.any_bearer is None else self.any_bearer
            return takes_any and bearer.startswith("ya29.")
        return held[1] > now_s

    def _signer(self, assertion: str) -> str:
        email = jwt.decode(assertion, options={"verify_signature": False})["iss"]
        claims: Mapping[str, Any] = jwt.decode(assertion, self.keys[email], algorithms=["RS256"], audience=AUDIENCE)
        if not set(str(claims.get("scope", "")).split()) & set(SCOPES):
            raise jwt.InvalidTokenError("no messaging scope")
        return str(email)
