"""How far a long command is: a bar on standard error while it is a terminal, otherwise nothing until the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class RateColumn(ProgressColumn):
    """Rows per second, over the last half minute or so."""

    def render(self, task: Task) -> Text:
        """Return the rate, or a dash until there is one."""
        return Text(f"{task.speed:.1f} rows/s" if task.speed else "- rows/s", style="dim")


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int | None], None]]:
    """Show a bar; call what is yielded with rows done and rows in all, as far as that is known."""
    console = Console(stderr=True)
    columns = (
        TextColumn("Grading"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("", total=None)
        first = True

        def show(done: int, total: int | None) -> None:
            nonlocal first
            if first:
                # Rows of an earlier, stopped run are done but say nothing about this one's rate.
                progress.reset(task, completed=done, total=total)
                first = False
            progress.update(task, completed=done, total=total)

        yield show
