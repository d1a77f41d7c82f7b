"""What publishing a draft changes: the differences to the published version, word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from api.drafts import Entry
from grader import Item

# Words and what is between them, so that joined they are the text.
_TOKENS = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A part of an item that differs: `kind` names the part, `name` which one of several it is."""

    kind: str
    name: str
    # Pieces of text, each `same`, `gone` or `new`.
    pieces: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemChanges:
    """A draft with what it changes; of a new item that is all that it says."""

    item: Item
    is_new: bool
    changes: tuple[Change, ...]


def changes_of(entry: Entry) -> ItemChanges:
    """Return what publishing the draft of an entry changes."""
    old = {} if entry.published is None else dict(_parts(entry.published))
    new = dict(_parts(entry.item))
    names = list(dict.fromkeys([*old, *new]))
    found = [
        Change(kind=kind, name=name, pieces=_pieces(old.get((kind, name), ""), new.get((kind, name), "")))
        for kind, name in names
        if old.get((kind, name), "") != new.get((kind, name), "")
    ]
    return ItemChanges(item=entry.item, is_new=entry.published is None, changes=tuple(found))


def _parts(item: Item) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield what an item says, each part under its kind and its name."""
    for name in ("topic", "section", "difficulty", "question", "max_mark"):
        yield (name, ""), str(getattr(item, name))
    yield ("mark_step", ""), f"{item.mark_step:g}"
    yield ("reveal_reference", ""), "✓" if item.reveal_reference else "–"
    bounds = item.grade_boundaries
    yield ("grade_boundaries", ""), f"{bounds.excellent:g} / {bounds.good:g} / {bounds.fair:g} / {bounds.weak:g}"
    for number, reference in enumerate(item.reference_answers, start=1):
        yield ("reference", f"{number} ({reference.kind.value})"), reference.text
    for point in item.key_points:
        keywords = "\n".join(" | ".join(forms) for forms in point.keywords)
        parts = [f"{point.text} [{point.weight}]", keywords, *point.examples]
        yield ("key_point", point.id), "\n".join(part for part in parts if part)
    for each in item.misconceptions:
        yield ("misconception", each.id), f"{each.text}\n{each.feedback}"


def _pieces(old: str, new: str) -> tuple[tuple[str, str], ...]:
    """Return the pieces of two texts, those of the old one before those of the new one where they differ."""
    before, after = _TOKENS.findall(old), _TOKENS.findall(new)
    pieces: list[tuple[str, str]] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append(("same", "".join(before[i1:i2])))
            continue
        pieces += [("gone", "".join(before[i1:i2]))] if i2 > i1 else []
        pieces += [("new", "".join(after[j1:j2]))] if j2 > j1 else []
    return tuple(pieces)
