"""Where and how the service runs: the only reader of the environment. How answers are marked is the items' business."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import limits
from platformdirs import user_cache_path, user_data_path
from pydantic import AfterValidator, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.rates import IN_PROCESS
from grader import default_bank_dir
from grader.encoders import DEFAULT_PRECISION, Precision

# Every grading request holds a worker thread, of which there are 40: the rest stay free for look-ups and health checks.
_MOST_PLACES = 32


def _is_rate_limit(text: str) -> str:
    """Refuse what is no limit, such as `600/minute` is one."""
    if limits.parse(text).amount < 1:
        raise ValueError("it lets nothing pass; revoke the key instead")
    return text


def _is_rate_storage(address: SecretStr) -> SecretStr:
    """Refuse what is no place to count rates in, without repeating it: it may hold a password."""
    scheme = address.get_secret_value().partition("://")[0]
    if address.get_secret_value() != IN_PROCESS and scheme not in {"redis", "rediss"}:
        raise ValueError("it is memory:// or the address of a Redis, such as redis://host:6379/0")
    if scheme != "memory" and find_spec("redis") is None:
        raise ValueError('Redis needs the extra: pip install "answer-grader[redis]"')
    return address


RateLimit = Annotated[str, AfterValidator(_is_rate_limit)]
RateStorage = Annotated[SecretStr, AfterValidator(_is_rate_storage)]


class Settings(BaseSettings):
    """Settings of one server, each from a variable with the prefix `GRADER_`, such as `GRADER_HOME`."""

    model_config = SettingsConfigDict(env_prefix="GRADER_", frozen=True, extra="forbid", hide_input_in_errors=True)

    bank_dir: Path = Field(default_factory=default_bank_dir, description="Folder of the bank to serve.")
    home: Path = Field(
        default_factory=lambda: user_cache_path("grader", appauthor=False),
        description="Folder for the prepared encoder and the stored vectors.",
    )
    # An address may hold a password, which must not turn up where settings are printed.
    database_url: SecretStr | None = Field(
        default=None,
        description="Address of the database; if left out, grader.sqlite in `home`, or in the user's data folder without that.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Web origins whose pages may call the service, separated by commas; `*` allows every origin."
    )
    threads: int = Field(default=0, ge=0, le=256, description="Cores that the encoder may use; 0 takes all of them.")
    precision: Precision = Field(default=DEFAULT_PRECISION, description="Of the encoder; fp32 is slower, with other marks.")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    # More than the cores can work on only keep the thread from its turn that answers everybody.
    max_in_flight: int = Field(
        default=0,
        ge=0,
        le=_MOST_PLACES,
        description="Grading requests at a time; 0 takes as many as there are cores, and two at least.",
    )
    # A second of work for the two cores of a small server; more would wait longer than clients do.
    max_waiting: int = Field(default=64, ge=0, le=4_096, description="Requests that may wait for a place; one more is a 429.")
    max_upload_bytes: int = Field(
        default=1_000_000_000, ge=1, description="Bytes of a table that a job may be given; it is written to disk as it comes."
    )
    work_on_jobs: bool = Field(
        default=True, description="Whether this server grades the rows of jobs itself, or leaves them to `grader worker`."
    )
    second_process: bool = Field(
        default=True,
        description="Whether jobs of 1,000 rows and more are graded in a second process too, where there are two cores: a third "
        "faster, for 150 MB while they last.",
    )
    webhook_private_targets: bool = Field(
        default=False, description="Whether webhooks may be at addresses of private networks and of this machine."
    )
    public_practice: bool = Field(
        default=False, description="Whether everyone may practise on the pages without signing in, where there are keys."
    )
    rate_limit: RateLimit = Field(
        default="6000/minute",
        description="What a key may send, where it has no limit of its own: units of 1,000 bytes; a request is one at least.",
    )

    # An address may hold a password, as above.
    rate_limit_storage: RateStorage = Field(
        default=SecretStr(IN_PROCESS),
        description="Where rates are counted: `memory://` is each server by itself, `redis://host:6379/0` all that name it.",
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(origin.strip() for origin in value.split(",") if origin.strip())

    def places(self) -> int:
        """Return how many grading requests are worked on at a time."""
        return self.max_in_flight or min(_MOST_PLACES, max(2, self.threads or os.cpu_count() or 1))

    def database_address(self) -> str:
        """Return the address of the database, its password included."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        # A cache folder may be emptied at any time, and results may not.
        folder = self.home if "home" in self.model_fields_set else user_data_path("grader", appauthor=False)
        return f"sqlite:///{folder.resolve() / 'grader.sqlite'}"


class TraceSettings(BaseSettings):
    """Whether traces are wanted, from OpenTelemetry's own variables; the rest of those is read by its SDK."""

    model_config = SettingsConfigDict(env_prefix="OTEL_", frozen=True, extra="ignore", hide_input_in_errors=True)

    sdk_disabled: bool = False
    service_name: str = ""
    traces_exporter: str = Field(default="", description="`otlp`, `console`, `none` or another that is installed.")
    exporter_otlp_endpoint: str = ""
    exporter_otlp_traces_endpoint: str = ""

    def wanted_exporter(self) -> str | None:
        """Return the name of the exporter, None where nothing asks for traces: none are sent unasked."""
        named = self.traces_exporter.strip().lower()
        is_asked = bool(named or self.exporter_otlp_endpoint or self.exporter_otlp_traces_endpoint)
        if self.sdk_disabled or not is_asked or named == "none":
            return None
        # The one that is over HTTP, which the extra brings; the other one needs a compiler's worth of gRPC.
        return "otlp_proto_http" if named in {"", "otlp"} else named
