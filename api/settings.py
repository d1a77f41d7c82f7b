"""Where and how the service runs: the only reader of the environment. How answers are marked is the items' business."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from platformdirs import user_cache_path
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from grader import default_bank_dir


class Settings(BaseSettings):
    """Settings of one server, each from a variable with the prefix `GRADER_`, such as `GRADER_HOME`."""

    model_config = SettingsConfigDict(env_prefix="GRADER_", frozen=True, extra="forbid")

    bank_dir: Path = Field(default_factory=default_bank_dir, description="Folder of the bank to serve.")
    home: Path = Field(
        default_factory=lambda: user_cache_path("grader"), description="Folder for the prepared encoder and the stored vectors."
    )
    # An address may hold a password, which must not turn up where settings are printed.
    database_url: SecretStr | None = Field(
        default=None, description="Address of the database; a SQLite file in the folder `home` if left out."
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Web origins whose pages may call the service, separated by commas; `*` allows every origin."
    )
    threads: int = Field(default=0, ge=0, le=256, description="Cores that the encoder may use; 0 takes all of them.")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    # Every grading request holds a worker thread, of which there are 40: the rest stay free for look-ups and health checks.
    max_in_flight: int = Field(default=16, ge=1, le=32, description="Grading requests at a time; one more is answered with 503.")

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(origin.strip() for origin in value.split(",") if origin.strip())

    def database_address(self) -> str:
        """Return the address of the database, its password included."""
        return self.database_url.get_secret_value() if self.database_url else f"sqlite:///{self.home.resolve() / 'grader.sqlite'}"
