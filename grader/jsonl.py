"""Lines of a JSONL file, read so that one bad line costs only itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any, NoReturn

# Ten times the largest line that can hold a gradable answer with its question and references. Bounds memory, not content.
MAX_LINE_BYTES = 10_000_000


class InvalidLineError(ValueError):
    """A line is not one JSON object; the message says why, to be read after "line 7 "."""


def read_lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file without their line ends, empty ones included, in constant memory.

    A line longer than `MAX_LINE_BYTES` is yielded cut to one byte more than that, which `parse_object` then refuses. A byte
    order mark at the start is dropped; the line end of the last line begins no further one.
    """
    first = True
    while line := file.readline(MAX_LINE_BYTES + 1):
        if not line.endswith(b"\n") and len(line) > MAX_LINE_BYTES:
            rest = line
            while rest and not rest.endswith(b"\n"):
                rest = file.readline(MAX_LINE_BYTES)
        yield (line.removeprefix(b"\xef\xbb\xbf") if first else line).rstrip(b"\r\n")
        first = False


def parse_object(line: bytes) -> dict[str, Any]:  # Any: JSON
    """Return the JSON object that a line holds.

    Raises:
        InvalidLineError: If the line is empty, too long, not UTF-8, not JSON or not an object.
    """
    if len(line) > MAX_LINE_BYTES:
        raise InvalidLineError(f"is longer than {MAX_LINE_BYTES:,} bytes")
    if not line.strip():
        raise InvalidLineError("is empty")
    try:
        value = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise InvalidLineError(f"is not valid UTF-8 (byte {error.start + 1})") from error
    except json.JSONDecodeError as error:
        raise InvalidLineError(f"is not JSON: {error.msg} (column {error.colno})") from error
    except RecursionError as error:
        raise InvalidLineError("is not JSON that can be read: it is nested too deeply") from error
    except ValueError as error:
        # Python refuses whole numbers of more than some thousand digits.
        raise InvalidLineError(f"is not JSON that can be read: {error}") from error
    if not isinstance(value, dict):
        raise InvalidLineError("is not a JSON object")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
