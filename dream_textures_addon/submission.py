# SPDX-License-Identifier: GPL-3.0-or-later
"""From an operator's button to a running job; in background mode on to the finished material."""

from __future__ import annotations

from collections.abc import Callable

import bpy

from . import preview, pump
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
        return _refuse(operator, f"{error} {error.advice}")
    except (protocol.RequestError, ImageError, TargetError) as error:
        return _refuse(operator, str(error))
    if not bpy.app.background:
        pump.start()
        return {"FINISHED"}
    session = runtime().session
    assert session is not None
    for event in session.wait(job.id, SILENCE_SECONDS):
        pump.take(event)
    pump.deliver_job(job)
    return _tell(operator, job)


def start(context: bpy.types.Context, wishes: Wishes, compose: Compose) -> Job:
    """Send the request and put its job on the board. Returns at once.

    Raises `LaunchError`, `RequestError`, `ImageError` and `TargetError`, each with a sentence.
    """
    state = runtime()
    order = compose(context, wishes)
    session = state.ready_session()
    _forget_delivered(state)
    name = session.submit(order.request, order.source, previews=not bpy.app.background)
    return state.board.add(name, order.request, Delivery(order.destination, state.document))


def sentences(job: Job) -> list[str]:
    """Everything that the artist should read about a finished job."""
    delivery = job.target
    outcome = delivery.outcome if isinstance(delivery, Delivery) else None
    return [*job.notices, *(outcome.sentences if outcome is not None else [])]


def _refuse(operator: bpy.types.Operator, sentence: str) -> set[str]:
    operator.report({"ERROR"}, sentence.strip())
    return {"CANCELLED"}


def _tell(operator: bpy.types.Operator, job: Job) -> set[str]:
    for sentence in sentences(job):
        operator.report({"WARNING" if job.state is JobState.FAILED else "INFO"}, sentence)
    if job.state is JobState.FAILED:
        return _refuse(operator, f"{job.failure} {job.advice}")
    return {"FINISHED"} if job.state is JobState.DONE else {"CANCELLED"}


def _forget_delivered(state: Runtime) -> None:
    """Let go of the pixels of earlier jobs, but for those that wait to be applied to another file."""
    for job in state.board:
        if job.over and not (pump.is_for_other_file(job) and job.target.applies):  # type: ignore[union-attr]
            preview.forget(*(preview.key_of(job.id, index) for index in job.indices))
            state.board.remove(job.id)
