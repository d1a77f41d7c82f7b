"""The pages of banks: browse, edit an item and try it out, import, and publish after a look at what changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.datastructures import UploadFile

from api import access
from api.access import AccessDep
from api.bank_shapes import BankId, NewBank, StoredBank
from api.banks import Banks
from api.dependencies import GraderDep, take_slot
from api.drafts import Drafts, Entry, fingerprint_of_all
from api.errors import BankExistsError, BankReadOnlyError, DraftChangedError, InvalidItemsError, InvalidTableError
from api.keys import Access, Scope
from api.pages.access import guard
from api.pages.changes import changes_of
from api.pages.field_problems import problem_of_answer
from api.pages.item_form import ItemForm
from api.pages.rendering import KeyedPageRoute, base_of, render
from api.pages.trying import try_out
from api.providers import BanksDep, DraftsDep
from api.schemas import ItemId
from grader import MAX_ANSWER_CHARS, Difficulty, Grader, ImportFormat, suggest_key_points
from grader.items import ReferenceKind

_IMPORTS: Mapping[str, ImportFormat] = {
    ".yaml": ImportFormat.YAML,
    ".yml": ImportFormat.YAML,
    ".csv": ImportFormat.CSV,
    ".jsonl": ImportFormat.JSONL,
}
# Every list of an item at its longest takes some four hundred fields.
_MOST_FIELDS = 1_000
_MOST_PROBLEMS = 100
# Before the row that a button takes out, as in `remove.point.3`.
_REMOVE = "remove."

BankPath = Annotated[BankId, Path()]
_SLOT = Depends(take_slot, scope="function")
router = APIRouter(
    prefix="/banks",
    route_class=KeyedPageRoute,
    include_in_schema=False,
    default_response_class=HTMLResponse,
    dependencies=[Depends(guard(Scope.MANAGE)), Depends(access.limit_upload_rate)],
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What it takes to edit the items of a bank."""

    bank: StoredBank
    banks: Banks
    drafts: Drafts
    asking: Access

    @property
    def can_change(self) -> bool:
        """Whether anything of the bank can be saved."""
        return not (self.bank.read_only or self.bank.archived)


def get_workshop(bank_id: BankPath, banks: BanksDep, drafts: DraftsDep, asking: AccessDep) -> Workshop:
    """Return the workshop of a bank."""
    return Workshop(bank=banks.get(bank_id), banks=banks, drafts=drafts, asking=asking)


WorkshopDep = Annotated[Workshop, Depends(get_workshop)]


@router.get("")
def show_banks(request: Request, banks: BanksDep) -> Response:
    """Show all banks, and room for a new one."""
    return render(request, "banks.html", {"banks": banks.list(), "given": None})


@router.post("")
def create_bank(request: Request, banks: BanksDep, new: Annotated[NewBank, Form()]) -> Response:
    """Make an empty bank, and show it; where there is one of its name, show what was filled in."""
    try:
        bank = banks.create(new)
    except BankExistsError:
        return render(request, "banks.html", {"banks": banks.list(), "given": new}, status=409)
    return RedirectResponse(f"{base_of(request)}/banks/{bank.id}", status_code=303)


@router.get("/{bank_id}")
def show_bank(request: Request, workshop: WorkshopDep, *, published: int | None = None, discarded: bool = False) -> Response:
    """Show the items of a bank."""
    return _bank_page(request, workshop, {"published": published, "discarded": discarded})


@router.post("/{bank_id}/import", dependencies=[_SLOT])
async def import_items(request: Request, workshop: WorkshopDep) -> Response:
    """Add the items of a file as drafts, or show every problem that it has."""
    async with request.form(max_files=1, max_fields=0) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise InvalidTableError("There is no file in the form.")
        kind = _IMPORTS.get(FilePath(file.filename or "").suffix.lower())
        if kind is None:
            raise InvalidTableError(f"The file's name must end in {', '.join(_IMPORTS)}.")
        data = await file.read()
    return await run_in_threadpool(_import, request, workshop, data, kind)


@router.post("/{bank_id}/archive")
def archive(request: Request, workshop: WorkshopDep) -> Response:
    """Grade nothing with a bank any more, and show it as it stays."""
    workshop.banks.archive(workshop.bank.id)
    return RedirectResponse(f"{base_of(request)}/banks/{workshop.bank.id}", status_code=303)


@router.get("/{bank_id}/publish")
def show_changes(request: Request, workshop: WorkshopDep) -> Response:
    """Show what publishing the drafts of a bank would change."""
    return _changes_page(request, workshop, refused=False)


@router.post("/{bank_id}/publish", dependencies=[_SLOT])
def publish(request: Request, workshop: WorkshopDep, grader: GraderDep, seen: Annotated[str, Form(max_length=64)]) -> Response:
    """Publish the drafts that were looked at; where any of them has changed since, show what there is now."""
    entries = [entry for entry in workshop.drafts.entries(workshop.bank.id) if entry.draft is not None]
    if fingerprint_of_all(entries) != seen:
        return _changes_page(request, workshop, refused=True)
    done = workshop.banks.publish(workshop.bank.id, grader.embed, only={entry.fingerprint for entry in entries})
    return RedirectResponse(f"{base_of(request)}/banks/{workshop.bank.id}?published={done.published}", status_code=303)


@router.get("/{bank_id}/new")
def show_new_item(request: Request, workshop: WorkshopDep) -> Response:
    """Show the form of an item that is not there yet."""
    if not workshop.can_change:
        raise BankReadOnlyError(workshop.bank.id)
    form = ItemForm()
    form.plain.update(max_mark="10", mark_step="0.5", difficulty=Difficulty.MEDIUM.value)
    form.add_blank()
    form.add_blank()
    form.rows["reference"][0].values["kind"] = ReferenceKind.SHORT.value
    form.rows["reference"][1].values["kind"] = ReferenceKind.FULL.value
    return _item_page(request, workshop, None, form, {})


@router.get("/{bank_id}/items/{item_id}")
def show_item(request: Request, workshop: WorkshopDep, item_id: ItemId, *, saved: bool = False) -> Response:
    """Show an item with all that it holds."""
    entry = workshop.drafts.entry(workshop.bank.id, item_id)
    return _item_page(request, workshop, entry, ItemForm.of(entry.item), {"saved": saved})


@router.post("/{bank_id}/items/{item_id}/discard")
def discard(request: Request, workshop: WorkshopDep, item_id: ItemId, seen: Annotated[str, Form(max_length=64)] = "") -> Response:
    """Delete the draft that was looked at; where it has changed since, show what there is now."""
    try:
        workshop.drafts.discard(workshop.bank.id, item_id, seen=seen)
    except DraftChangedError:
        entry = workshop.drafts.entry(workshop.bank.id, item_id)
        again = f"{base_of(request)}/banks/{workshop.bank.id}/items/{item_id}"
        return _item_page(request, workshop, entry, ItemForm.of(entry.item), {"kept": True, "again": again}, status=409)
    return RedirectResponse(f"{base_of(request)}/banks/{workshop.bank.id}?discarded=true", status_code=303)


@router.post("/{bank_id}/new", dependencies=[_SLOT])
async def make_item(request: Request, workshop: WorkshopDep, grader: GraderDep) -> Response:
    """Do with a new item what the button that was pressed says."""
    async with request.form(max_files=0, max_fields=_MOST_FIELDS) as sent:
        given = [(name, value) for name, value in sent.multi_items() if isinstance(value, str)]
    return await run_in_threadpool(_edit, request, workshop, grader, None, given)


@router.post("/{bank_id}/items/{item_id}", dependencies=[_SLOT])
async def change_item(request: Request, workshop: WorkshopDep, grader: GraderDep, item_id: ItemId) -> Response:
    """Do with an item what the button that was pressed says: save it, try it, suggest key points, make room for more."""
    async with request.form(max_files=0, max_fields=_MOST_FIELDS) as sent:
        given = [(name, value) for name, value in sent.multi_items() if isinstance(value, str)]
    return await run_in_threadpool(_edit, request, workshop, grader, item_id, given)


def _edit(request: Request, workshop: Workshop, grader: Grader, item_id: str | None, sent: list[tuple[str, str]]) -> Response:
    given = dict(sent)
    entry = None if item_id is None else workshop.drafts.entry(workshop.bank.id, item_id)
    form = ItemForm.read(sent)
    if item_id is not None:
        form.plain["id"] = item_id
    item, problems = form.item()
    shown: dict[str, object] = {"seen": given.get("seen", ""), "answer": given.get("candidate_answer", "")}
    status = 200
    if given.get("wish") == "save":
        if item is not None:
            try:
                workshop.drafts.save(workshop.bank.id, item, seen=given.get("seen", ""))
            except DraftChangedError:
                return _item_page(request, workshop, entry, form, {**shown, "conflict": True}, status=409)
            address = f"{base_of(request)}/banks/{workshop.bank.id}/items/{item.id}?saved=true"
            return RedirectResponse(address, status_code=303)
        status = 422
    elif given.get("wish") == "suggest":
        gradable = form.gradable()
        if gradable is not None:
            form.set_points(suggest_key_points(gradable))
            _, problems = form.item()
    elif given.get("wish") == "more":
        form.add_blank()
    elif (wish := given.get("wish", "")).startswith(_REMOVE):
        form.remove(wish.removeprefix(_REMOVE))
        _, problems = form.item()
    # Browsers send line ends as they were on paper tape, and count them as one character.
    answer = given.get("candidate_answer", "").replace("\r\n", "\n")
    if wrong := problem_of_answer(answer):
        problems["candidate_answer"], answer = wrong, ""
    shown |= {"problems": problems, **_tried(workshop, grader, entry, form, answer)}
    return _item_page(request, workshop, entry, form, shown, status=status)


def _tried(workshop: Workshop, grader: Grader, entry: Entry | None, form: ItemForm, answer: str) -> dict[str, object]:
    """Return what the form's item does with an answer and with the marked examples."""
    gradable = form.gradable()
    if gradable is None:
        return {"cannot_try": True}
    published = None if entry is None else entry.published
    reviewed = workshop.asking.may(Scope.REVIEW)
    examples = workshop.drafts.examples(workshop.bank.id, entry.item.id, reviewed=reviewed) if entry is not None else []
    return {"tried": try_out(grader, gradable, answer, published=published, examples=examples)}


def _import(request: Request, workshop: Workshop, data: bytes, kind: ImportFormat) -> Response:
    try:
        report = workshop.banks.import_items(workshop.bank.id, data, kind, dry_run=False)
    except InvalidItemsError as error:
        problems = {"problems": error.problems[:_MOST_PROBLEMS], "count": len(error.problems)}
        return _bank_page(request, workshop, problems, status=422)
    fresh = Workshop(
        bank=workshop.banks.get(workshop.bank.id), banks=workshop.banks, drafts=workshop.drafts, asking=workshop.asking
    )
    return _bank_page(request, fresh, {"imported": report})


def _bank_page(request: Request, workshop: Workshop, shown: Mapping[str, object], status: int = 200) -> Response:
    entries = workshop.drafts.entries(workshop.bank.id)
    sections: dict[str, list[Entry]] = {}
    for entry in entries:
        sections.setdefault(entry.item.section, []).append(entry)
    # Where a file was imported there is no page to go back to.
    again = f"{base_of(request)}/banks/{workshop.bank.id}"
    context = {"bank": workshop.bank, "can_change": workshop.can_change, "sections": sections, "again": again, **shown}
    return render(request, "bank.html", context, status=status)


def _changes_page(request: Request, workshop: Workshop, *, refused: bool) -> Response:
    entries = [entry for entry in workshop.drafts.entries(workshop.bank.id) if entry.draft is not None]
    context = {
        "bank": workshop.bank,
        "can_change": workshop.can_change,
        "drafts": [changes_of(entry) for entry in entries],
        "seen": fingerprint_of_all(entries),
        "refused": refused,
    }
    return render(request, "bank_publish.html", context, status=409 if refused else 200)


def _item_page(
    request: Request, workshop: Workshop, entry: Entry | None, form: ItemForm, shown: Mapping[str, object], *, status: int = 200
) -> Response:
    form.fill_empty()
    defaults: dict[str, object] = {"seen": "" if entry is None else entry.fingerprint, "problems": {}, "answer": ""}
    context = {
        "bank": workshop.bank,
        "can_change": workshop.can_change,
        "entry": entry,
        "difficulties": [difficulty.value for difficulty in Difficulty],
        "kinds": [kind.value for kind in ReferenceKind],
        "most_characters": MAX_ANSWER_CHARS,
        "form": form,
        **defaults,
        **shown,
    }
    return render(request, "bank_item.html", context, status=status)
