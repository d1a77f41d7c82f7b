"""Lines of JSONL: what is read, what is refused, and that one bad line costs only itself."""

from __future__ import annotations

import io

import pytest

from grader import jsonl
from grader.jsonl import InvalidLineError, parse_object, read_lines


def test_lines_are_split_at_line_feeds_only_and_keep_their_number() -> None:
    file = io.BytesIO(b'\xef\xbb\xbf{"a": 1}\r\n\n{"b": "\xe2\x80\xa8"}\n{"c": 3}')
    assert list(read_lines(file)) == [b'{"a": 1}', b"", b'{"b": "\xe2\x80\xa8"}', b'{"c": 3}']
    assert list(read_lines(io.BytesIO(b""))) == []


def test_a_line_past_the_limit_is_refused_and_the_next_one_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "MAX_LINE_BYTES", 10)
    lines = list(read_lines(io.BytesIO(b'{"a": "' + b"x" * 50 + b'"}\n{"b": 2}\n' + b"y" * 11)))
    assert len(lines) == 3
    assert parse_object(lines[1]) == {"b": 2}
    for line in (lines[0], lines[2]):
        with pytest.raises(InvalidLineError, match="longer than 10 bytes"):
            parse_object(line)


def test_a_line_of_just_the_limit_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    line = b'{"a": 123}'
    monkeypatch.setattr(jsonl, "MAX_LINE_BYTES", len(line))
    assert [parse_object(read) for read in read_lines(io.BytesIO(line + b"\n" + line))] == [{"a": 123}] * 2


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "is empty"),
        (b"   ", "is empty"),
        (b'{"a": "\xff"}', r"not valid UTF-8 \(byte 8\)"),
        (b'{"a": ', r"not JSON: Expecting value"),
        (b"[1, 2]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b'{"a": -Infinity}', "-Infinity is no JSON number"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "cannot|can be read|limit"),
    ],
    ids=["empty", "blank", "utf-8", "cut", "array", "text", "nan", "infinity", "deep", "long number"],
)
def test_what_is_no_object_is_refused_with_the_reason(line: bytes, reason: str) -> None:
    with pytest.raises(InvalidLineError, match=reason):
        parse_object(line)
