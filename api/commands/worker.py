"""`grader worker`: grades the rows of jobs beside the service, on this machine or another."""

from __future__ import annotations

import logging
import signal
from pathlib import Path
from threading import Event

import click

from api import logs, tracing
from api.commands.options import with_database
from api.jobs.work import Work
from api.metrics import Metrics
from api.settings import Settings, TraceSettings
from api.storage import migrations
from api.storage.database import Database
from api.webhooks.sending import Sender
from grader import Grader, open_bank
from grader.allocator import tune_allocator
from grader.cli.options import bank_option, bank_path, home_option, home_path
from grader.cores import keep_products_on_one_core

logger = logging.getLogger(__name__)


@click.command()
@bank_option
@home_option
@with_database
def worker(database: Database, bank_dir: Path | None, home: Path | None) -> None:
    """Grade the rows of jobs until told to stop; any number of workers share the jobs of one database."""
    # What carries out jobs takes half a second to import, which other commands need not pay.
    from api.jobs.engine import Engine  # noqa: PLC0415
    from api.jobs.second_process import second_process  # noqa: PLC0415

    settings = Settings()
    logs.configure(settings.log_level)
    tracing.configure(TraceSettings())
    migrations.make_ready(database)
    bank = open_bank(bank_path(bank_dir), home=home_path(home))
    keep_products_on_one_core()
    tune_allocator()
    grader = Grader.from_directory(home_path(home), threads=settings.threads, precision=settings.precision)
    grader.embed(bank)
    second = second_process(settings, home_path(home), bank)
    engine = Engine(
        Work(database=database, bank=bank, grader=grader, metrics=Metrics(), second=second),
        Sender(database=database, private_targets=settings.webhook_private_targets),
    )
    told = Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: told.set())
    engine.start()
    told.wait()
    logger.info("The worker finishes what it has begun.")
    engine.stop()
    grader.close()
