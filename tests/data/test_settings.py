"""The environment: every key has a default, a wrong one is named with the mend."""

import pytest

from data.errors import InvalidSettings
from data.settings import load_settings


def test_the_defaults_need_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEWSBELL_DATABASE_URL", raising=False)
    settings = load_settings()
    assert settings.database_url == "sqlite:///var/newsbell.db"
    assert not settings.is_public


@pytest.mark.parametrize(
    ("key", "value"), [("PORT", "eighty"), ("SENDER", "pigeon"), ("DATABASE_URL", "mysql://x"), ("WINDOW_DAYS", "0")]
)
def test_a_wrong_key_is_named(key: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"NEWSBELL_{key}", value)
    with pytest.raises(InvalidSettings, match=f"NEWSBELL_{key}"):
        load_settings()


def test_listening_beyond_this_machine_is_noticed() -> None:
    assert load_settings(host="0.0.0.0").is_public
    assert not load_settings(host="localhost").is_public
