"""What keys had graded."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError

from api import access
from api.access import AccessDep
from api.errors import RateLimitedError, TokenMismatchError, TooManyAttemptsError, UnauthenticatedError
from api.problems import responses
from api.providers import UsageDep
from api.usage import UsageFilter, UsageReport

router = APIRouter(
    prefix="/v1/usage",
    tags=["service"],
    route_class=access.KeyedRoute,
    dependencies=[Depends(access.limit_rate)],
    responses=responses(
        UnauthenticatedError,
        TokenMismatchError,
        TooManyAttemptsError,
        RateLimitedError,
        RequestValidationError,
        OperationalError,
        Exception,
    ),
)


@router.get("")
def read_usage(usage: UsageDep, asking: AccessDep, wanted: Annotated[UsageFilter, Query()]) -> UsageReport:
    """Show what the key had graded, by day; with the scope `admin`, what every key of its tenant had."""
    return usage.report(asking, wanted)
