"""`grader serve`: the HTTP API in this process."""

from __future__ import annotations

import os
from pathlib import Path

import click

from grader.cli.options import bank_option, bank_path, home_option, home_path


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 is every one.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65_535), help="Port; 0 takes a free one.")
@bank_option
@home_option
def serve(host: str, port: int, bank_dir: Path | None, home: Path | None) -> None:
    """Serve the HTTP API; its pages are at /docs."""
    import uvicorn

    # The service reads its settings from the environment, and this process is its environment.
    os.environ["GRADER_BANK_DIR"] = str(bank_path(bank_dir).resolve())
    os.environ["GRADER_HOME"] = str(home_path(home).resolve())
    uvicorn.run("api.app:create_app", factory=True, host=host, port=port)
