"""Rows as lines with aligned columns, for terminals and files alike."""

from __future__ import annotations

from collections.abc import Sequence


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, numbers_from: int | None = None) -> str:
    """Return a table as text.

    Args:
        header: The columns' names.
        rows: One text for each column.
        numbers_from: The first of the columns that are aligned to the right; none if left out.
    """
    first_number = len(header) if numbers_from is None else numbers_from
    widths = [max(len(line[at]) for line in (header, *rows)) for at in range(len(header))]
    lines = []
    for line in (header, ["-" * width for width in widths], *rows):
        cells = [
            cell.rjust(width) if at >= first_number else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
