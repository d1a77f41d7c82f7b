"""What routes are given to work with, made for the tenant that is asking."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from api.access import AccessDep, StoreDep
from api.banks import Banks
from api.calibrated import Graders
from api.calibrating import Calibrations
from api.dependencies import AnswersDep, BankDep, DatabaseDep, GraderDep, LearntDep, LedgerDep, MetricsDep
from api.drafts import Drafts
from api.grading import Grading
from api.items import Items
from api.jobs.book import Jobs
from api.jobs.intake import Intake
from api.regrading import Regrading
from api.results import Results
from api.reviews import Reviews
from api.tokens import Tokens
from api.usage import UsageBook
from api.webhooks.book import Webhooks


async def get_items(bank: BankDep, store: StoreDep, access: AccessDep) -> Items:
    """Return the items that answers may be held against."""
    return Items(bank, store, access.bound)


async def get_banks(bank: BankDep, store: StoreDep) -> Banks:
    """Return the banks."""
    return Banks(store, bank)


async def get_drafts(bank: BankDep, store: StoreDep) -> Drafts:
    """Return the items of banks as their owner edits them."""
    return Drafts(store, bank)


async def get_results(store: StoreDep) -> Results:
    """Return the stored results."""
    return Results(store)


async def get_reviews(store: StoreDep) -> Reviews:
    """Return the reviews."""
    return Reviews(store)


async def get_webhooks(store: StoreDep) -> Webhooks:
    """Return the webhooks."""
    return Webhooks(store)


WebhooksDep = Annotated[Webhooks, Depends(get_webhooks)]
ReviewsDep = Annotated[Reviews, Depends(get_reviews)]
ItemsDep = Annotated[Items, Depends(get_items)]
BanksDep = Annotated[Banks, Depends(get_banks)]
DraftsDep = Annotated[Drafts, Depends(get_drafts)]
ResultsDep = Annotated[Results, Depends(get_results)]


async def get_jobs(store: StoreDep) -> Jobs:
    """Return the jobs."""
    return Jobs(store)


async def get_intake(items: ItemsDep, store: StoreDep, access: AccessDep) -> Intake:
    """Return what queues jobs."""
    return Intake(items=items, store=store, access=access)


IntakeDep = Annotated[Intake, Depends(get_intake)]
JobsDep = Annotated[Jobs, Depends(get_jobs)]


async def get_tokens(database: DatabaseDep, items: ItemsDep, access: AccessDep) -> Tokens:
    """Return what makes tokens."""
    return Tokens(database=database, items=items, access=access)


TokensDep = Annotated[Tokens, Depends(get_tokens)]


async def get_usage(store: StoreDep, ledger: LedgerDep) -> UsageBook:
    """Return the counts of what was graded."""
    return UsageBook(store, ledger)


UsageDep = Annotated[UsageBook, Depends(get_usage)]


async def get_graders(grader: GraderDep, learnt: LearntDep, store: StoreDep) -> Graders:
    """Return the graders for items, those included that have learnt from reviews."""
    return Graders(general=grader, learnt=learnt, store=store)


GradersDep = Annotated[Graders, Depends(get_graders)]


async def get_grading(  # noqa: PLR0917 FastAPI passes them by name
    graders: GradersDep,
    answers: AnswersDep,
    items: ItemsDep,
    access: AccessDep,
    metrics: MetricsDep,
    store: StoreDep,
    ledger: LedgerDep,
) -> Grading:
    """Return what grades answers, keeps the results and counts."""
    return Grading(graders=graders, answers=answers, items=items, store=store, access=access, metrics=metrics, ledger=ledger)


GradingDep = Annotated[Grading, Depends(get_grading)]


async def get_regrading(graders: GradersDep, items: ItemsDep, store: StoreDep, access: AccessDep) -> Regrading:
    """Return what grades stored answers again."""
    return Regrading(store=store, items=items, graders=graders, key_name=access.name)


RegradingDep = Annotated[Regrading, Depends(get_regrading)]


async def get_calibrations(store: StoreDep, items: ItemsDep) -> Calibrations:
    """Return what was learnt from reviews."""
    return Calibrations(store, items)


CalibrationsDep = Annotated[Calibrations, Depends(get_calibrations)]
