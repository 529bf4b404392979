# SPDX-License-Identifier: GPL-3.0-or-later
"""The wire keeps what it is given, and lets nothing in but what it knows."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.protocol import (
    ITEM_BYTES,
    MAPS,
    MAX_COUNT,
    MAX_LORA_WEIGHT,
    MAX_LORAS,
    MAX_SEED,
    MAX_SIZE,
    MAX_STEPS,
    MAX_TEXT,
    MIN_SIZE,
    PRECISIONS,
    PROTOCOL_VERSION,
    SCHEDULERS,
    SEAMLESS,
    Accepted,
    Array,
    Cancel,
    Cancelled,
    Devices,
    Failed,
    Finished,
    Generate,
    Heartbeat,
    Hello,
    ImageRef,
    Loading,
    Lora,
    Message,
    Notice,
    ProtocolError,
    RejectedError,
    Release,
    Released,
    Request,
    RequestError,
    Result,
    Step,
    array_bytes,
    receive,
    send,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECT = st.dictionaries(TEXT, JSON, max_size=3)
COUNTS = st.integers(0, 10_000)
SIZES = st.integers(MIN_SIZE, MAX_SIZE)
SOURCES = st.builds(
    ImageRef,
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
    width=st.integers(1, MAX_SIZE),
    height=st.integers(1, MAX_SIZE),
    name=st.sampled_from(["", "wall.png", "größe 2.jpg"]),
)
LORAS = st.builds(
    Lora,
    file=TEXT.map(lambda text: f"/loras/{text}.safetensors".replace("\0", "")),
    weight=st.floats(-MAX_LORA_WEIGHT, MAX_LORA_WEIGHT),
)
REQUESTS = st.builds(
    Request,
    prompt=TEXT.map(lambda text: f"brick {text}"),
    negative_prompt=TEXT,
    task=st.just("texture"),
    model=TEXT.filter(bool),
    width=SIZES,
    height=SIZES,
    seed=st.integers(0, MAX_SEED),
    count=st.integers(1, MAX_COUNT),
    seamless=st.sampled_from(SEAMLESS),
    maps=st.sets(st.sampled_from(MAPS), min_size=1).map(tuple),
    source=st.none() | SOURCES,
    strength=st.floats(0, 1),
    num_inference_steps=st.integers(0, MAX_STEPS),
    guidance_scale=st.none() | st.floats(0, 100),
    guidance_end=st.floats(0.01, 1),
    scheduler=st.sampled_from(["", *SCHEDULERS]),
    loras=st.lists(LORAS, max_size=MAX_LORAS).map(tuple),
    precision=st.sampled_from(PRECISIONS),
)
TILE = {
    "task": "tile",
    "width": 64,
    "height": 48,
    "maps": ["basecolor"],
    "source": {"sha256": "0" * 64, "width": 64, "height": 48, "name": "wall.png"},
}
"""What a request to make an image tile has to say."""
REPAIRS = st.builds(
    lambda **given: Request.from_json(Request("brick").to_json() | TILE | given),
    seamless=st.sampled_from(["both", "x", "y", "auto"]),
    model=TEXT.filter(bool),
)


@st.composite
def _arrays(draw: st.DrawFn) -> Array:
    dtype = draw(st.sampled_from(sorted(ITEM_BYTES)))
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    size = array_bytes(dtype, shape)
    return Array(dtype, shape, draw(st.binary(min_size=size, max_size=size)))


ARRAYS = _arrays()
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(Generate, job=TEXT, request=REQUESTS, previews=st.booleans(), source=st.none() | ARRAYS),
    st.builds(Cancel, job=TEXT),
    st.builds(
        Hello,
        protocol=st.just(PROTOCOL_VERSION),
        version=TEXT,
        python=TEXT,
        capabilities=st.lists(TEXT, max_size=3),
        models=st.lists(JSON, max_size=2),
    ),
    st.builds(Devices, devices=st.lists(OBJECT, max_size=2)),
    st.builds(Accepted, job=TEXT, ahead=COUNTS),
    st.builds(Loading, job=TEXT, what=TEXT, fraction=st.none() | st.floats(0, 1)),
    st.builds(
        Step, job=TEXT, index=COUNTS, step=COUNTS, steps=COUNTS, preview=st.none() | ARRAYS, together=COUNTS
    ),
    st.builds(Notice, job=TEXT, message=TEXT),
    st.builds(
        Result,
        job=TEXT,
        index=COUNTS,
        seed=st.integers(0, MAX_SEED),
        map=st.sampled_from(MAPS),
        seams=OBJECT,
        recipe=OBJECT,
        relief=st.floats(0, 1),
        image=ARRAYS,
        before=st.none() | OBJECT,
    ),
    st.builds(Finished, job=TEXT, seconds=st.floats(0, 1e6)),
    st.builds(Failed, job=TEXT, kind=TEXT, message=TEXT, advice=TEXT, traceback=TEXT),
    st.builds(Cancelled, job=TEXT),
    st.builds(Release, after=st.floats(0, 1e6)),
    st.builds(Released, loaded=TEXT),
    st.builds(Heartbeat, job=TEXT, seconds=st.floats(0, 1e6), memory_bytes=COUNTS, loaded=TEXT, doing=TEXT),
)
PIXEL = Array("uint8", (1, 1, 3), b"abc")
REFUSED = (ProtocolError, RequestError)


def sent(*messages: Message) -> bytes:
    stream = io.BytesIO()
    for message in messages:
        send(stream, message)
    return stream.getvalue()


def frame(header: object, body: bytes = b"") -> io.BytesIO:
    line = header if isinstance(header, bytes) else json.dumps(header).encode()
    return io.BytesIO(line + b"\n" + body)


class OneByteAtATime(io.RawIOBase):
    """A stream as a slow pipe is: each read brings less than was asked for."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._data.read(min(1, len(buffer)))
        buffer[: len(piece)] = piece
        return len(piece)


@given(REQUESTS | REPAIRS)
def test_a_request_comes_back_from_json(request: Request) -> None:
    assert Request.from_json(json.loads(json.dumps(request.to_json()))) == request


@given(st.lists(MESSAGES, max_size=4))
def test_messages_come_back_from_frames_in_their_order(messages: list[Message]) -> None:
    stream = io.BytesIO(sent(*messages))
    assert [receive(stream) for _ in messages] == messages
    assert receive(stream) is None


def test_messages_come_back_from_a_slow_pipe() -> None:
    messages = [Generate("a", Request(prompt="größe"), True, PIXEL), Cancel("a")]
    for stream in (OneByteAtATime(sent(*messages)), io.BufferedReader(OneByteAtATime(sent(*messages)), 2)):
        assert [receive(stream) for _ in messages] == messages  # type: ignore[arg-type]


@given(MESSAGES)
def test_a_stream_cut_anywhere_inside_a_frame_is_refused(message: Message) -> None:
    whole = sent(message)
    for length in {*range(1, min(len(whole), 40)), *range(max(1, len(whole) - 40), len(whole))}:
        with pytest.raises(ProtocolError):
            receive(io.BytesIO(whole[:length]))


def test_a_result_cut_at_any_byte_is_refused() -> None:
    whole = sent(Result("a", 0, 1, "normal", {"x": 1}, {"y": 2}, 0.03, PIXEL))
    for length in range(1, len(whole)):
        with pytest.raises(ProtocolError):
            receive(io.BytesIO(whole[:length]))


@given(st.binary(max_size=200))
def test_noise_is_refused_and_nothing_else_happens(noise: bytes) -> None:
    stream = io.BytesIO(noise)
    try:
        while receive(stream) is not None:
            pass
    except REFUSED:
        pass


@given(MESSAGES, st.data())
def test_one_wrong_byte_never_does_anything_else_than_be_refused(
    message: Message, data: st.DataObject
) -> None:
    changed = bytearray(sent(message))
    place = data.draw(st.integers(0, len(changed) - 1))
    changed[place] = data.draw(st.integers(0, 255))
    stream = io.BytesIO(bytes(changed))
    try:
        while receive(stream) is not None:
            pass
    except REFUSED:
        pass


@given(
    st.sampled_from(["generate", "result", "hello", "step", "failed"]),
    st.dictionaries(TEXT, JSON, max_size=4),
)
def test_a_frame_with_any_fields_is_refused(kind: str, fields: dict) -> None:
    with pytest.raises(REFUSED):
        receive(frame({**fields, "type": kind}))


@given(st.data())
def test_a_field_of_any_value_is_understood_or_refused(data: st.DataObject) -> None:
    header = json.loads(sent(Result("a", 0, 1, "normal", {}, {}, 0.0, PIXEL)).splitlines()[0])
    name = data.draw(st.sampled_from(sorted(header)))
    header[name] = data.draw(JSON)
    with contextlib.suppress(REFUSED):
        receive(frame(header, b"abc"))


@given(REQUESTS, st.data())
def test_a_request_with_any_value_is_understood_or_refused(request: Request, data: st.DataObject) -> None:
    values = request.to_json()
    values[data.draw(st.sampled_from(sorted(values)))] = data.draw(JSON)
    try:
        Request.from_json(values)
    except RequestError as error:
        assert str(error).endswith(".")


def test_a_request_that_is_refused_leaves_the_next_frame_readable() -> None:
    header = {"type": "generate", "job": "a", "request": {"version": 1, "surprise": 1}}
    stream = io.BytesIO(frame(header).getvalue() + sent(Cancel("b")))
    with pytest.raises(RejectedError, match="does not know: surprise") as caught:
        receive(stream)
    assert caught.value.job == "a"
    assert receive(stream) == Cancel("b")


def test_another_protocol_version_is_told_in_a_sentence() -> None:
    header = json.loads(sent(Hello(PROTOCOL_VERSION, "0", "3", [], []))) | {"protocol": PROTOCOL_VERSION + 1}
    with pytest.raises(ProtocolError, match="different versions of Dream Textures"):
        receive(frame(header))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 99}, "format version 99"),
        ({"version": True}, "format version True"),
        ({"width": 8}, "The width must be a whole number from 16"),
        ({"height": True}, "The height must be"),
        ({"seed": -1}, "The seed must be"),
        ({"count": 0}, "The number of images"),
        ({"strength": 1.5}, "The strength must be a number from 0 to 1"),
        ({"guidance_scale": "7"}, "The guidance scale"),
        ({"guidance_end": 0}, "The end of the guidance"),
        ({"guidance_end": 1.5}, "The end of the guidance"),
        ({"num_inference_steps": None}, "The number of steps"),
        ({"num_inference_steps": -1}, "The number of steps must be a whole number from 0"),
        ({"loras": "moss.safetensors"}, "list of files and weights"),
        ({"loras": ["moss.safetensors"]}, "A LoRA must be a JSON object"),
        ({"loras": [{"weight": 1}]}, "A LoRA is incomplete"),
        ({"loras": [{"file": " "}]}, "Choose the LoRA's file"),
        ({"loras": [{"file": "a\0b.safetensors"}]}, "Choose the LoRA's file"),
        ({"loras": [{"file": 1}]}, "The LoRA's file must be text"),
        ({"loras": [{"file": "moss.safetensors", "weight": 2.5}]}, "weight must be a number from -2 to 2"),
        ({"loras": [{"file": "moss.safetensors", "scale": 1}]}, "does not know: scale"),
        ({"loras": [{"file": "moss.safetensors"}] * 9}, "at most 8 LoRAs"),
        ({"seamless": "yes"}, "choose from: "),
        ({"maps": []}, "at least one map"),
        ({"maps": ["colour"]}, "no map 'colour'"),
        ({"maps": "normal"}, "list of names"),
        ({"prompt": "  "}, "Type what the texture should be"),
        ({"prompt": "x" * (MAX_TEXT + 1)}, "longer than"),
        ({"prompt": "\ud800"}, "not valid Unicode"),
        ({"prompt": None}, "must be text"),
        ({"model": ""}, "Choose a model"),
        ({"task": "maps"}, "Choose the image"),
        ({"source": {}}, "is incomplete"),
        ({"source": {"sha256": "0" * 64, "width": 1, "height": 1, "path": "x"}}, "does not know: path"),
        ({"source": {"sha256": "0" * 64, "width": 1, "height": 1, "name": "../x.png"}}, "bare file name"),
        ({"source": {"sha256": "X" * 64, "width": 1, "height": 1}}, "SHA-256"),
    ],
)
def test_a_request_out_of_range_says_so_in_a_sentence(change: dict, words: str) -> None:
    with pytest.raises(RequestError, match=words) as caught:
        Request.from_json(Request(prompt="brick").to_json() | change)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"source": None}, "Choose the image that is to be made to tile"),
        ({"seamless": "off"}, "both, x or y"),
        ({"maps": list(MAPS)}, "basecolor and no other map"),
        ({"count": 2}, "One request makes one image"),
    ],
)
def test_what_cannot_be_made_to_tile_is_told_in_a_sentence(change: dict, words: str) -> None:
    with pytest.raises(RequestError, match=words) as caught:
        Request.from_json(Request(prompt="brick").to_json() | TILE | change)
    assert str(caught.value).endswith(".")


def test_a_settled_request_keeps_what_was_asked_for() -> None:
    open_ended = Request(prompt="brick")
    settled = open_ended.settled(4, 0.0, "lcm")
    assert (settled.num_inference_steps, settled.guidance_scale, settled.scheduler) == (4, 0.0, "lcm")
    assert settled.settled(25, 7.5, "ddim") == settled
    by_hand = Request(prompt="brick", num_inference_steps=9, guidance_scale=0.0, scheduler="euler")
    assert by_hand.settled(25, 7.5, "ddim") == by_hand, "a guidance of 0 is an answer, too"


def test_a_request_of_before_loras_is_still_read() -> None:
    old = Request(prompt="brick", num_inference_steps=25, guidance_scale=7.5)
    data = old.to_json()
    for name in ("loras", "guidance_end"):
        del data[name]
    assert Request.from_json(data) == old


def test_the_recipe_of_one_image_makes_that_image_alone() -> None:
    request = Request(prompt="brick", seed=MAX_SEED, count=3)
    assert (request.for_image(0).seed, request.for_image(1).seed) == (MAX_SEED, 0)
    assert request.for_image(2).count == 1
    assert request.for_image(2).for_image(0) == request.for_image(2)


def test_the_maps_are_always_in_the_same_order() -> None:
    assert Request(prompt="x", maps=("ao", "normal", "ao")).maps == ("normal", "ao")
