"""What storage raises on purpose, each a sentence that says what to do."""

from __future__ import annotations

from grader import GraderError


class StorageError(GraderError):
    """Base class of what storage raises on purpose."""


class DatabaseUrlError(StorageError):
    """The address of the database cannot be used. It is not repeated, since it may hold a password."""

    def __init__(self) -> None:
        super().__init__(
            "GRADER_DATABASE_URL is not the address of a database; "
            "it is written sqlite:////folder/grader.sqlite or postgresql://user:password@host:5432/name."
        )


class OldSchemaError(StorageError):
    """The tables are of another version than this program."""

    def __init__(self, found: str | None, wanted: str) -> None:
        super().__init__(
            f"The database is at version {found or 'none'} and this program needs {wanted}; run `grader db upgrade`, "
            "with a backup at hand."
        )


class BackupError(StorageError):
    """A backup could not be made or read back."""
