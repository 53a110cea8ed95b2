"""Firebase projects: where each posts to, and the access token it posts with."""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec

from data.errors import InvalidSettings
from data.settings import Settings

log = logging.getLogger(__name__)
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
ANY_BEARER = "ya29.newsbell-loopback"  # what the fake takes while it made no account
AGAIN_S = 5.0  # between two tries to renew ahead of time


class CredentialRefused(Exception):
    """Google gives this account no access token."""


class Bearer(Protocol):
    """An access token that is good now."""

    def token(self) -> str: ...

    def renew(self, refused: str) -> str: ...


@dataclass
class FixedBearer:
    """A token that never changes: for the fake."""

    value: str = ANY_BEARER

    def token(self) -> str:
        return self.value

    def renew(self, refused: str) -> str:
        """There is no other."""
        del refused
        raise CredentialRefused("this token is fixed and was refused; set NEWSBELL_FCM_CREDENTIALS")


class GoogleBearer:
    """A token by google-auth: renewed ahead of its end in the background, by one thread at a time."""

    def __init__(self, credentials: Any) -> None:
        self.credentials = credentials
        self._lock = threading.Lock()
        self._tried_s = -AGAIN_S

    def token(self) -> str:
        """The token; waits for Google only when there is none that works. CredentialRefused when Google says no."""
        from google.auth.credentials import TokenState

        state = self.credentials.token_state
        if state is TokenState.INVALID:
            self._renew(None)
        elif state is TokenState.STALE and time.monotonic() - self._tried_s > AGAIN_S and not self._lock.locked():
            self._tried_s = time.monotonic()
            threading.Thread(target=self._renew_quietly, args=(self.credentials.token,), daemon=True).start()
        return str(self.credentials.token)

    def renew(self, refused: str) -> str:
        """A token other than the one FCM refused, asked for once however many requests it was refused in."""
        self._renew(refused)
        return str(self.credentials.token)

    def _renew(self, refused: str | None) -> None:
        from google.auth.credentials import TokenState
        from google.auth.exceptions import GoogleAuthError
        from google.auth.transport.requests import Request

        with self._lock:
            # Not `valid`: that is false long before the end, and everybody who was refused would ask once more.
            if self.credentials.token_state is not TokenState.INVALID and self.credentials.token != refused:
                return
            try:
                # `refresh`, not `before_request`: the latter also asks another service for regional boundaries.
                self.credentials.refresh(Request())
            except GoogleAuthError as error:
                raise CredentialRefused(f"Google gives no access token: {error}"[:300]) from None

    def _renew_quietly(self, old: str) -> None:
        try:
            self._renew(old)
        except CredentialRefused as error:
            log.warning("renewing the access token failed, the present one goes on: %s", error)


@dataclass(frozen=True, slots=True)
class Project:
    """One Firebase project."""

    app: str  # the key that devices carry; empty for the first
    id: str
    url: str
    bearer: Bearer


class _App(msgspec.Struct, forbid_unknown_fields=True):
    project: str
    credentials: str | None = None


def projects(settings: Settings) -> Mapping[str, Project]:
    """The project of `NEWSBELL_FCM_PROJECT` under the empty key, and those of `NEWSBELL_FCM_APPS` under theirs."""
    base = settings.fcm_base_url.rstrip("/")
    return {
        app: Project(app, project, f"{base}/v1/projects/{project}/messages:send", _bearer(file, base))
        for app, (project, file) in accounts(settings).items()
    }


def accounts(settings: Settings) -> dict[str, tuple[str, Path | None]]:
    """App -> (project id, service-account file)."""
    first = {"": (settings.fcm_project, settings.fcm_credentials)}
    return first | {
        app: (one.project, Path(one.credentials) if one.credentials else None)
        for app, one in _apps(settings.fcm_apps).items()
    }


def _apps(path: Path | None) -> dict[str, _App]:
    if path is None:
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, _App])
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidSettings(
            f'NEWSBELL_FCM_APPS={path}: {error}; write {{"app": {{"project": "id", "credentials": "file"}}}}'
        ) from None


def _bearer(file: Path | None, base: str) -> Bearer:
    from google.auth.exceptions import GoogleAuthError
    from google.oauth2 import service_account

    if file is None:
        return FixedBearer() if is_loopback(base) else _ambient()
    try:
        made = service_account.Credentials.from_service_account_file(str(file), scopes=[SCOPE])  # type: ignore[no-untyped-call]
    except (OSError, ValueError, GoogleAuthError) as error:
        raise InvalidSettings(f"NEWSBELL_FCM_CREDENTIALS={file}: no service-account file ({error})") from None
    return GoogleBearer(made)


def _ambient() -> Bearer:
    import google.auth
    from google.auth.exceptions import GoogleAuthError

    try:
        credentials, _ = google.auth.default(scopes=[SCOPE])
    except GoogleAuthError:
        raise InvalidSettings(
            "no credentials for FCM; set NEWSBELL_FCM_CREDENTIALS to the service-account file of the Firebase project"
        ) from None
    return GoogleBearer(credentials)


def is_loopback(base: str) -> bool:
    """Whether an address stays on this machine."""
    host = urlsplit(base).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
