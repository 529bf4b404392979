# SPDX-License-Identifier: GPL-3.0-or-later
"""The real generator, with faults inside and killed from outside in every state: each job ends, in a sentence."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from dream_textures_addon.launch import Launch
from dream_textures_addon.session import Limits, Session, SessionState
from dream_textures_addon.wire import protocol
from tests.addon.supervising import gone, over, until
from tests.faults import ends

pytestmark = [
    pytest.mark.skipif(not all(find_spec(name) for name in ("torch", "diffusers")), reason="needs torch"),
    pytest.mark.skipif(sys.platform == "win32", reason="needs signals"),
]

ROOT = Path(__file__).resolve().parents[2]
FAULTY = Path(__file__).with_name("faulty_generator.py")
PATIENCE = 120.0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Stable Diffusion folder with random weights, loaded by the code that loads real ones."""
    from tests.generator.diffusion.tiny_models import save_sd

    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_sd(folder)
    return folder


def session_of(folder: Path, **limits: float) -> Session:
    """A session whose generator is the real one, with faults that requests name."""
    command = (sys.executable, "-B", "-u", str(FAULTY), str(folder))
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "DREAM_TEXTURES_STATE": str(folder / "state")}
    launch = Launch(command, ROOT, env, "the real generator")
    return Session(launch, limits=Limits(**{"mercy": 0.5, "backoff": 0.1, "silence": 3.0, **limits}))


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """For what ends the process."""
    opened = session_of(tmp_path)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """For what the process lives through: torch is imported once for all."""
    opened = session_of(tmp_path_factory.mktemp("warm"), silence=60.0)
    yield opened
    opened.close()


def ask(model: Path | None, fault: str = "", **changes: object) -> protocol.Request:
    """A small request in which ``fault`` strikes; of the built-in model without a ``model``."""
    wanted: dict[str, object] = {
        "prompt": "sand",
        "negative_prompt": fault,
        "width": 64,
        "height": 64,
        "num_inference_steps": 4,
        "maps": ("basecolor",),
    }
    if model is not None:
        wanted["model"] = str(model)
    return protocol.Request(**(wanted | changes))  # type: ignore[arg-type]


def run(session: Session, request: protocol.Request) -> tuple[list[protocol.Event], list[str]]:
    """One job's events, and its notices."""
    job = session.submit(request)
    events = [e for e in until(session, over(job), PATIENCE) if getattr(e, "job", None) == job]
    return events, [event.message for event in events if isinstance(event, protocol.Notice)]


@pytest.mark.parametrize(
    ("fault", "area", "what", "changes"),
    [
        ("out of memory once", "Memory", "Out of memory in a denoising step", {}),
        ("not a number in half precision", "Numbers", "The model overflows in fp16", {"precision": "fp16"}),
        ("not a number in half precision", "Numbers", "The model overflows in bf16", {"precision": "bf16"}),
    ],
)
def test_what_can_be_done_in_another_way_is_done(
    warm: Session, model: Path, fault: str, area: str, what: str, changes: dict[str, object]
) -> None:
    events, notices = run(warm, ask(model, fault, **changes))
    assert isinstance(events[-1], protocol.Finished), events[-1]
    assert notices
    assert not any("started again" in notice for notice in notices)
    ends(area, what, "finished in another way", notices[0])


@pytest.mark.parametrize(
    ("fault", "kind", "area", "what"),
    [
        ("always out of memory", "out_of_memory", "Memory", "Out of memory on every rung of the ladder"),
        ("not a number", "bad_result", "Numbers", "The model overflows in every format"),
        ("unknown error", "model_failed", "Start", "The driver has no code for this card"),
    ],
)
def test_what_cannot_be_done_is_said_and_the_next_job_runs(
    warm: Session, model: Path, fault: str, kind: str, area: str, what: str
) -> None:
    events, _ = run(warm, ask(model, fault))
    failed = events[-1]
    assert isinstance(failed, protocol.Failed)
    assert failed.kind == kind
    assert failed.advice
    pid = warm.pid
    after, _ = run(warm, ask(model))
    assert isinstance(after[-1], protocol.Finished)
    assert warm.pid == pid
    ends(area, what, "failed, and the next job runs in the same process", failed.message)


def test_libraries_that_print_break_nothing(warm: Session) -> None:
    events, notices = run(warm, ask(None, "prints"))
    assert isinstance(events[-1], protocol.Finished)
    assert not notices
    assert {"a C library that prints", "a Python library that prints"} <= set(warm.log)
    ends("Protocol", "Libraries of the real generator print", "finished, the prints are in the log")


def test_a_model_that_loads_slowly_is_waited_for(tmp_path: Path, model: Path) -> None:
    session = session_of(tmp_path, silence=2.5)
    try:
        job = session.submit(ask(model, "loads slowly"))
        seen: set[str] = set()
        events: list[protocol.Event] = []
        deadline = time.monotonic() + PATIENCE
        while not over(job)(events):
            assert time.monotonic() < deadline
            events += session.poll()
            if session.state is SessionState.LOADING:
                seen.add(session.status.partition(" (")[0])
            time.sleep(0.01)
        assert isinstance(events[-1], protocol.Finished), events[-1]
        assert f"Loading {model.name}" in seen
    finally:
        session.close()
    ends("Death and silence", "A model takes longer to load than silence is allowed", "finished")


@pytest.mark.parametrize(
    ("fault", "with_model", "what"),
    [
        ("crashes once", False, "A library crashes in mid-job"),
        ("hangs with the lock once", False, "A library hangs with Python's lock held"),
        ("dies loading once", True, "The system kills it while it loads a model"),
    ],
)
def test_what_kills_it_once_costs_no_job(
    tmp_path: Path, model: Path, fault: str, with_model: bool, what: str
) -> None:
    session = session_of(tmp_path, silence=60.0 if with_model else 3.0)
    try:
        events, notices = run(session, ask(model if with_model else None, fault))
    finally:
        session.close()
    assert isinstance(events[-1], protocol.Finished), events[-1]
    assert any("started again" in notice for notice in notices)
    ends("Death and silence", what, "finished on the second try", notices[0])


def test_what_kills_it_twice_is_set_aside(session: Session) -> None:
    events, _ = run(session, ask(None, "always crashes"))
    failed = events[-1]
    assert isinstance(failed, protocol.Failed)
    assert failed.kind == "died"
    assert "driver" in failed.advice
    after, _ = run(session, ask(None))
    assert isinstance(after[-1], protocol.Finished)
    ends("Death and silence", "A library crashes each time", "set aside, the next job runs", failed.message)


@pytest.mark.parametrize("moment", ["starting", "ready", "in a step", "between results"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_killed_or_stopped_in_any_state_the_job_finishes(
    session: Session, moment: str, how: signal.Signals
) -> None:
    """What a memory shortage (SIGKILL) and a driver that hangs (SIGSTOP) look like from outside."""
    struck: list[int] = []

    def strike() -> None:
        assert session.pid is not None
        struck.append(session.pid)
        os.kill(session.pid, how)

    if moment == "ready":
        session.start()
        until(session, lambda events: session.hello is not None, PATIENCE)
        strike()
        until(session, lambda events: session.pid is None, 30)
    job = session.submit(ask(None, width=256, height=256, count=2))
    if moment == "starting":
        strike()
    due = {
        "in a step": lambda e: isinstance(e, protocol.Step) and e.step > 0,
        "between results": lambda e: isinstance(e, protocol.Result),
    }.get(moment, lambda e: False)
    deadline = time.monotonic() + PATIENCE
    events: list[protocol.Event] = []
    while not over(job)(events):
        assert time.monotonic() < deadline, f"{session.state}: {session.status}"
        for event in session.poll():
            events.append(event)
            if not struck and due(event):
                strike()
        time.sleep(0.01)
    assert struck
    assert gone(struck[0])  # not even a zombie
    name = "It is killed" if how is signal.SIGKILL else "It stands still"
    last = events[-1]
    if moment == "starting":
        # Nothing is known of a program that has never started, so that it is not tried for ever.
        assert isinstance(last, protocol.Failed)
        assert last.kind == "start_failed"
        ends("Start", f"{name} while it starts", "failed; the next job starts it again", last.message)
    elif moment == "ready":
        assert isinstance(last, protocol.Finished)
        ends("Death and silence", f"{name} while it has nothing to do", "finished, nobody notices")
    else:
        assert isinstance(last, protocol.Finished)
        ends("Death and silence", f"{name} {moment}", "finished on the second try")
