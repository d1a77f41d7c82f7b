"""What several commands share: options, an exit code, and how bank and grader are opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grader.encoders import DEFAULT_PRECISION

if TYPE_CHECKING:
    from grader.bank import ItemBank
    from grader.encoders import Precision
    from grader.grader import Grader

# A table or data file was read, and nothing in it could be used.
EXIT_ALL_ROWS_FAILED = 3

bank_option = click.option(
    "--bank",
    "bank_dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="GRADER_BANK_DIR",
    show_envvar=True,
    metavar="DIR",
    help="Folder of the bank; the shipped one if left out.",
)
home_option = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="GRADER_HOME",
    show_envvar=True,
    metavar="DIR",
    help="Folder for the prepared encoder and its vectors; your cache folder if left out.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the library's result as JSON.")

calibration_option = click.option(
    "--calibration",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Grade with what `grader calibrate` learnt.",
)


precision_option = click.option(
    "--precision",
    type=click.Choice(["fp32", "int8"]),
    default=DEFAULT_PRECISION,
    show_default=True,
    help="Of the encoder; fp32 takes twice as long and gives slightly other marks, under a signature of its own.",
)


def open_bank(bank_dir: Path | None, home: Path | None) -> ItemBank:
    """Return the bank in a folder, or the shipped one; one of many items is kept compiled in the data folder."""
    from grader import compiled

    return compiled.open_bank(bank_path(bank_dir), home=home_path(home))


def bank_path(bank_dir: Path | None) -> Path:
    """Return the folder of the bank: the one named, or the shipped one."""
    from grader.bank import default_bank_dir

    return bank_dir or default_bank_dir()


def home_path(home: Path | None) -> Path:
    """Return the data folder: the one named, or the user's cache folder."""
    from platformdirs import user_cache_path

    return home or user_cache_path("grader", appauthor=False)


def prepared_home(home: Path | None) -> Path:
    """Return the data folder with its encoder prepared; the first time ever, which takes some ten seconds, a line says so."""
    from grader import weights

    path = home_path(home)
    if not weights.is_prepared(path / "encoder"):
        click.echo("Preparing the encoder; this happens once and takes some ten seconds.", err=True)
        weights.prepare(path / "encoder")
    return path


@contextmanager
def open_grader(home: Path | None, calibration: Path | None = None, precision: Precision = DEFAULT_PRECISION) -> Iterator[Grader]:
    """Open the grader of a data folder; the first time ever, which takes some ten seconds, a line says so.

    With a calibration's file it grades with it.
    """
    from grader.calibration import Calibration, with_calibration
    from grader.cores import keep_products_on_one_core
    from grader.grader import Grader

    keep_products_on_one_core()
    grader = Grader.from_directory(prepared_home(home), prepare=False, precision=precision)
    try:
        yield grader if calibration is None else with_calibration(grader, Calibration.from_json(calibration.read_bytes()))
    finally:
        grader.close()
