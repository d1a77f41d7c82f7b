"""What a text says without its decoration: markup of editors and pages, and emoji, say nothing of the subject.

A text without decoration is as long as before, and every character that is left stands where it stood, so that places found in
the one hold in the other. Markup may be the subject, so only what plainly decorates is taken for it: known tags of HTML that open
and close ("<br> breaks a line" is about one, "a<b and c>d" has none), and of Markdown what stands around words in pairs, not
"2 * 3", "snake_case" or "# begins a comment". Signs that say something, such as arrows, stay as well.
"""

from __future__ import annotations

import re
from functools import lru_cache

from grader.text import has_words

_BLOCK = "address|article|blockquote|dd|div|dl|dt|figure|h[1-6]|li|ol|p|pre|section|table|tbody|td|th|thead|tr|ul"
_INLINE = "a|abbr|b|big|cite|code|del|em|font|i|ins|kbd|mark|q|s|samp|small|span|strike|strong|sub|sup|tt|u|var"
# Bounds keep a hostile text from being read again and again.
_ATTRIBUTES = r"""(?:\s{1,20}[a-z][\w:-]{0,40}=(?:"[^"<>]{0,300}"|'[^'<>]{0,300}')){0,6}\s{0,20}"""
_TAG = re.compile(rf"<(?P<closes>/)?(?P<name>(?P<block>{_BLOCK})|{_INLINE}){_ATTRIBUTES}>", re.IGNORECASE)
# One that stands as a word among others is what the text is about.
_BREAK = re.compile(rf"(?<=\S)<br{_ATTRIBUTES}/?>|<br{_ATTRIBUTES}/?>(?=\S)", re.IGNORECASE)
_COMMENT = re.compile(r"<!--[^<>]{0,1000}-->")
_ENTITIES = {"&nbsp;": " ", "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&apos;": "'"}
_ENTITY = re.compile("|".join(_ENTITIES))
_LINK = re.compile(r"!?\[(?P<said>[^\[\]\n]{1,300})\]\((?:https?:/|/)[^\s()]{0,500}\)")
_TICKS = re.compile(r"`+")
_STARS = re.compile(r"(?<![\w*])(?P<mark>\*{1,3})(?=[^\s*])(?P<said>[^*]++)(?<=[^\s*])(?P=mark)(?![\w*])")
_LOW_LINES = re.compile(r"(?<!\w)_(?=[^\s_])(?P<said>[^\n_]{1,300})(?<=\S)_(?!\w)")
# Pictures, their modifiers, and what joins them; the dingbats that are arrows are left out.
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u2793\u27b0\u27bf\u2b1b\u2b1c\u2b50\u2b55\ufe0e\ufe0f\u20e3]")
_ANY = re.compile(rf"[<&\[`*_]|{_EMOJI.pattern}")


@lru_cache(maxsize=50)
def undecorated(text: str) -> str:
    """Return a text with spaces in the place of its markup and emoji; a tag that ends a paragraph leaves a new line.

    A text that has no word besides is returned as it is.

    >>> undecorated("<p><b>Water</b> boils 🔥</p>").split()
    ['Water', 'boils']
    >>> undecorated("**Only** if a<b and c>d")
    '  Only   if a<b and c>d'
    """
    if _ANY.search(text) is None:
        return text
    plain = _BREAK.sub(lambda found: _blank(found, "\n"), _without_tags(text))
    plain = _ENTITY.sub(lambda found: _blank(found, _ENTITIES[found[0]]), _COMMENT.sub(_blank, plain))
    plain = _TICKS.sub(_blank, _LINK.sub(_around, plain))
    plain = _EMOJI.sub(" ", _LOW_LINES.sub(_around, _STARS.sub(_around, plain)))
    return plain if has_words(plain) else text


def _without_tags(text: str) -> str:
    """Return a text without the tags whose names are opened and closed."""
    opened, paired = set(), set()
    for tag in _TAG.finditer(text):
        name = tag["name"].lower()
        if not tag["closes"]:
            opened.add(name)
        elif name in opened:
            paired.add(name)
    return _TAG.sub(lambda tag: _blank(tag, "\n" if tag["block"] else " ") if tag["name"].lower() in paired else tag[0], text)


def _blank(found: re.Match[str], first: str = " ") -> str:
    return first.ljust(len(found[0]))


def _around(found: re.Match[str]) -> str:
    """Return what markup stands around, in its place."""
    start, end = (place - found.start() for place in found.span("said"))
    return " " * start + found["said"] + " " * (len(found[0]) - end)
