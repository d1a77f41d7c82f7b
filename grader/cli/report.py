"""A grading result for people to read: colours and a bar on a terminal, the same lines in plain text elsewhere."""

from __future__ import annotations

import unicodedata

from rich.console import Console
from rich.text import Text

from grader.items import Gradable, Grade, Item
from grader.profiles import effective_key_points
from grader.results import GradingResult, Verdict

_BAR_CELLS = 40
_COLOURS = {Grade.EXCELLENT: "green", Grade.GOOD: "green", Grade.FAIR: "yellow", Grade.WEAK: "red", Grade.FAIL: "red"}
_MARKS = {
    Verdict.COVERED: ("✓", "green"),
    Verdict.PARTIAL: ("~", "yellow"),
    Verdict.MISSING: ("✗", "red"),
    Verdict.CONTRADICTED: ("!", "bold red"),
}
_MEANING = {
    Verdict.COVERED: "",
    Verdict.PARTIAL: "said in part",
    Verdict.MISSING: "missing",
    Verdict.CONTRADICTED: "contradicted",
}
# Lines wrap here where the output is not a terminal and so has no width.
_PLAIN_WIDTH = 100


def print_result(item: Gradable, result: GradingResult) -> None:
    """Print a result to standard output. NO_COLOR is heeded, and nothing but text goes into a file or pipe."""
    console = Console(highlight=False, emoji=False)
    if not console.is_terminal:
        console = Console(highlight=False, emoji=False, width=_PLAIN_WIDTH, color_system=None)
    colour = _COLOURS[result.grade]
    if item.question:
        _print_wrapped(console, Text(_clean(item.question), style="italic"))
        console.print()
    _print_score(console, result, colour)
    _print_key_points(console, item, result)
    _print_words(console, "Keywords found", result.keywords.matched, "green")
    _print_words(console, "Keywords missing", result.keywords.missing, "red")
    if result.flags:
        _print_words(console, "Flags", [str(flag).replace("_", " ") for flag in result.flags], "bold red")
    _print_lines(console, "Feedback", result.feedback)
    if result.needs_review:
        _print_lines(console, "A person should look at this", result.review_reasons, style="bold yellow")
    console.print()
    if isinstance(item, Item):
        _print_wrapped(console, Text(f"item {_clean(item.id)}", style="dim"))
    # In one piece, however narrow the terminal: it is there to be copied.
    console.print(Text(_clean(result.signature), style="dim"), no_wrap=True, overflow="ignore", crop=False)


def _print_score(console: Console, result: GradingResult, colour: str) -> None:
    """Print mark, grade, score as a bar, and below it the interval to the same scale."""
    mark = Text.assemble(
        (f"{result.mark:g} / {result.max_mark}", f"bold {colour}"), "   ", (result.grade.upper(), f"bold {colour}")
    )
    console.print(mark)
    filled = round(result.score * _BAR_CELLS)
    bar = Text.assemble(("█" * filled, colour), ("░" * (_BAR_CELLS - filled), "dim"), f"  score {result.score:.2f}")
    console.print(bar, no_wrap=True, overflow="ignore", crop=False)
    low, high = (min(round(end * _BAR_CELLS), _BAR_CELLS - 1) for end in (result.interval.low, result.interval.high))
    whisker = "├" + "─" * (high - low - 1) + "┤" if high > low else "│"
    stated = f"  likely {result.interval.low:.2f} to {result.interval.high:.2f}, nine times in ten"
    console.print(
        Text((" " * low + whisker).ljust(_BAR_CELLS) + stated, style="dim"), no_wrap=True, overflow="ignore", crop=False
    )
    console.print(
        Text(f"similarity {result.semantic_similarity:.2f}   keyword coverage {result.keyword_coverage:.0%}", style="dim")
    )


def _print_key_points(console: Console, item: Gradable, result: GradingResult) -> None:
    """Print the key points as a checklist, each with the words of the answer that show it."""
    texts = {point.id: point.text for point in effective_key_points(item)}
    total = sum(match.weight for match in result.key_points) or 1
    console.print()
    console.print(Text("Key points", style="bold"))
    for match in result.key_points:
        sign, style = _MARKS[match.verdict]
        meaning = _MEANING[match.verdict]
        line = Text.assemble((sign, style), " ", _clean(texts.get(match.id, match.id)), (f"  {match.weight / total:.0%}", "dim"))
        if meaning:
            line.append(f"  {meaning}", style=style)
        _print_wrapped(console, line, 2)
        quotes = "  ".join(f"“{_clean(span.text)}”" for span in match.evidence)
        if quotes:
            _print_wrapped(console, Text(quotes, style="cyan"), 6)


def _print_words(console: Console, title: str, words: tuple[str, ...] | list[str], style: str) -> None:
    if words:
        console.print()
        _print_wrapped(console, Text.assemble((f"{title}: ", "bold"), (_clean(", ".join(words)), style)))


def _print_lines(console: Console, title: str, lines: tuple[str, ...], *, style: str = "bold") -> None:
    console.print()
    console.print(Text(title, style=style))
    for line in lines:
        _print_wrapped(console, Text(_clean(line)), 2)


def _print_wrapped(console: Console, text: Text, indent: int = 0) -> None:
    """Print text over as many lines as it takes, each indented and none ending in blanks, which rich's own wrapping leaves."""
    for line in text.wrap(console, max(console.width - indent, 20)):
        line.rstrip()
        console.print(Text(" " * indent).append_text(line), no_wrap=True, overflow="ignore", crop=False)


def _clean(text: str) -> str:
    """Return text on one line and without control characters: an answer must not steer the terminal."""
    return "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") else c for c in text)
