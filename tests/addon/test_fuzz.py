# SPDX-License-Identifier: GPL-3.0-or-later
"""Nonsense on the wire, in both directions and through the real programs: each job still ends once, in a sentence."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dream_textures_addon.launch import Launch
from dream_textures_addon.session import Limits, Session
from dream_textures_addon.wire import protocol
from tests.addon.supervising import REQUEST, gone, over, until
from tests.faults import ends

pytest.importorskip("numpy")

ROOT = Path(__file__).resolve().parents[2]
REPLAYS = (
    "import sys, time\n"
    "sys.stdout.buffer.write(open(sys.argv[1], 'rb').read())\n"
    "sys.stdout.buffer.flush()\n"
    "time.sleep(float(sys.argv[2]))\n"
)


def frame(message: protocol.Message) -> bytes:
    stream = io.BytesIO()
    protocol.send(stream, message)
    return stream.getvalue()


IMAGE = protocol.Array("uint8", (2, 2, 3), bytes(12))
FRAMES = [
    frame(protocol.Accepted("job")),
    frame(protocol.Loading("job", "a model", 0.5)),
    frame(protocol.Heartbeat("job", 1.0, 1000, "", "")),
    frame(protocol.Step("job", 0, 1, 2, IMAGE)),
    frame(protocol.Result("job", 0, 7, "basecolor", {}, {}, 0.1, IMAGE)),
    frame(protocol.Finished("job", 1.0)),
    frame(protocol.Failed("job", "internal", "It failed.")),
    frame(protocol.Cancelled("job")),
    frame(protocol.Released("")),
    frame(protocol.Devices([])),
]
HELLO = frame(protocol.Hello(protocol.PROTOCOL_VERSION, "0", "3", [], []))
BROKEN = st.tuples(st.sampled_from(FRAMES), st.integers(0, 400), st.binary(max_size=8)).map(
    lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + len(parts[2]) :]
)
STREAMS = st.lists(st.sampled_from(FRAMES) | BROKEN | st.binary(max_size=40), max_size=6).map(b"".join)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stream=STREAMS, greets=st.booleans())
def test_whatever_a_generator_says_the_job_ends_once(tmp_path: Path, stream: bytes, greets: bool) -> None:
    said = tmp_path / "said.bin"
    said.write_bytes((HELLO if greets else b"") + stream)
    launch = Launch((sys.executable, "-c", REPLAYS, str(said), "0.3"), ROOT, dict(os.environ), "a replay")
    limits = Limits(start=2, silence=2, stall=2, mercy=0.1, backoff=0.01, linger=0.2, close=0.2)
    session = Session(launch, limits=limits)
    try:
        session.submit(REQUEST, job="job")
        pid = session.pid
        events = until(session, over("job"), 40)
        last = [event for event in events if getattr(event, "job", None) == "job"][-1]
        assert isinstance(last, (protocol.Finished, protocol.Failed, protocol.Cancelled))
        if isinstance(last, protocol.Failed):
            assert last.message.endswith((".", "…"))
    finally:
        session.close()
    assert pid is not None
    assert gone(pid)


class Server:
    """The real ``serve``, with a limit to every wait."""

    def __init__(self) -> None:
        command = [sys.executable, "-u", "-m", "generator", "serve"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._watchdog = threading.Timer(120, self.process.kill)
        self._watchdog.start()

    def until(self, *kinds: type) -> Any:
        while True:
            message = protocol.receive(self.process.stdout)
            assert message is not None, "the generator has gone"
            if isinstance(message, kinds):
                return message

    def close(self) -> int:
        self._watchdog.cancel()
        self.process.stdin.close()
        try:
            return self.process.wait(10)
        finally:
            self.process.kill()
            self.process.stdout.close()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
SMALL = protocol.Request(prompt="sand", width=16, height=16, maps=("basecolor",)).to_json()


def test_whatever_a_request_holds_the_generator_answers_and_lives(tmp_path: Path) -> None:
    server = Server()

    @settings(max_examples=60, deadline=None)
    @given(st.dictionaries(st.sampled_from(sorted(SMALL)), JSON, min_size=1, max_size=3))
    def ask(changes: dict[str, Any]) -> None:
        # Sizes and counts that are allowed stay small: this is about nonsense, not about patience.
        wanted = {**SMALL, **changes}
        if any(isinstance(wanted[name], int) and wanted[name] > 64 for name in ("width", "height", "count")):
            wanted |= {"width": 16, "height": 16, "count": 1}
        protocol.write_frame(server.process.stdin, {"type": "generate", "job": "fuzz", "request": wanted})
        end = server.until(protocol.Finished, protocol.Failed)
        if isinstance(end, protocol.Failed):
            assert end.kind != "internal", json.dumps(wanted)
            assert end.message.endswith(".")

    try:
        server.until(protocol.Hello)
        ask()
        assert server.close() == 0
    finally:
        server.close()
    ends("Protocol", "Requests full of nonsense", "each is refused in a sentence, the generator goes on")


COMMANDS = [
    frame(protocol.Generate("a", protocol.Request(prompt="sand", width=16, height=16))),
    frame(protocol.Cancel("a")),
    frame(protocol.Release()),
    frame(protocol.Release(after=5.0)),
]


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.sampled_from(COMMANDS) | st.binary(min_size=1, max_size=40), min_size=1, max_size=4).map(
        b"".join
    )
)
def test_whatever_blender_sends_the_generator_ends_by_itself(stream: bytes) -> None:
    server = Server()
    try:
        server.until(protocol.Hello)
        try:
            server.process.stdin.write(stream)
            server.process.stdin.flush()
        except BrokenPipeError:
            pass
    finally:
        assert server.close() in (0, 3)
