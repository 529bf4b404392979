# SPDX-License-Identifier: GPL-3.0-or-later
"""``serve`` as its client sees it: a real process, real pipes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from generator import __version__
from generator.protocol import (
    PROTOCOL_VERSION,
    Accepted,
    Cancel,
    Cancelled,
    Devices,
    Failed,
    Finished,
    Generate,
    Heartbeat,
    Hello,
    Release,
    Released,
    Request,
    Result,
    Step,
    receive,
    send,
)

ROOT = Path(__file__).resolve().parents[2]
SMALL = Request(prompt="red brick wall", width=64, height=64, maps=("basecolor",))
SLOW = Request(prompt="red brick wall", width=2048, height=2048)


class Client:
    """One generator process and everything it says, with a limit to every wait."""

    def __init__(self, *prelude: str) -> None:
        command = [sys.executable, "-u", "-m", "generator", "serve"]
        if prelude:
            command = [sys.executable, "-u", "-c", *prelude]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._watchdog = threading.Timer(60, self.process.kill)
        self._watchdog.start()

    def say(self, message) -> None:
        send(self.process.stdin, message)

    def hear(self):
        return receive(self.process.stdout)

    def until(self, *kinds: type) -> list:
        heard = []
        while not heard or not isinstance(heard[-1], kinds):
            message = self.hear()
            assert message is not None, self.process.stderr.read().decode()
            heard.append(message)
        return heard

    def close(self) -> None:
        self._watchdog.cancel()
        self.process.stdin.close()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
            self.process.stdout.close()
            self.process.stderr.close()


@pytest.fixture
def client() -> Iterator[Client]:
    opened = Client()
    yield opened
    opened.close()


def test_the_first_frame_says_who_speaks_and_what_works(client: Client) -> None:
    *earlier, hello = client.until(Hello)
    assert all(isinstance(event, Heartbeat) for event in earlier)
    assert (hello.protocol, hello.version) == (PROTOCOL_VERSION, __version__)
    assert {"procedural", "maps"} <= set(hello.capabilities)
    assert hello.models[0]["name"] == "builtin:procedural"
    devices = client.until(Devices)[-1].devices
    assert devices[-1]["kind"] == "cpu"


def test_it_says_that_it_lives_before_it_is_ready_and_while_it_works(client: Client) -> None:
    first = client.hear()
    assert isinstance(first, Heartbeat)
    assert first.doing
    client.until(Hello)
    client.say(Generate("slow", SLOW))
    client.until(Step)
    beat = client.until(Heartbeat)[-1]
    assert (beat.job, beat.doing) == ("slow", "")
    assert beat.memory_bytes > 2**20


def test_it_lets_go_of_its_model_when_told_to_and_after_some_time_alone(client: Client) -> None:
    client.say(Generate("one", SMALL))
    client.say(Release())
    assert client.until(Released)[-1].loaded == SMALL.model
    client.say(Release())
    assert client.until(Released)[-1].loaded == ""
    client.say(Release(after=0.3))
    client.say(Generate("two", SMALL))
    heard = client.until(Released)
    assert heard[-1].loaded == SMALL.model
    assert any(isinstance(event, Finished) for event in heard)
    client.say(Generate("three", SMALL))
    assert client.until(Finished)[-1].job == "three"


def test_requests_are_carried_out_in_their_order(client: Client) -> None:
    for job in ("one", "two", "three"):
        client.say(Generate(job, SMALL))
    heard = [client.until(Finished)[-1].job for _ in range(3)]
    assert heard == ["one", "two", "three"]


def test_a_running_job_is_cancelled_while_the_next_one_waits(client: Client) -> None:
    client.say(Generate("slow", SLOW))
    client.say(Generate("next", SMALL))
    client.until(Step)
    client.say(Cancel("slow"))
    heard = client.until(Cancelled)
    assert heard[-1].job == "slow"
    assert not any(isinstance(event, Result) for event in heard)
    assert client.until(Finished)[-1].job == "next"


def test_a_waiting_job_is_cancelled_at_once(client: Client) -> None:
    client.say(Generate("slow", SLOW))
    client.say(Generate("waiting", SMALL))
    client.say(Cancel("waiting"))
    heard = client.until(Cancelled)
    assert heard[-1].job == "waiting"
    client.say(Cancel("slow"))
    assert client.until(Cancelled)[-1].job == "slow"


def test_a_bad_request_is_refused_and_the_stream_goes_on(client: Client) -> None:
    from generator.protocol import write_frame

    request = SMALL.to_json() | {"width": 7}
    write_frame(client.process.stdin, {"type": "generate", "job": "bad", "request": request})
    failed = client.until(Failed)[-1]
    assert failed.job == "bad"
    assert "width" in failed.message
    client.say(Generate("good", SMALL))
    assert client.until(Finished)[-1].job == "good"


def test_a_job_name_in_use_is_refused(client: Client) -> None:
    client.say(Generate("same", SLOW))
    client.until(Accepted)
    client.say(Generate("same", SMALL))
    assert "use" in client.until(Failed)[-1].message
    client.say(Cancel("same"))
    client.until(Cancelled)


@pytest.mark.parametrize("busy", [False, True])
def test_the_end_of_the_input_ends_the_process(client: Client, busy: bool) -> None:
    client.until(Hello)
    if busy:
        client.say(Generate("slow", SLOW))
        client.until(Step)
    client.process.stdin.close()
    assert client.process.wait(15) == 0


def test_garbage_ends_the_process_with_a_sentence(client: Client) -> None:
    client.process.stdin.write(b"GET / HTTP/1.1\r\n\r\n")
    client.process.stdin.flush()
    assert client.process.wait(15) == 3
    assert "broke the protocol" in client.process.stderr.read().decode()


def test_prints_of_libraries_do_not_reach_the_frames() -> None:
    noisy = """
import os, subprocess, sys
sys.argv = ["generator", "serve"]
import generator.engine as engine
original = engine.Engine.run
def loud(self, *arguments, **options):
    print("a library prints"); sys.stdout.write("and writes\\n")
    os.write(1, b"and writes to the descriptor\\n")
    subprocess.run([sys.executable, "-c", "print('and so does a child')"])
    original(self, *arguments, **options)
engine.Engine.run = loud
from generator.__main__ import main
main()
"""
    client = Client(noisy)
    try:
        client.say(Generate("job", SMALL))
        assert client.until(Finished)[-1].job == "job"
        client.process.stdin.close()
        client.process.wait(15)
        said = client.process.stderr.read().decode()
        assert "a library prints" in said
        assert "and so does a child" in said
    finally:
        client.close()


@pytest.mark.skipif(os.name != "posix", reason="signals of a terminal")
def test_the_interrupt_of_a_terminal_is_left_to_the_client(client: Client) -> None:
    import signal

    client.until(Hello)
    client.process.send_signal(signal.SIGINT)
    client.say(Generate("job", SMALL))
    assert client.until(Finished)[-1].job == "job"


def test_the_server_needs_no_pillow() -> None:
    """Blender's own Python has NumPy and no Pillow."""
    code = "import sys; sys.modules['PIL'] = None; import generator.serve, generator.procedural_model"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


def test_the_greeting_waits_for_no_library() -> None:
    """NumPy and what is built on it take a third of a second, which the client need not wait for."""
    code = """
import io, os, sys
from generator import serve
class Events:
    def write(self, data):
        if b'"hello"' in bytes(data):
            os.write(1, b"numpy" if "numpy" in sys.modules else b"nothing")
        return len(data)
    def flush(self):
        pass
serve.serve(io.BytesIO(), Events())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT, check=True, timeout=60)
    assert done.stdout == b"nothing"


def test_libraries_are_imported_when_nobody_has_waited_for_a_while() -> None:
    prepared = """
import sys, time, generator.diffusion as diffusion
sys.argv = ["generator", "serve"]
diffusion.available = lambda: True
diffusion.devices = lambda: [{"id": "x", "kind": "x", "name": "x"}]
diffusion.prepare = lambda: print("prepared", time.time(), file=sys.stderr, flush=True)
from generator.__main__ import main
main()
"""
    client = Client(prepared)
    try:
        client.say(Generate("slow", SLOW))
        client.until(Devices)
        client.until(Finished)
        finished = time.time()
        said = client.process.stderr.readline().decode().split()
        assert said[0] == "prepared" and float(said[1]) > finished + 0.5
    finally:
        client.close()
