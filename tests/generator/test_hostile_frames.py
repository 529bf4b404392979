# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames that no program of ours writes are refused, in few words and without taking memory for them."""

from __future__ import annotations

import io
import json
import tracemalloc

import pytest

from generator.protocol import (
    MAX_ARRAYS,
    MAX_FRAME_BYTES,
    MAX_HEADER_BYTES,
    Array,
    Finished,
    ProtocolError,
    Request,
    RequestError,
    read_frame,
    receive,
    send,
    write_frame,
)

PIXEL = Array("uint8", (1, 1, 3), b"abc")
REFUSED = (ProtocolError, RequestError)


def frame(header: object, body: bytes = b"") -> io.BytesIO:
    line = header if isinstance(header, bytes) else json.dumps(header).encode()
    return io.BytesIO(line + b"\n" + body)


def with_array(**changes: object) -> io.BytesIO:
    """A frame whose one array is described wrongly, followed by few bytes."""
    described = {"name": "image", "dtype": "uint8", "shape": [3], "bytes": 3} | changes
    return frame({"type": "x", "arrays": [described]}, b"abc")


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"type": "cancel", "job": NaN}',
        b'{"type": "finished", "job": "a", "seconds": Infinity}',
        b'{"type": "finished", "job": "a", "seconds": 1e999}',
        b'{"type": "nobody"}',
        b'{"type": ["cancel"]}',
        b"{}",
        b'{"type": "cancel"}',
        b'{"type": "cancel", "job": 1}',
        b'{"type": "cancel", "job": "a", "more": 1}',
        b'{"type": "step", "job": "a", "index": true, "step": 1, "steps": 1}',
        b'{"type": "cancel", "job": "a", "arrays": 5}',
        b'{"type": "cancel", "job": "a", "arrays": [5]}',
        b'{"type": "step", "job": "a", "index": 0, "step": 1, "steps": 1, "preview": "not pixels"}',
        b'{"type": "accepted", "job": "a", "ahead": ' + b"9" * 5000 + b"}",
        b'{"type": "accepted", "job": "a", "ahead": ' + b"9" * 4000 + b', "more": 1}',
    ],
)
def test_headers_that_no_generator_of_ours_writes_are_refused(header: bytes) -> None:
    with pytest.raises(ProtocolError):
        receive(frame(header))


@pytest.mark.parametrize(
    "changes",
    [
        {"bytes": 4},
        {"bytes": -3},
        {"bytes": 3.5},
        {"bytes": None},
        {"bytes": 10**100},
        {"shape": []},
        {"shape": [1, 1, 1, 1, 3]},
        {"shape": [-3]},
        {"shape": [0]},
        {"shape": [True, 3]},
        {"shape": [3.0]},
        {"shape": ["3"]},
        {"shape": 3},
        {"shape": None},
        {"shape": [MAX_FRAME_BYTES + 1], "bytes": MAX_FRAME_BYTES + 1},
        {"shape": [2**31, 2**31], "bytes": 2**62},
        {"shape": [10**4000], "bytes": 10**4000},
        {"dtype": "object"},
        {"dtype": "float64"},
        {"dtype": ["uint8"]},
        {"dtype": None},
        {"name": None},
        {"name": 7},
    ],
)
def test_arrays_that_lie_about_themselves_are_refused(changes: dict) -> None:
    with pytest.raises(ProtocolError):
        read_frame(with_array(**changes))


def test_true_is_not_the_number_one() -> None:
    described = {"name": "image", "dtype": "uint8", "shape": [1], "bytes": True}
    with pytest.raises(ProtocolError):
        read_frame(frame({"type": "x", "arrays": [described]}, b"a"))


def test_two_arrays_of_one_name_are_refused() -> None:
    described = {"name": "image", "dtype": "uint8", "shape": [1], "bytes": 1}
    with pytest.raises(ProtocolError, match="twice"):
        read_frame(frame({"type": "x", "arrays": [described, described]}, b"ab"))


def test_an_array_named_like_a_value_is_refused() -> None:
    described = {"name": "job", "dtype": "uint8", "shape": [1], "bytes": 1}
    with pytest.raises(ProtocolError):
        receive(frame({"type": "cancel", "job": "a", "arrays": [described]}, b"a"))


def test_a_field_given_twice_does_not_slip_through() -> None:
    with pytest.raises(ProtocolError, match="not JSON"):
        receive(frame(b'{"type": "cancel", "job": "a", "job": "b"}'))


def test_more_arrays_than_a_frame_may_have_are_refused() -> None:
    described = [
        {"name": str(index), "dtype": "uint8", "shape": [1], "bytes": 1} for index in range(MAX_ARRAYS + 1)
    ]
    with pytest.raises(ProtocolError, match="at most"):
        read_frame(frame({"arrays": described}, b"a" * (MAX_ARRAYS + 1)))


def test_a_frame_that_is_too_large_in_sum_is_refused() -> None:
    half = {"dtype": "uint8", "shape": [MAX_FRAME_BYTES // 2 + 1], "bytes": MAX_FRAME_BYTES // 2 + 1}
    with pytest.raises(ProtocolError, match="larger"):
        read_frame(frame({"arrays": [{**half, "name": "a"}, {**half, "name": "b"}]}))


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_deep_json_is_refused_at_any_depth(opening: str, closing: str) -> None:
    for depth in (*range(10, 3000, 10), 100_000):
        deep = f"{opening * depth}1{closing * depth}"
        for header in (
            f'{{"type": {deep}}}',
            f'{{"type": "hello", "protocol": {deep}}}',
            f'{{"type": "generate", "job": {deep}, "request": {{"version": {deep}}}}}',
            f'{{"arrays": [{{"name": "a", "dtype": {deep}, "shape": [1], "bytes": 1}}]}}',
            f'{{"arrays": [{{"name": "a", "dtype": "uint8", "shape": {deep}, "bytes": 1}}]}}',
            f'{{"arrays": [{{"name": "a", "dtype": "uint8", "shape": [1], "bytes": {deep}}}]}}',
        ):
            with pytest.raises(REFUSED):
                receive(frame(header.encode(), b"a"))


def test_a_refusal_stays_short_however_long_the_nonsense() -> None:
    long = "x" * 500_000
    for header in ({"type": long}, {"type": "hello", "protocol": long}, {"type": "cancel", long: 1}):
        with pytest.raises(ProtocolError) as caught:
            receive(frame(header))
        assert len(str(caught.value)) < 400
    for change in (
        {"model": 5, long: 1},
        {"version": long},
        {"seamless": long},
        {"width": long},
        {"strength": long},
    ):
        with pytest.raises(RequestError) as refused:
            Request.from_json(Request(prompt="x").to_json() | change)
        assert len(str(refused.value)) < 400


def test_a_header_without_an_end_is_refused_before_it_fills_the_memory() -> None:
    with pytest.raises(ProtocolError, match="too long"):
        read_frame(io.BytesIO(b"x" * (MAX_HEADER_BYTES + 10)))


def test_a_huge_claim_takes_no_memory_beyond_what_arrives() -> None:
    claimed = 1 << 30
    described = {"name": "image", "dtype": "uint8", "shape": [claimed], "bytes": claimed}
    stream = frame({"type": "x", "arrays": [described]}, b"abc")
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError, match="ended inside"):
            read_frame(io.BufferedReader(stream))  # type: ignore[type-var]
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_what_cannot_be_read_is_not_written() -> None:
    stream = io.BytesIO()
    with pytest.raises(ProtocolError):
        write_frame(stream, {"long": "x" * MAX_HEADER_BYTES})
    with pytest.raises(ProtocolError):
        send(stream, Finished("a", float("nan")))
    with pytest.raises(ProtocolError):
        write_frame(stream, {}, {str(index): PIXEL for index in range(MAX_ARRAYS + 1)})
    assert stream.getvalue() == b""
