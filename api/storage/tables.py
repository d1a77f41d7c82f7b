"""The tables. What belongs to a tenant is marked so by `TenantOwned`; the session filters by that mark."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from api.storage.columns import UtcDateTime, new_id, now

# Named constraints are what a migration can drop again.
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The base of every table."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {datetime: UtcDateTime()}  # noqa: RUF012 SQLAlchemy reads it from the class


class TenantOwned:
    """A row that belongs to one tenant and that no other may see."""

    tenant_id: Mapped[str] = mapped_column(String(80), ForeignKey("tenants.id", ondelete="CASCADE"), index=True)


class Tenant(Base):
    """An owner of keys, banks and results: a school, a company."""

    __tablename__ = "tenants"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(default=now)


class ApiKey(TenantOwned, Base):
    """A key as it is kept: its secret only as a hash."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(200))
    prefix: Mapped[str] = mapped_column(String(16), unique=True)
    secret_hash: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[str] = mapped_column(Text)
    store_results: Mapped[bool] = mapped_column(default=False)
    rate_limit: Mapped[str | None] = mapped_column(String(80))
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
