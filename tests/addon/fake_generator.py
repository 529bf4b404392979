# SPDX-License-Identifier: GPL-3.0-or-later
"""A generator that does as it is told: ``fake_generator.py MODE FOLDER``. FOLDER counts its starts.

It speaks the real protocol as far as its mode lets it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from generator.protocol import (
    PROTOCOL_VERSION,
    Accepted,
    Array,
    Cancel,
    Cancelled,
    Devices,
    Event,
    Finished,
    Generate,
    Heartbeat,
    Hello,
    Loading,
    Release,
    Released,
    Result,
    Step,
    receive,
    send,
    write_frame,
)

mode, folder = sys.argv[1], Path(sys.argv[2])
commands, events = sys.stdin.buffer, sys.stdout.buffer
SIZE = 16
writing = threading.Lock()


def say(event: Event) -> None:
    with writing:
        send(events, event)


def breathe(doing: str = "") -> None:
    """Say from now on that all is well, as the real one does every second."""

    def beat() -> None:
        while True:
            say(Heartbeat("", 0.0, 1000, "", doing))
            time.sleep(0.05)

    threading.Thread(target=beat, daemon=True).start()


def starts() -> int:
    """Which start of this fake in this folder it is, from 1."""
    with (folder / "starts").open("a") as file:
        file.write("x")
        return file.tell()


def greet() -> None:
    say(Hello(PROTOCOL_VERSION, "0", "3", ["procedural"], []))
    say(Devices([{"id": "cpu", "name": "a fake processor"}]))


def picture(job: str, index: int = 0) -> Result:
    image = Array("uint8", (SIZE, SIZE, 3), bytes(SIZE * SIZE * 3))
    return Result(job, index, 7, "basecolor", {}, {}, 0.03, image)


def work(command: Generate) -> None:
    """Carry a job out as this mode has it."""
    job = command.job
    say(Accepted(job))
    if mode == "dies later":
        os._exit(9)
    if mode == "dies" or (mode == "dies once" and start == 1):
        say(picture(job))
        print("Segmentation fault, as it were", file=sys.stderr, flush=True)
        os._exit(9)
    if mode == "poison" and command.request.prompt == "poison":
        os._exit(9)
    if mode == "garbage later":
        events.write(b"a library that prints\n")
        events.flush()
    if mode == "truncated":
        events.write(
            b'{"type":"result","arrays":[{"name":"image","dtype":"uint8","shape":[9],"bytes":9}]}\nab'
        )
        events.flush()
        os._exit(0)
    if mode == "mute" or (mode == "mute once" and start == 1):
        time.sleep(60)
    if mode == "hangs":
        os.kill(os.getpid(), signal.SIGSTOP)
    if mode == "gets nowhere":
        breathe()
        time.sleep(60)
    if mode == "long breath":
        breathe()
        time.sleep(2)
    if mode == "giant":
        header = b'{"type":"result","arrays":[{"name":"image","dtype":"uint8","shape":[%d],"bytes":%d}]}\n'
        events.write(header % (2**50, 2**50))
        events.flush()
        time.sleep(60)
    if mode == "dies loading":
        say(Loading(job, "the fake model", 0.5))
        os._exit(9)
    if mode == "dies between results":
        say(picture(job))
        os._exit(9)
    if mode == "chatters":
        say(Hello(PROTOCOL_VERSION, "0", "3", [], []))
        time.sleep(60)
    say(Loading(job, "the fake model", 0.5))
    steps = 75 if mode == "slow" else 2
    for step in range(1, steps + 1):
        say(Step(job, 0, step, steps, Array("uint8", (1, 1, 3), b"abc") if command.previews else None))
        if mode == "slow":
            time.sleep(0.02)
            if (folder / "cancelled").exists():
                say(Cancelled(job))
                return
    if mode == "flood":
        for _ in range(200):
            sys.stderr.write("x" * 50_000)
        sys.stderr.write("\nthe end of the flood\n")
    for index in range(command.request.count):
        say(picture(job, index))
    say(Finished(job, 0.5))


start = starts()
match mode:
    case "dies at start":
        print("ModuleNotFoundError: No module named 'numpy'", file=sys.stderr)
        sys.exit(1)
    case "hangs at start":
        time.sleep(60)
    case "never ready":
        breathe("waiting for a driver")
        time.sleep(60)
    case "garbage at start":
        print("Welcome to some other program!", flush=True)
        time.sleep(60)
    case "old protocol":
        old = {
            "type": "hello",
            "protocol": 99,
            "version": "9",
            "python": "3",
            "capabilities": [],
            "models": [],
        }
        write_frame(events, old)
        time.sleep(60)
    case "job before hello":
        say(Finished("someone", 1.0))
        time.sleep(60)
    case "leaves a child":
        # The grandchild inherits stdout and stderr, so that neither ever ends while it lives.
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(4)"], stdin=subprocess.DEVNULL)
        greet()
        os._exit(5)
    case "deaf":
        greet()
        time.sleep(60)
    case "stays":
        greet()
        commands.read()
        time.sleep(60)
    case "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        greet()
        time.sleep(60)
    case "dies later" if start > 1:
        sys.exit("No second time")
greet()
if mode == "slow":
    jobs: list[Generate] = []

    def carry_out() -> None:
        while True:
            if jobs:
                work(jobs.pop(0))
            time.sleep(0.01)

    threading.Thread(target=carry_out, daemon=True).start()
    while (message := receive(commands)) is not None:
        if isinstance(message, Generate):
            jobs.append(message)
        elif isinstance(message, Cancel):
            (folder / "cancelled").touch()
    os._exit(0)
while (message := receive(commands)) is not None:
    if isinstance(message, Generate):
        work(message)
    elif isinstance(message, Release) and not message.after:
        say(Released("a fake model"))
