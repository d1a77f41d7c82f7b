"""An item as the fields of a form: filled from an item, read back from what was sent, with every problem beside its field.

Fields of lists are named `point.3.text`; the number only says what belongs together, and stays when others are left out. A row
whose fields are all blank is no row. Keywords are a term on a line with other words for it behind bars; examples a line each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from api.pages.field_problems import FieldProblem, problem_of_detail
from grader import Gradable, Item, KeyPoint

PLAIN = ("id", "topic", "section", "difficulty", "question", "max_mark", "mark_step", "reveal_reference")
BOUNDARIES = ("excellent", "good", "fair", "weak")
# The lists of a form by the name of their fields: which part of an item, and which fields, the first of which is never blank.
GROUPS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "reference": ("reference_answers", ("kind", "text")),
    "point": ("key_points", ("id", "text", "weight", "keywords", "examples")),
    "misconception": ("misconceptions", ("id", "text", "feedback")),
}
_NAME = re.compile(r"(reference|point|misconception)\.(\d{1,3})\.([a-z]+)", re.ASCII)
_BAR = re.compile(r"(?<!\\)\|")
# A row is there when one of its fields says something; these always do.
_ALWAYS_FILLED = {"kind", "weight"}
_PART = {part: group for group, (part, _) in GROUPS.items()}


@dataclass(slots=True)
class Row:
    """One entry of a list."""

    number: int
    values: dict[str, str]

    @property
    def is_blank(self) -> bool:
        """Whether nothing was filled in."""
        return not any(text.strip() for name, text in self.values.items() if name not in _ALWAYS_FILLED)


@dataclass(slots=True)
class ItemForm:
    """The fields of an item as texts, whether they make one or not."""

    plain: dict[str, str] = field(default_factory=lambda: dict.fromkeys((*PLAIN, *BOUNDARIES), ""))
    rows: dict[str, list[Row]] = field(default_factory=lambda: {group: [] for group in GROUPS})

    @classmethod
    def of(cls, item: Item) -> ItemForm:
        """Return the form of an item."""
        form = cls()
        form.plain.update({name: str(getattr(item, name)) for name in PLAIN if name != "mark_step"})
        form.plain["mark_step"] = f"{item.mark_step:g}"
        form.plain.update({name: f"{getattr(item.grade_boundaries, name):g}" for name in BOUNDARIES})
        for reference in item.reference_answers:
            form._append("reference", {"kind": reference.kind.value, "text": reference.text})
        form.set_points(item.key_points)
        for each in item.misconceptions:
            form._append("misconception", {"id": each.id, "text": each.text, "feedback": each.feedback})
        return form

    @classmethod
    def read(cls, sent: Iterable[tuple[str, str]]) -> ItemForm:
        """Return the form that was sent; fields that it does not have are left out."""
        form = cls()
        found: dict[str, dict[int, dict[str, str]]] = {group: {} for group in GROUPS}
        for name, value in sent:
            # Browsers send line ends as they were on paper tape.
            text = value.replace("\r\n", "\n")
            if name in form.plain:
                form.plain[name] = text
            elif (named := _NAME.fullmatch(name)) and named[3] in GROUPS[named[1]][1]:
                found[named[1]].setdefault(int(named[2]), {})[named[3]] = text
        for group, (_, names) in GROUPS.items():
            rows = (Row(n, {name: values.get(name, "") for name in names}) for n, values in sorted(found[group].items()))
            form.rows[group] = [row for row in rows if not row.is_blank]
        return form

    def set_points(self, points: Sequence[KeyPoint]) -> None:
        """Put key points in the place of those that are there."""
        self.rows["point"] = []
        for point in points:
            values = {
                "id": point.id,
                "text": point.text,
                "weight": str(point.weight),
                "keywords": "\n".join(" | ".join(form.replace("|", "\\|") for form in forms) for forms in point.keywords),
                "examples": "\n".join(" ".join(example.split("\n")) for example in point.examples),
            }
            self._append("point", values)

    def add_blank(self) -> None:
        """Add a blank row to every list: room for one more, without any script."""
        for group, (_, names) in GROUPS.items():
            self._append(group, dict.fromkeys(names, ""))

    def remove(self, row: str) -> None:
        """Take a row out by its group and number, as in `point.3`; one that is not there is no mistake."""
        group, _, number = row.partition(".")
        if group in self.rows:
            self.rows[group] = [each for each in self.rows[group] if str(each.number) != number]

    def fill_empty(self) -> None:
        """Add a blank row to every list that has none, to be filled in or copied."""
        for group, (_, names) in GROUPS.items():
            if not self.rows[group]:
                self._append(group, dict.fromkeys(names, ""))

    def data(self) -> dict[str, Any]:  # Any: what an item is made of
        """Return what an item is to be made of; blank fields are left out, so that their absence is what is reported."""
        found: dict[str, Any] = {name: self.plain[name] for name in PLAIN if self.plain[name].strip()}
        bounds = {name: self.plain[name] for name in BOUNDARIES if self.plain[name].strip()}
        if bounds:
            found["grade_boundaries"] = bounds
        for group, (part, _) in GROUPS.items():
            found[part] = [_entry(row) for row in self.rows[group] if not row.is_blank]
        return found

    def item(self) -> tuple[Item | None, dict[str, FieldProblem]]:
        """Return the item that the form makes, or None, and what is wrong by the names of fields; `item` is none of them."""
        try:
            return Item.model_validate(self.data()), {}
        except ValidationError as error:
            return None, self._problems(error)

    def gradable(self) -> Gradable | None:
        """Return what of the form can be graded with, where that is possible; an unfinished item may be tried."""
        try:
            return Gradable.model_validate({k: v for k, v in self.data().items() if k in Gradable.model_fields})
        except ValidationError:
            return None

    def _append(self, group: str, values: dict[str, str]) -> None:
        rows = self.rows[group]
        rows.append(Row(rows[-1].number + 1 if rows else 0, values))

    def _problems(self, error: ValidationError) -> dict[str, FieldProblem]:
        problems: dict[str, FieldProblem] = {}
        for detail in error.errors(include_url=False, include_input=False):
            name, line = self._place(detail["loc"])
            problem = problem_of_detail(detail, line)
            problems.setdefault(self._place_of_rule(problem) or name, problem)
        return problems

    def _place_of_rule(self, problem: FieldProblem) -> str | None:
        """Return the name of the field that a rule about the whole item is best told beside, if it is one."""
        match problem.kind:
            case "step":
                return "mark_step"
            case "kind":
                return "reference_answers"
            case "twice":
                group = _PART[problem.values["part"]]
                rows = [row for row in self.rows[group] if row.values["id"] == problem.values["id"]]
                return f"{group}.{rows[-1].number}.id"
        return None

    def _place(self, loc: tuple[int | str, ...]) -> tuple[str, int]:
        """Return the name of the field that a place in an item is shown in, and its line there from 1, or 0."""
        match loc:
            case (str(part), int(at), str(name), *rest) if part in _PART:
                group = _PART[part]
                kept = [row for row in self.rows[group] if not row.is_blank]
                line = rest[0] + 1 if rest and isinstance(rest[0], int) else 0
                return f"{group}.{kept[at].number}.{name}", line
            case ("grade_boundaries", str(name), *_):
                return name, 0
            case (str(part), *_) if part in PLAIN or part in _PART:
                return part, 0
            case ("grade_boundaries", *_):
                return "grade_boundaries", 0
        return "item", 0


def _entry(row: Row) -> dict[str, Any]:  # Any: what an item is made of
    values: dict[str, Any] = {name: text for name, text in row.values.items() if text.strip()}
    for name, cut in (("keywords", _forms), ("examples", str.strip)):
        if name in values:
            values[name] = [cut(line) for line in values[name].split("\n") if line.strip()]
    return values


def _forms(line: str) -> list[str]:
    """Return a term's forms; a bar that belongs to one of them is written with a backslash."""
    return [form.replace("\\|", "|").strip() for form in _BAR.split(line) if form.strip()]
