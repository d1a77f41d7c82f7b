"""`grader serve`: the HTTP API in this process."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from threading import Event
from types import FrameType

import click
import uvicorn

from api.access import is_loopback
from api.commands.options import explained
from api.keys import has_keys
from api.settings import Settings
from api.storage import migrations
from api.storage.database import Database, parse_url
from grader import GraderError
from grader.allocator import tune_allocator
from grader.cli.options import bank_option, bank_path, home_option

# Requests in progress are finished when the server is told to stop; longer than this nothing takes.
_GRACE_S = 20
# How long a thread that grades may keep the others from running, and with them the one that answers health checks; Python's own
# five milliseconds add up with every request in progress.
_TURN_S = 0.001


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
    # It takes half a second to import, which a refusal above need not wait for.
    from api.app import create_app  # noqa: PLC0415
    from api.protocol import BoundedHttpToolsProtocol  # noqa: PLC0415 as above

    app = create_app()
    app.state.at_rest = settle
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        # With uvloop a burst of requests is read before any is answered, and health checks wait (docs/adr/0025).
        loop="asyncio",
        http=BoundedHttpToolsProtocol,
        timeout_graceful_shutdown=_GRACE_S,
        # The service logs requests itself: the server's own lines hold addresses, which may name a person.
        access_log=False,
        log_config=None,
    )
    sys.setswitchinterval(_TURN_S)
    tune_allocator()
    Server(config).run()


def settle() -> None:
    """Leave what is loaded by now out of garbage collections: with it a full one stops every thread for a quarter of a second.

    Nothing is collected first, as that would be such a stop, and what is garbage by now is little.
    """
    gc.freeze()


class Server(uvicorn.Server):
    """A server that tells the app at once when it is to stop."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Tell the app, whose streams would otherwise be waited for, and stop."""
        stopping: Event = self.config.app.state.stopping  # type: ignore[union-attr]  # the app that is made above
        stopping.set()
        super().handle_exit(sig, frame)
