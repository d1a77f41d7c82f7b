"""`grader serve`: the HTTP API in this process."""

from __future__ import annotations

import os
from pathlib import Path

import click
import uvicorn

from api.access import is_loopback
from api.commands.options import explained
from api.keys import has_keys
from api.settings import Settings
from api.storage import migrations
from api.storage.database import Database, parse_url
from grader import GraderError
from grader.cli.options import bank_option, bank_path, home_option

# Requests in progress are finished when the server is told to stop; longer than this nothing takes.
_GRACE_S = 20


class KeylessAddressError(GraderError):
    """The service would listen to other machines, and anyone there could use it."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"There are no keys yet, and without keys the service listens on 127.0.0.1 only, not on {host}. "
            "Run `grader keys create` first, or leave out --host."
        )


@click.command()
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 is every one, and needs keys."
)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65_535), help="Port; 0 takes a free one.")
@bank_option
@home_option
def serve(host: str, port: int, bank_dir: Path | None, home: Path | None) -> None:
    """Serve the HTTP API; its pages are at /docs."""
    # The service reads its settings from the environment, and this process is its environment.
    os.environ["GRADER_BANK_DIR"] = str(bank_path(bank_dir).resolve())
    if home is not None:
        os.environ["GRADER_HOME"] = str(home.resolve())
    database = Database(parse_url(Settings().database_address()))
    with explained(database):
        migrations.make_ready(database)
        if not is_loopback(host) and not has_keys(database):
            raise KeylessAddressError(host)
    uvicorn.run(
        "api.app:create_app",
        factory=True,
        host=host,
        port=port,
        timeout_graceful_shutdown=_GRACE_S,
        # The service logs requests itself: the server's own lines hold addresses, which may name a person.
        access_log=False,
        log_config=None,
    )
