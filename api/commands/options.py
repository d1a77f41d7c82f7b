"""What the service's commands share: how the database is named and opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import click
from pydantic import SecretStr
from sqlalchemy.exc import DBAPIError

from api.settings import Settings
from api.storage.database import Database, parse_url
from api.storage.errors import StorageError

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def open_database(address: str | None) -> Iterator[Database]:
    """Open the database that a command line or the environment names; what the driver says against it becomes one sentence."""
    settings = Settings(database_url=SecretStr(address)) if address else Settings()
    database = Database(parse_url(settings.database_address()), statement_timeout_s=0)
    try:
        yield database
    except DBAPIError as error:
        reason = (str(error.orig).strip().splitlines() or ["no reason given"])[0]
        raise StorageError(f"The database {database.name} cannot be used: {reason.rstrip('.')}.") from error
    finally:
        database.close()


def with_database(command: Callable[Concatenate[Database, P], R]) -> Callable[P, R]:
    """Give a command the option `--database`, and the open database as its first argument."""

    @click.option(
        "--database",
        "address",
        envvar="GRADER_DATABASE_URL",
        show_envvar=True,
        metavar="URL",
        help="sqlite:////folder/file or postgresql://user:password@host/name; grader.sqlite in the data folder if left out.",
    )
    @wraps(command)
    def opened(*args: P.args, **kwargs: P.kwargs) -> R:
        address = kwargs.pop("address", None)
        with open_database(address if isinstance(address, str) else None) as database:
            return command(database, *args, **kwargs)

    return opened
