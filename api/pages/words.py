"""The words of the pages in each language, and which language a reader gets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "de")
_FALLBACK = "en"


@cache
def words_of(language: str) -> Mapping[str, str]:
    """Return every string of the pages in a language of `LANGUAGES`, by its name."""
    text = (files("api.pages") / "strings" / f"{language}.json").read_text(encoding="utf-8")
    loaded: dict[str, str] = json.loads(text)
    return loaded


def language_for(chosen: str | None, accepted: str) -> str:
    """Return the language of a page: the one chosen if there is such a one, or the first accepted one that there is.

    Args:
        chosen: What the address or the cookie asks for, if anything.
        accepted: The header Accept-Language; its order counts, and its weights do not.
    """
    if chosen in LANGUAGES:
        return chosen
    wanted = (part.split(";")[0].strip().partition("-")[0].lower() for part in accepted.split(","))
    return next((language for language in wanted if language in LANGUAGES), _FALLBACK)
