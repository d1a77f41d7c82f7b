"""What routes are given to work with, made for the tenant that is asking."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from api.access import AccessDep, StoreDep
from api.banks import Banks
from api.dependencies import BankDep, GraderDep, MetricsDep
from api.drafts import Drafts
from api.grading import Grading
from api.items import Items
from api.jobs.book import Jobs
from api.jobs.intake import Intake
from api.regrading import Regrading
from api.results import Results
from api.reviews import Reviews
from api.usage import UsageBook
from api.webhooks.book import Webhooks


def get_items(bank: BankDep, store: StoreDep) -> Items:
    """Return the items that answers may be held against."""
    return Items(bank, store)


def get_banks(bank: BankDep, store: StoreDep) -> Banks:
    """Return the banks."""
    return Banks(store, bank)


def get_drafts(bank: BankDep, store: StoreDep) -> Drafts:
    """Return the items of banks as their owner edits them."""
    return Drafts(store, bank)


def get_results(store: StoreDep) -> Results:
    """Return the stored results."""
    return Results(store)


def get_reviews(store: StoreDep) -> Reviews:
    """Return the reviews."""
    return Reviews(store)


def get_webhooks(store: StoreDep) -> Webhooks:
    """Return the webhooks."""
    return Webhooks(store)


WebhooksDep = Annotated[Webhooks, Depends(get_webhooks)]
ReviewsDep = Annotated[Reviews, Depends(get_reviews)]
ItemsDep = Annotated[Items, Depends(get_items)]
BanksDep = Annotated[Banks, Depends(get_banks)]
DraftsDep = Annotated[Drafts, Depends(get_drafts)]
ResultsDep = Annotated[Results, Depends(get_results)]


def get_jobs(store: StoreDep) -> Jobs:
    """Return the jobs."""
    return Jobs(store)


def get_intake(items: ItemsDep, store: StoreDep, access: AccessDep) -> Intake:
    """Return what queues jobs."""
    return Intake(items=items, store=store, access=access)


IntakeDep = Annotated[Intake, Depends(get_intake)]
JobsDep = Annotated[Jobs, Depends(get_jobs)]


def get_usage(store: StoreDep) -> UsageBook:
    """Return the counts of what was graded."""
    return UsageBook(store)


UsageDep = Annotated[UsageBook, Depends(get_usage)]


def get_grading(grader: GraderDep, items: ItemsDep, access: AccessDep, metrics: MetricsDep, store: StoreDep) -> Grading:
    """Return what grades answers, keeps the results and counts."""
    return Grading(grader=grader, items=items, results=Results(store), access=access, metrics=metrics, usage=UsageBook(store))


GradingDep = Annotated[Grading, Depends(get_grading)]


def get_regrading(grader: GraderDep, items: ItemsDep, store: StoreDep, access: AccessDep) -> Regrading:
    """Return what grades stored answers again."""
    return Regrading(store=store, items=items, grader=grader, key_name=access.name)


RegradingDep = Annotated[Regrading, Depends(get_regrading)]
