"""The one place where rows are held apart by tenant.

A `TenantSession` adds `tenant_id = …` to every select, update and delete, stamps every new row with its tenant, and refuses
what it cannot filter. Queries elsewhere do not name the tenant, and cannot forget to.
"""

from __future__ import annotations

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction, with_loader_criteria

from api.storage.tables import Base, TenantOwned


class TenantSession(Session):
    """A session that sees the rows of one tenant, named by `info["tenant_id"]`."""


@event.listens_for(TenantSession, "do_orm_execute")
def _keep_to_the_tenant(state: ORMExecuteState) -> None:
    if not (state.is_select or state.is_update or state.is_delete) or state.bind_mapper is None:
        raise RuntimeError("a tenant's session runs selects, updates and deletes of mapped classes only")
    if any(not issubclass(mapper.class_, TenantOwned) for mapper in state.all_mappers):
        raise RuntimeError("a tenant's session sees only what belongs to a tenant")
    tenant_id: str = state.session.info["tenant_id"]
    state.statement = state.statement.options(
        with_loader_criteria(TenantOwned, lambda cls: cls.tenant_id == tenant_id, include_aliases=True)
    )


@event.listens_for(TenantSession, "before_flush")
def _stamp_new_rows(session: Session, _: UOWTransaction, __: object) -> None:
    tenant_id: str = session.info["tenant_id"]
    for row in [*session.new, *session.dirty]:
        if not isinstance(row, TenantOwned):
            raise TypeError(f"a tenant's session writes only what belongs to a tenant, got {_kind(row)}")
        if row in session.new and row.tenant_id is None:
            row.tenant_id = tenant_id
        if row.tenant_id != tenant_id:
            raise RuntimeError(f"a row of {_kind(row)} belongs to another tenant")


def _kind(row: Base | object) -> str:
    return type(row).__name__
