# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way by which a job gets to the generator: into the session, onto the board and into the spool."""

from __future__ import annotations

import time
import uuid

import bpy

from . import plans
from .delivery import Delivery, Destination
from .jobs import Job
from .runtime_state import runtime
from .spool_entry import SpoolEntry
from .wire import protocol


def send(
    request: protocol.Request,
    source: protocol.Array | None,
    destination: Destination,
    *,
    document: int | None = None,
    kept: SpoolEntry | None = None,
) -> Job:
    """Queue a request for the open file, or for another ``document``. Returns at once. Raises `LaunchError`.

    ``kept`` is its entry in the spool if it has one already; then it keeps its id.
    """
    state = runtime()
    session = state.ready_session()
    entry = kept or SpoolEntry(
        id=uuid.uuid4().hex,
        request=request,
        plan=plans.to_plain(destination),
        added=time.time(),
        blend=bpy.data.filepath,
    )
    delivery = Delivery(destination, state.document if document is None else document)
    job = state.board.add(entry.id, request, delivery, source)
    state.keeper.put(entry, source)
    session.submit(request, source, previews=not bpy.app.background, job=entry.id)
    return job


def again(job: Job) -> Job:
    """Queue a job that was not made once more: the same request for the same place. Raises `LaunchError`."""
    state = runtime()
    delivery = job.target
    assert isinstance(delivery, Delivery)
    state.ready_session()  # before the job is taken off the board, so that it stays where there is no generator
    entry = state.keeper.entry(job.id)
    blend, plan = (bpy.data.filepath, None) if entry is None else (entry.blend, entry.plan)
    forget(job)
    renewed = SpoolEntry(
        id=uuid.uuid4().hex,
        request=job.request,
        plan=plans.to_plain(delivery.destination) if plan is None else plan,
        added=time.time(),
        blend=blend,
    )
    return send(job.request, job.source, delivery.destination, document=delivery.document, kept=renewed)


def forget(job: Job) -> None:
    """Take a job off the board and out of the spool."""
    state = runtime()
    state.board.remove(job.id)
    state.keeper.drop(job.id)
