"""`grader keys`: who may use the service."""

from __future__ import annotations

import json
from datetime import timedelta

import click
from pydantic import TypeAdapter, ValidationError

from api import keys as api_keys
from api.commands.options import with_database
from api.keys import KEYLESS, Scope
from api.settings import RateLimit
from api.storage import migrations
from api.storage.columns import now
from api.storage.database import Database
from api.storage.tables import ApiKey
from grader import Slug

_MAX_NAME_CHARS = 200


@click.group()
def keys() -> None:
    """Make, list, revoke and rotate the keys of the service."""


def _rate_limit(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Refuse what is no limit."""
    try:
        return None if value is None else str(TypeAdapter(RateLimit).validate_python(value))
    except ValidationError as error:
        raise click.BadParameter("it is written as in 600/minute, and lets something pass") from error


def _tenant(_: click.Context, __: click.Parameter, value: str) -> str:
    """Refuse what is no id."""
    try:
        return str(TypeAdapter(Slug).validate_python(value))
    except ValidationError as error:
        raise click.BadParameter("it is written with a-z, 0-9 and single hyphens, in at most 80 characters") from error


def _name(_: click.Context, __: click.Parameter, value: str) -> str:
    """Refuse what no database and no terminal should hold."""
    if len(value) > _MAX_NAME_CHARS or not value.isprintable():
        raise click.BadParameter(f"it has at most {_MAX_NAME_CHARS} printable characters")
    return value


@keys.command()
@click.option("--tenant", default=KEYLESS.tenant_id, show_default=True, callback=_tenant, help="Who owns what the key stores.")
@click.option("--name", default="", callback=_name, help="Who uses the key; results and reviews name it.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    default=[Scope.GRADE.value],
    show_default=True,
    help="What it may do; can be given several times. admin holds all.",
)
@click.option("--days", type=click.IntRange(1, 36_500), help="How long it is valid; without end if left out.")
@click.option("--store", is_flag=True, help="Store every result, unless a request says otherwise.")
@click.option("--rate-limit", callback=_rate_limit, help="Such as 600/minute, in units of 1,000 bytes; the server's if left out.")
@with_database
def create(
    database: Database,
    *,
    tenant: str,
    name: str,
    scopes: tuple[str, ...],
    days: int | None,
    rate_limit: str | None,
    store: bool,
) -> None:
    """Make a key and print it, this once: only its hash is kept."""
    migrations.make_ready(database)
    shown, row = api_keys.create_key(
        database,
        tenant_id=tenant,
        name=name or tenant,
        scopes=map(Scope, scopes),
        expires_at=now() + timedelta(days=days) if days else None,
        store_results=store,
        rate_limit=rate_limit,
    )
    _show(shown, row)


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_database
def list_keys(database: Database, *, as_json: bool) -> None:
    """List all keys by their prefix; the keys themselves are not kept."""
    rows = [_facts(row) for row in api_keys.list_keys(database)]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        click.echo("  ".join(f"{name} {value}" for name, value in row.items() if value not in (None, False)))
    click.echo(f"{len(rows)} keys.", err=True)


@keys.command()
@click.argument("prefix")
@with_database
def revoke(database: Database, prefix: str) -> None:
    """End the key with this PREFIX at once."""
    api_keys.revoke_key(database, prefix)
    click.echo(f"{prefix}: revoked.", err=True)


@keys.command()
@click.argument("prefix")
@click.option("--overlap-hours", default=24, show_default=True, type=click.IntRange(0, 8_760), help="How long both are valid.")
@with_database
def rotate(database: Database, prefix: str, overlap_hours: int) -> None:
    """Make a key that may do the same as the one with this PREFIX, which ends after the overlap."""
    _show(*api_keys.rotate_key(database, prefix, overlap=timedelta(hours=overlap_hours)))


def _show(shown: str, row: ApiKey) -> None:
    click.echo(shown)
    click.echo(f"Keep it now, it is not shown again. Tenant {row.tenant_id}, scopes: {row.scopes}.", err=True)


def _facts(row: ApiKey) -> dict[str, object]:
    moments = {name: getattr(row, name) for name in ("created_at", "expires_at", "revoked_at")}
    return {
        "prefix": row.prefix,
        "tenant": row.tenant_id,
        "name": row.name,
        "scopes": row.scopes,
        "store": row.store_results,
        "rate_limit": row.rate_limit,
        **{name: moment and moment.isoformat(timespec="seconds") for name, moment in moments.items()},
    }
