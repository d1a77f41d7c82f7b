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
def explained(database: Database) -> Iterator[None]:
    """Make one sentence of what the driver says against a database, and close it at the end."""
    try:
        yield
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
        help="sqlite:////folder/file or postgresql://user:password@host/name; grader.sqlite among your data if left out.",
    )
    @wraps(command)
    def opened(*args: P.args, **kwargs: P.kwargs) -> R:
        address = kwargs.pop("address", None)
        settings = Settings(database_url=SecretStr(address)) if isinstance(address, str) else Settings()
        database = Database(parse_url(settings.database_address()), statement_timeout_s=0)
        with explained(database):
            return command(database, *args, **kwargs)

    return opened
