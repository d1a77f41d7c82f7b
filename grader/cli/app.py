"""The command with its subcommands, and the one place where errors become sentences and exit codes.

0 done; 1 it could not be done; 2 the command was written wrongly; 3 every row of a batch failed; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence

import click

from grader.cli.bank import bank
from grader.cli.batch import batch
from grader.cli.calibrate import calibrate
from grader.cli.evaluate import evaluate
from grader.cli.grade import grade
from grader.cli.groups import groups
from grader.cli.prepare import prepare
from grader.cli.schema import schema
from grader.cli.service import CommandLine
from grader.errors import GraderError, InvalidBankError

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


@click.group(cls=CommandLine, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="answer-grader", prog_name="grader", message="%(prog)s %(version)s")
def app() -> None:
    """Grade written answers by meaning and keyword coverage, with evidence for every mark.

    Everything runs on this machine: no key, no network, and the same answer always gets the same mark.
    """


for command in (bank, batch, calibrate, evaluate, grade, groups, prepare, schema):
    app.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, by default the process's own, and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # JSON is UTF-8 whatever the locale; an undecodable byte of a file name is spelled out rather than fatal.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        code = app.main(arguments, prog_name="grader", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # As click and rich do where they notice it first: without a word, and not as a success.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except (click.ClickException, click.Abort, KeyboardInterrupt, GraderError, OSError) as error:
        sentence, code = _explained(error)
        with contextlib.suppress(BrokenPipeError):
            click.echo(f"grader: {sentence}", err=True)
    return code if isinstance(code, int) else 0


def _explained(error: BaseException) -> tuple[str, int]:
    """Return an error as one sentence, and the exit code that goes with it."""
    match error:
        case click.ClickException():
            return _usage_sentence(error), error.exit_code
        case InvalidBankError():
            count = "1 problem" if len(error.problems) == 1 else f"{len(error.problems)} problems"
            return f"The bank has {count}; `grader bank validate` lists them.", EXIT_FAILED
        case OSError():
            place = f"{error.filename}: " if error.filename else ""
            return f"{place}{error.strerror or error}.", EXIT_FAILED
        case GraderError():
            return str(error), EXIT_FAILED
        case _:
            return "Stopped.", EXIT_INTERRUPTED


def _usage_sentence(error: click.ClickException) -> str:
    message = " ".join(error.format_message().split())
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{message} See `{context.command_path} --help`." if context else message
