"""The service against its own OpenAPI document: generated requests find no 5xx and no answer that is not documented.

Requests go over loopback to a server of the command line, as a client would send them, with a key that may do everything.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import checks
from schemathesis.core.result import Ok

from api.app import create_app
from api.keys import Scope, create_key
from api.settings import Settings
from api.storage import migrations
from api.storage.database import Database
from grader import Grader, ItemBank
from tests.api.databases import KINDS, new_database

SCHEMA = schemathesis.openapi.from_dict(create_app(Settings(home=Path("unused"))).openapi())
# Requests that break the document's rules need not be refused: a query that nobody reads is let pass.
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


@schemathesis.serializer("application/jsonl", "application/vnd.apache.parquet")
def as_it_is(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """Send what was generated for a file as its bytes."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, grader_home: Path, real_grader: Grader, shipped_bank: ItemBank
) -> Iterator[tuple[str, dict[str, str]]]:
    """Run a server with a database of its own; give its address and the header with a key."""
    real_grader.embed(shipped_bank)
    # PostgreSQL, where there is one, refuses more than SQLite does.
    with new_database(KINDS[-1], tmp_path_factory.mktemp("contract"), whole=True) as url:
        database = Database(url)
        migrations.upgrade(database)
        key, _ = create_key(database, tenant_id="north", name="all", scopes=[Scope.ADMIN], rate_limit="1000000/second")
        database.close()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        kept_at = url.render_as_string(hide_password=False)
        stated = {"GRADER_HOME": str(grader_home), "GRADER_DATABASE_URL": kept_at, "GRADER_LOG_LEVEL": "error"}
        command = [sys.executable, "-m", "grader", "serve", "--port", str(port)]
        server = subprocess.Popen(command, env={**os.environ, **stated})
        address = f"http://127.0.0.1:{port}"
        try:
            wait_until_ready(address)
            yield address, {"Authorization": f"Bearer {key}"}
        finally:
            server.terminate()
            server.wait(timeout=60)


def wait_until_ready(address: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urlopen(f"{address}/readyz").close()  # noqa: S310 the address is made here
        except URLError:
            assert time.monotonic() < deadline, "the server did not become ready"
            time.sleep(0.1)
        else:
            return


@SCHEMA.parametrize()
@settings(
    max_examples=int(os.environ.get("GRADER_TEST_EXAMPLES", "12")),
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_those_of_the_document(case: Any, served: tuple[str, dict[str, str]]) -> None:
    address, headers = served
    case.call_and_validate(base_url=address, headers=headers, checks=CHECKS, timeout=60)


def test_every_route_is_asked() -> None:
    asked = {result.ok().label for result in SCHEMA.get_all_operations() if isinstance(result, Ok)}
    assert len(asked) == sum(len(operations) for operations in SCHEMA.raw_schema["paths"].values())
    assert all(re.match(r"^(GET|POST|DELETE) /", each) for each in asked)
