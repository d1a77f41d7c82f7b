"""`grader purge`: delete what is old."""

from __future__ import annotations

from datetime import timedelta

import click
from sqlalchemy import select

from api.commands.options import with_database
from api.results import Results
from api.storage.columns import now
from api.storage.database import Database, Store
from api.storage.tables import Tenant


@click.command()
@click.option("--days", required=True, type=click.IntRange(1, 36_500), help="Delete results that are older than this many days.")
@click.option("--tenant", help="Only this tenant's; everyone's if left out.")
@with_database
def purge(database: Database, days: int, tenant: str | None) -> None:
    """Delete stored results by age, with their reviews and whatever else repeats them."""
    before = now() - timedelta(days=days)
    with database.system(read_only=True) as session:
        tenants = list(session.scalars(select(Tenant.id).order_by(Tenant.id)))
    if tenant is not None and tenant not in tenants:
        raise click.BadParameter(f"there is no tenant {tenant!r}", param_hint="--tenant")
    for tenant_id in tenants if tenant is None else [tenant]:
        erased = Results(Store(database, tenant_id)).delete(before=before)
        click.echo(f"{tenant_id}: {erased.results} results deleted.", err=True)
