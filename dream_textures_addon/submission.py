# SPDX-License-Identifier: GPL-3.0-or-later
"""From an operator's button to a running job; in background mode on to the finished material."""

from __future__ import annotations

from collections.abc import Callable

import bpy

from . import preview, pump
from .compose import Order, Wishes, destination
from .delivery import Delivery
from .images import ImageError
from .jobs import Job, JobState
from .launch import LaunchError
from .runtime_state import Runtime, runtime
from .targets import TargetError
from .wire import protocol

SILENCE_SECONDS = 3600.0
"""In background mode: how long a generator may say nothing at all before its job is given up."""


def submit(
    operator: bpy.types.Operator, context: bpy.types.Context, compose: Callable[[Wishes], Order]
) -> set[str]:
    """Send what ``compose`` makes of the settings; the operator's return value.

    With a window it returns at once and the timer does the rest. In background mode it returns when the material
    is there. What cannot be done is reported as an error, in a sentence.
    """
    state = runtime()
    wishes = Wishes(context.scene.dtex, operator)  # type: ignore[attr-defined]
    try:
        order = compose(wishes)
        place = destination(context, wishes, order.words, state.document)
        session = state.ready_session()
    except LaunchError as error:
        return _refuse(operator, f"{error} {error.advice}")
    except (protocol.RequestError, ImageError, TargetError) as error:
        return _refuse(operator, str(error))
    _forget_delivered(state)
    name = session.submit(order.request, order.source, previews=not bpy.app.background)
    job = state.board.add(name, order.request, Delivery(place))
    if not bpy.app.background:
        pump.start()
        return {"FINISHED"}
    for event in session.wait(name, SILENCE_SECONDS):
        pump.take(event)
    pump.deliver_job(job)
    return _tell(operator, job)


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
    """Let go of the pixels of earlier jobs, but for those that still wait for their file or their artist."""
    for job in state.board:
        delivery = job.target
        waits = isinstance(delivery, Delivery) and delivery.outcome is None and delivery.indices
        if job.over and not waits:
            preview.forget(*(preview.key_of(job.id, index) for index in job.indices))
            state.board.remove(job.id)
