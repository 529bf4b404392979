# SPDX-License-Identifier: GPL-3.0-or-later
"""From an operator's button to a running job; in background mode on to the finished material."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import bpy

from . import dispatch, preview, pump
from .compose import Order, Wishes
from .delivery import Delivery
from .images import ImageError
from .jobs import Job, JobState
from .launch import LaunchError
from .runtime_state import Runtime, runtime
from .targets import TargetError
from .wire import protocol

SILENCE_SECONDS = 3600.0
"""In background mode: how long a generator may say nothing at all before its job is given up."""


Compose = Callable[[bpy.types.Context, Wishes], Order]


def submit(operator: bpy.types.Operator, context: bpy.types.Context, compose: Compose) -> set[str]:
    """Send what ``compose`` makes of the settings; the operator's return value.

    With a window it returns at once and the timer does the rest. In background mode it returns when the material
    is there. What cannot be done is reported as an error, in a sentence.
    """
    wishes = Wishes(context.scene.dtex, operator)  # type: ignore[attr-defined]
    try:
        job = start(context, wishes, compose)
    except LaunchError as error:
        return refuse(operator, f"{error} {error.advice}")
    except (protocol.RequestError, ImageError, TargetError) as error:
        return refuse(operator, str(error))
    return await_jobs(operator, [job])


def await_jobs(operator: bpy.types.Operator, jobs: Sequence[Job]) -> set[str]:
    """See queued jobs through, in background mode to their end; the operator's return value."""
    if not bpy.app.background:
        pump.start()
        return {"FINISHED"}
    session = runtime().session
    assert session is not None
    keeper = runtime().keeper
    for job in jobs:
        for event in session.wait(job.id, SILENCE_SECONDS):
            pump.take(event)
        # A script may have lent a context, and in a lent context Blender crashes where an operator, such as the step
        # of undo, meets a thread that runs Python.
        keeper.settle()
        if not pump.is_for_other_file(job):
            pump.deliver_job(job)
    keeper.settle()
    results = [_tell(operator, job) for job in jobs]
    return {"FINISHED"} if all(result == {"FINISHED"} for result in results) else {"CANCELLED"}


def see_placed(operator: bpy.types.Operator, name: str) -> set[str]:
    """In background mode: put a finished job into the file; the operator's return value."""
    job = runtime().board.get(name)
    assert job is not None
    runtime().keeper.settle()
    pump.deliver_job(job)
    runtime().keeper.settle()
    return _tell(operator, job)


def start(context: bpy.types.Context, wishes: Wishes, compose: Compose) -> Job:
    """Send the request and put its job on the board. Returns at once.

    Raises `LaunchError`, `RequestError`, `ImageError` and `TargetError`, each with a sentence.
    """
    state = runtime()
    order = compose(context, wishes)
    state.ready_session()
    _forget_delivered(state)
    return dispatch.send(order.request, order.source, order.destination)


def sentences(job: Job) -> list[str]:
    """Everything that the artist should read about a finished job."""
    delivery = job.target
    outcome = delivery.outcome if isinstance(delivery, Delivery) else None
    return [*job.notices, *(outcome.sentences if outcome is not None else [])]


def refuse(operator: bpy.types.Operator, sentence: str) -> set[str]:
    """Report why something cannot be done; the operator's return value."""
    operator.report({"ERROR"}, sentence.strip())
    return {"CANCELLED"}


def _tell(operator: bpy.types.Operator, job: Job) -> set[str]:
    for sentence in sentences(job):
        operator.report({"WARNING" if job.state is JobState.FAILED else "INFO"}, sentence)
    if job.state is JobState.FAILED:
        return refuse(operator, f"{job.failure} {job.advice}")
    return {"FINISHED"} if job.state is JobState.DONE else {"CANCELLED"}


def _forget_delivered(state: Runtime) -> None:
    """Let go of the pixels of earlier jobs, but for those that are not placed yet; what was not made stays in words."""
    for job in state.board:
        if not job.over or pump.is_unplaced(job):
            continue
        preview.forget(*(preview.key_of(job.id, index) for index in job.indices))
        if job.not_made and isinstance(job.target, Delivery):
            job.let_go()
            job.target.encoding.clear()
        else:
            state.board.remove(job.id)
    for job in state.board.trim():
        state.keeper.drop(job.id)
