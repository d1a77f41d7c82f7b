"""What routes are given to work with, made for the tenant that is asking."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from api.access import AccessDep, StoreDep
from api.dependencies import BankDep, GraderDep
from api.grading import Grading
from api.items import Items
from api.results import Results


def get_items(bank: BankDep) -> Items:
    """Return the items that answers may be held against."""
    return Items(bank)


def get_results(store: StoreDep) -> Results:
    """Return the stored results."""
    return Results(store)


ItemsDep = Annotated[Items, Depends(get_items)]
ResultsDep = Annotated[Results, Depends(get_results)]


def get_grading(grader: GraderDep, items: ItemsDep, results: ResultsDep, access: AccessDep) -> Grading:
    """Return what grades answers and keeps the results."""
    return Grading(grader=grader, items=items, results=results, access=access)


GradingDep = Annotated[Grading, Depends(get_grading)]
