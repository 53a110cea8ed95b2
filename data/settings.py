"""Every key of the environment, read once, frozen, passed down."""

from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from data.clock import zone_names
from data.errors import InvalidSettings


class Settings(BaseSettings):
    """What an operator sets outside the database. Anything an editor may change is a row instead."""

    model_config = SettingsConfigDict(env_prefix="NEWSBELL_", frozen=True, extra="ignore")

    database_url: str = Field(
        "sqlite:///var/newsbell.db", description="`sqlite:///path` or `postgresql+psycopg://user@host/name`"
    )
    host: str = Field("127.0.0.1", description="Address the API and console listen on")
    port: int = Field(8000, ge=0, le=65535, description="Port of the API and console; 0 takes a free one")
    sender: Literal["log", "fcm", "firebase"] = Field(
        "log",
        description="`log` prints each message instead of sending it; `fcm` sends; `firebase` uses send_each",
    )
    fcm_project: str = Field("demo-news", description="Firebase project id")
    fcm_credentials: Path | None = Field(None, description="Service-account file of the Firebase project")
    fcm_base_url: str = Field("https://fcm.googleapis.com", description="Where messages are posted")
    fcm_ca_file: Path | None = Field(None, description="Certificates to trust for `FCM_BASE_URL`, like the fake's")
    fcm_apps: Path | None = Field(
        None, description='JSON file of further Firebase projects: `{"app": {"project": ..., "credentials": ...}}`'
    )
    fcm_look: Path | None = Field(None, description="JSON file with what every message has on `android`, `ios`, `web`")
    fcm_per_minute: float = Field(600_000, ge=60, description="Messages a minute that FCM allows each project")
    fcm_share: float = Field(0.8, gt=0, le=1, description="Share of that quota to use")
    fcm_ramp_s: float = Field(60.0, ge=0, le=3600, description="From silence to the full rate in so many seconds")
    fcm_connections: int = Field(16, ge=1, le=100, description="HTTP/2 connections, a hundred messages on each")
    log_format: Literal["text", "json"] = Field("text", description="Form of the log lines")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least severity logged")
    public_reads: bool = Field(
        False, description="Serve the reader's pages and related articles without a key (the demo does)"
    )
    cors_origins: str = Field(
        "", description="Web origins that may call the API from a browser, separated by commas; `*` for any"
    )
    rate_per_s: float = Field(
        0.0, ge=0, le=1e6, description="Most requests a second of one key, unless the key has its own; 0: any number"
    )
    access_log: bool = Field(False, description="Log a line for each request: route, status, time; never who or what")
    window_days: float = Field(
        10.0, gt=0, le=3650, description="Articles this recent can be recommended in a for-you list"
    )
    index_dir: Path | None = Field(
        Path("var/index"), description="Where servers keep the index between starts; empty keeps none"
    )
    models_dir: Path | None = Field(
        Path("var/models"), description="Where learned click models are kept, for all workers; empty keeps none"
    )
    refresh_s: float = Field(0.5, ge=0.05, le=60, description="How often a worker looks for changed rows")
    fetch_timeout_s: float = Field(20.0, gt=0, le=600, description="Longest time one feed may take, in all")
    fetch_max_bytes: int = Field(20_000_000, gt=0, description="Largest feed read, after decompression")
    allow_private_addresses: bool = Field(False, description="Fetch feeds from private and loopback addresses too")
    zone: str = Field("UTC", description="The newsroom's time zone, in which the console shows times")
    oidc_issuer: str = Field("", description="OpenID Connect provider to sign in with; empty: passwords alone")
    oidc_client_id: str = Field("newsbell", description="Under which the provider knows the console")
    oidc_secret: str = Field("", description="The client's secret at the provider; better a file")
    oidc_secret_file: Path | None = Field(None, description="File that holds the client's secret")
    oidc_role_claim: str = Field("groups", description="Claim of the token that says what somebody is")
    oidc_roles: str = Field("", description="Roles by that claim, like `leads=lead, desk=editor`; others stay out")
    tick_s: float = Field(30.0, ge=1, le=900, description="How often the scheduler looks for due campaigns")
    served_days: float = Field(
        90.0, ge=1, le=3650, description="How long the log of served lists is kept; learning reads it"
    )
    learn_every_h: float = Field(
        0.0, ge=0, le=168, description="The scheduler learns weights so often and leaves them as a draft; 0: never"
    )
    learn_days: int = Field(28, ge=1, le=366, description="Of how many days of lists it learns")
    learn_interest: bool = Field(
        False, description="It learns a click model too, for the signal of interest: `newsbell learn --interest`"
    )
    dask: str | None = Field(None, description="Dask scheduler address for ranking many readers")

    @field_validator("index_dir", "models_dir", mode="before")
    @classmethod
    def _no_folder(cls, folder: object) -> object:
        return None if folder == "" else folder

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if name not in zone_names():
            raise ValueError("use an IANA name like Europe/Prague")
        return name

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, url: str) -> str:
        if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("start it with sqlite:/// or postgresql+psycopg://")
        return url

    @property
    def is_public(self) -> bool:
        """Whether the API listens beyond this machine."""
        try:
            return not ip_address(self.host).is_loopback
        except ValueError:
            return self.host != "localhost"


def load_settings(**overrides: object) -> Settings:
    """Read the environment; InvalidSettings names the key and the mend."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        raise InvalidSettings("; ".join(_mend(item) for item in error.errors())) from None


def _mend(item: object) -> str:
    where = ".".join(str(part) for part in item["loc"])  # type: ignore[index]
    return f"NEWSBELL_{where.upper()}: {item['msg']}"  # type: ignore[index]
