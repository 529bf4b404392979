# SPDX-License-Identifier: GPL-3.0-or-later
"""Recipes inside PNG files: written and read without Pillow, read by Pillow, and safe from hostile files."""

from __future__ import annotations

import io
import json
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dream_textures_addon.png import PngError, insert_text, read_text
from dream_textures_addon.wire import protocol

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
RECIPE = {"map_name": "normal", "version": "0.1.0", "relief": 0.03, "seams": {"x": {"ratio": 1.0}}}


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*extra: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0abc"))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + pixels + chunk(b"IEND", b"")


@given(TEXTS)
def test_a_text_comes_back(text: str) -> None:
    assert read_text(insert_text(png(), "dream_textures", text), "dream_textures") == text


def test_only_this_keyword_is_replaced() -> None:
    twice = insert_text(insert_text(insert_text(png(), "a", "1"), "b", "2"), "a", "3")
    assert (read_text(twice, "a"), read_text(twice, "b"), read_text(twice, "c")) == ("3", "2", None)
    assert twice.count(b"iTXt") == 2


def test_pixels_and_other_chunks_stay_as_they_are() -> None:
    other = chunk(b"gAMA", struct.pack(">I", 45455))
    changed = insert_text(png(other), "a", "text")
    assert other in changed
    assert len(changed) == len(png(other)) + 12 + len(b"a\0\0\0\0\0text")


def test_pillow_reads_what_is_written_and_the_other_way_round() -> None:
    image_module = pytest.importorskip("PIL.Image")
    info_class = pytest.importorskip("PIL.PngImagePlugin").PngInfo
    assert image_module.open(io.BytesIO(insert_text(png(), "a", "größe 壁"))).text["a"] == "größe 壁"
    for compressed in (False, True):
        info, file = info_class(), io.BytesIO()
        info.add_itxt("a", "größe 壁", zip=compressed)
        info.add_text("b", "plain", zip=compressed)
        image_module.new("RGB", (2, 2)).save(file, "PNG", pnginfo=info)
        assert read_text(file.getvalue(), "a") == "größe 壁"
        assert read_text(file.getvalue(), "b") == "plain"


@pytest.mark.parametrize("keyword", ["", "x" * 80, "a\0b", "line\nbreak"])
def test_a_keyword_must_fit_the_format(keyword: str) -> None:
    with pytest.raises(ValueError, match="keyword"):
        insert_text(png(), keyword, "text")


def test_a_file_cut_anywhere_is_refused() -> None:
    whole = insert_text(png(), "a", "text")
    for length in range(len(whole)):
        with pytest.raises(PngError):
            insert_text(whole[:length], "a", "text")


@given(st.binary(max_size=60))
def test_a_file_with_anything_inside_is_read_or_refused(body: bytes) -> None:
    for kind in (b"tEXt", b"zTXt", b"iTXt"):
        try:
            read_text(png(chunk(kind, b"a\0" + body)), "a")
        except PngError as error:
            assert str(error).endswith(".")


def test_a_length_beyond_the_file_is_refused() -> None:
    with pytest.raises(PngError, match="cut short"):
        read_text(b"\x89PNG\r\n\x1a\n" + struct.pack(">I4s", 0xFFFFFFFF, b"IHDR"), "a")


def test_a_wrong_checksum_is_noticed() -> None:
    damaged = insert_text(png(), "a", "textual").replace(b"textual", b"textuaL")
    with pytest.raises(PngError, match="damaged"):
        read_text(damaged, "a")


def test_a_text_that_unpacks_to_too_much_is_refused() -> None:
    bomb = zlib.compress(bytes(1 << 24), 9)
    with pytest.raises(PngError, match="too long"):
        read_text(png(chunk(b"zTXt", b"a\0\0" + bomb)), "a")


def test_what_is_no_png_is_refused() -> None:
    with pytest.raises(PngError, match="not a PNG"):
        read_text(b"GIF89a", "a")
    with pytest.raises(PngError, match="header"):
        read_text(b"\x89PNG\r\n\x1a\n" + chunk(b"IDAT", b""), "a")


def test_a_recipe_comes_back_from_a_picture() -> None:
    request = protocol.Request(prompt="größe", seed=7, strength=0.25)
    text = protocol.recipe_text(request, **RECIPE)
    picture = insert_text(png(), protocol.RECIPE_KEYWORD, text)
    recipe = protocol.parse_recipe(read_text(picture, protocol.RECIPE_KEYWORD) or "")
    assert recipe == protocol.Recipe(request, "normal", "0.1.0", 0.03, {"x": {"ratio": 1.0}})
    assert protocol.recipe_text(request.to_json(), **RECIPE) == text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "another version"),
        ({"format": True}, "another version"),
        ({"map": "colour"}, "damaged"),
        ({"map": ["normal"]}, "damaged"),
        ({"relief": "high"}, "damaged"),
        ({"relief": -1}, "damaged"),
        ({"seams": []}, "damaged"),
        ({"version": 1}, "damaged"),
        ({"more": 1}, "does not know"),
        ({"request": {}}, "cannot be used: This request"),
        ({"request": []}, "cannot be used: The request"),
    ],
)
def test_a_recipe_that_cannot_be_used_says_why(change: dict, words: str) -> None:
    data = json.loads(protocol.recipe_text(protocol.Request(prompt="x"), **RECIPE)) | change
    with pytest.raises(protocol.RecipeError, match=words):
        protocol.parse_recipe(json.dumps(data))


@pytest.mark.parametrize("text", ["", "{", "[]", "NaN", "[" * 100_000, " " * (1 << 21), '{"format": 1}'])
def test_what_is_no_recipe_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(protocol.RecipeError, match=r"\.$"):
        protocol.parse_recipe(text)
