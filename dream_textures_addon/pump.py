# SPDX-License-Identifier: GPL-3.0-or-later
"""One timer on Blender's main thread: it takes what the generator said and never waits for more.

Timers do not fire without a window; there the operator calls `drain` itself, and so do the tests.
"""

from __future__ import annotations

import traceback

import bpy

from . import editors, preview, recovery, seamless, upscale
from .delivery import Delivery, deliver
from .jobs import Job, JobState
from .runtime_state import runtime
from .session import SessionState
from .wire import protocol

BUSY_SECONDS, IDLE_SECONDS = 0.05, 0.5
_DRAGGING = ("TRANSFORM_OT_", "PAINT_OT_", "SCULPT_OT_", "MESH_OT_", "GPENCIL_OT_", "GREASE_PENCIL_OT_")
_RENDERING = ("RENDER", "OBJECT_BAKE")
_AT_REST = (SessionState.STOPPED, SessionState.FAILED)


def start() -> None:
    """See to it that the timer runs."""
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=BUSY_SECONDS, persistent=True)


def drain() -> bool:
    """Take all events, and deliver what is finished if the file may be changed now; whether anything is open."""
    state = runtime()
    events = [] if state.session is None else state.session.poll()
    for event in events:
        take(event)
    is_reading = recovery.advance()
    delivered = False
    for job in state.board:
        if _is_due(job) and may_change_data():
            deliver_job(job)
            delivered = True
    if delivered:
        editors.redraw_all()
    elif events or is_reading or _status_changed():
        editors.redraw_panels()
    return state.board.active is not None or is_reading or any(is_waiting(job) for job in state.board)


def take(event: protocol.Event) -> None:
    """Fold one event into the board, and start to encode a result."""
    state = runtime()
    job = state.board.apply(event)
    if job is None or not isinstance(job.target, Delivery):
        return
    state.keeper.follow(event, state.version)
    if isinstance(event, protocol.Result):
        job.target.take(event, state.version, state.worker)
        if event.map == "basecolor":
            preview.show(preview.key_of(job.id, event.index), event.image)
    elif isinstance(event, protocol.Step) and event.preview is not None:
        preview.show(preview.LIVE, event.preview)
    elif isinstance(event, protocol.Failed):
        job.target.drop_incomplete(len(job.request.maps))


def deliver_job(job: Job) -> None:
    """Put what a job brought into the file; waits for its encoding. What goes wrong becomes the job's failure."""
    delivery = job.target
    assert isinstance(delivery, Delivery)
    delivery.settled = True
    try:
        if delivery.indices:
            if seamless.concerns(delivery):
                seamless.deliver(delivery)
            elif upscale.concerns(delivery):
                upscale.deliver(delivery)
            else:
                deliver(delivery)
        if delivery.indices or job.state is JobState.DONE:
            runtime().keeper.drop(job.id)
    except Exception as error:
        # The last line of defence: an exception would end the timer, and the artist would wait for ever.
        job.state = JobState.FAILED
        job.failure = f"The texture was made, but it could not be put into the file ({error})."
        job.advice = "Save the maps to a folder, and please send us the report."
        job.traceback = traceback.format_exc()


def is_unplaced(job: Job) -> bool:
    """Whether a job is over and has results that are not yet in any file."""
    return is_for_other_file(job) or (is_waiting(job) and bool(job.target.indices))  # type: ignore[union-attr]


def is_for_other_file(job: Job) -> bool:
    """Whether a job has results for a file that is no longer open."""
    delivery = job.target
    return (
        isinstance(delivery, Delivery)
        and job.state in (JobState.DONE, JobState.FAILED)
        and bool(delivery.indices)
        and not delivery.settled
        and delivery.document != runtime().document
    )


def may_change_data() -> bool:
    """Whether now is a moment to change the file: not under a render, nor while the artist drags something."""
    if any(bpy.app.is_job_running(kind) for kind in _RENDERING):
        return False
    manager = bpy.context.window_manager
    return not any(
        operator.bl_idname.startswith(_DRAGGING)
        for window in manager.windows
        for operator in window.modal_operators
    )


def is_waiting(job: Job) -> bool:
    """Whether a job is over and has yet to be settled in this file."""
    delivery = job.target
    return (
        isinstance(delivery, Delivery)
        and job.state in (JobState.DONE, JobState.FAILED)
        and not delivery.settled
        and delivery.document == runtime().document
    )


def _is_due(job: Job) -> bool:
    return is_waiting(job) and isinstance(job.target, Delivery) and job.target.ready


def _status_changed() -> bool:
    """Whether the session says something else than when this was asked last, such as a time that went on."""
    state = runtime()
    status = "" if state.session is None else state.session.status
    changed, state.shown_status = status != state.shown_status, status
    return changed


def _tick() -> float | None:
    is_open = drain()
    session = runtime().session
    if is_open:
        return BUSY_SECONDS
    # A generator that runs has something to say now and then, and must not be left unheard.
    return None if session is None or session.state in _AT_REST else IDLE_SECONDS


def register() -> None:
    """Look for what the last Blender left. A script without a window looks where it wants to."""
    if not bpy.app.background:
        recovery.look()
        start()


def unregister() -> None:
    """Stop the timer, and keep what has arrived by now."""
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    session = runtime().session
    for event in [] if session is None else session.poll():
        take(event)
