"""Settings come from the environment, are checked, and stay as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from platformdirs import user_cache_path, user_data_path
from pydantic import SecretStr, ValidationError

from api.settings import Settings
from grader import default_bank_dir


def test_defaults_serve_the_shipped_bank_to_no_other_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"GRADER_{name.upper()}", raising=False)
    settings = Settings()
    assert settings.bank_dir == default_bank_dir()
    assert settings.home.name == "grader"
    assert (settings.cors_origins, settings.threads, settings.log_level, settings.max_in_flight) == ((), 0, "info", 0)


def test_environment_sets_every_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {
        "BANK_DIR": "some/bank",
        "HOME": "some/home",
        "DATABASE_URL": "postgresql://user:secret@host/name",
        "CORS_ORIGINS": "https://a.example, https://b.example,",
        "THREADS": "2",
        "PRECISION": "fp32",
        "LOG_LEVEL": "warning",
        "MAX_IN_FLIGHT": "4",
        "MAX_WAITING": "0",
        "RATE_LIMIT": "5/second",
        "RATE_LIMIT_STORAGE": "redis://:secret@host:6379/0",
        "MAX_UPLOAD_BYTES": "5000",
        "WORK_ON_JOBS": "no",
        "SECOND_PROCESS": "no",
        "WEBHOOK_PRIVATE_TARGETS": "yes",
        "PUBLIC_PRACTICE": "true",
    }
    assert {name.lower() for name in environment} == set(Settings.model_fields)
    for name, value in environment.items():
        monkeypatch.setenv(f"GRADER_{name}", value)
    assert Settings().model_dump() == {
        "bank_dir": Path("some/bank"),
        "home": Path("some/home"),
        "database_url": SecretStr("postgresql://user:secret@host/name"),
        "cors_origins": ("https://a.example", "https://b.example"),
        "threads": 2,
        "precision": "fp32",
        "log_level": "warning",
        "max_in_flight": 4,
        "max_waiting": 0,
        "public_practice": True,
        "max_upload_bytes": 5000,
        "work_on_jobs": False,
        "second_process": False,
        "webhook_private_targets": True,
        "rate_limit": "5/second",
        "rate_limit_storage": SecretStr("redis://:secret@host:6379/0"),
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("THREADS", "-1"),
        ("THREADS", "many"),
        ("LOG_LEVEL", "loud"),
        ("MAX_IN_FLIGHT", "-1"),
        ("MAX_IN_FLIGHT", "33"),
        ("RATE_LIMIT", "much"),
    ],
)
def test_wrong_value_names_the_setting(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"GRADER_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().threads = 3  # type: ignore[misc]


def test_database_is_a_file_in_the_home_folder_unless_an_address_is_given(tmp_path: Path) -> None:
    assert Settings(home=tmp_path).database_address() == f"sqlite:///{tmp_path}/grader.sqlite"


def test_database_is_in_no_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRADER_HOME", raising=False)
    monkeypatch.delenv("GRADER_DATABASE_URL", raising=False)
    assert Settings().home == user_cache_path("grader")
    assert Settings().database_address() == f"sqlite:///{user_data_path('grader')}/grader.sqlite"


def test_password_of_the_database_is_not_printed_with_the_settings() -> None:
    settings = Settings(database_url=SecretStr("postgresql://user:hush@host/name"))
    assert settings.database_address() == "postgresql://user:hush@host/name"
    assert "hush" not in repr(settings) + str(settings.model_dump())
