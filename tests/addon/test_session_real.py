# SPDX-License-Identifier: GPL-3.0-or-later
"""The session and the real generator, run by a Python that has NumPy, as Blender's own has."""

from __future__ import annotations

import os
import time

import pytest

from dream_textures_addon.jobs import JobBoard, JobState
from dream_textures_addon.session import Session, SessionState
from dream_textures_addon.wire import protocol

pytest.importorskip("numpy")

REQUEST = protocol.Request(prompt="mossy red brick wall", width=96, height=64, seed=7)


def board_of(session: Session, request: protocol.Request) -> JobBoard:
    board = JobBoard()
    job = session.submit(request)
    board.add(job, request)
    for event in session.wait(job, 60):
        board.apply(event)
    return board


def test_words_become_all_the_maps(real: Session) -> None:
    job = board_of(real, REQUEST).latest
    assert job is not None
    assert (job.state, job.failure) == (JobState.DONE, "")
    maps = job.image(0)
    assert set(maps) == set(protocol.MAPS)
    assert maps["basecolor"].image.shape == (64, 96, 3)
    assert maps["height"].image.dtype == "uint16"
    assert protocol.Request.from_json(maps["normal"].recipe).prompt == REQUEST.prompt


def test_the_same_request_gives_the_same_bytes(real: Session) -> None:
    pixels = []
    for _ in range(2):
        job = board_of(real, REQUEST).latest
        assert job is not None
        pixels.append({name: bytes(result.image.data) for name, result in job.image(0).items()})
    assert pixels[0] == pixels[1]


def test_a_word_that_is_not_understood_becomes_a_notice(real: Session) -> None:
    job = board_of(real, protocol.Request(prompt="brick flurbish", width=32, height=32)).latest
    assert job is not None
    assert any("flurbish" in notice for notice in job.notices)


def test_a_model_that_does_not_exist_fails_with_a_sentence(real: Session) -> None:
    job = board_of(real, protocol.Request(prompt="brick", model="/no/such/model")).latest
    assert job is not None
    assert job.state is JobState.FAILED
    assert job.failure.endswith(".")
    assert real.state is SessionState.READY


def test_cancelling_a_large_texture_takes_effect_soon(real: Session) -> None:
    job = real.submit(protocol.Request(prompt="mossy cobblestone", width=2048, height=2048))
    waiting = iter(real.wait(job, 60))
    for event in waiting:
        if isinstance(event, protocol.Step):
            break
    asked = time.monotonic()
    real.cancel(job)
    *_, last = waiting
    assert isinstance(last, protocol.Cancelled)
    assert time.monotonic() - asked < 20


@pytest.mark.skipif(not hasattr(os, "kill"), reason="needs signals")
def test_a_generator_that_is_killed_in_mid_job_finishes_it_all_the_same(real: Session) -> None:
    job = real.submit(protocol.Request(prompt="mossy cobblestone", width=256, height=256))
    events = []
    for event in real.wait(job, 60):
        if isinstance(event, protocol.Step) and not any(isinstance(e, protocol.Notice) for e in events):
            assert real.pid is not None
            os.kill(real.pid, 9)
        events.append(event)
    assert isinstance(events[-1], protocol.Finished)
    assert any("started again" in event.message for event in events if isinstance(event, protocol.Notice))
