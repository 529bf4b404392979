# SPDX-License-Identifier: GPL-3.0-or-later
"""What waits, what was not made, and what the last Blender left behind."""

from __future__ import annotations

from collections.abc import Callable

import bpy

from .. import preview, pump
from ..delivery import Delivery
from ..jobs import Job, JobState
from ..offers import Offer, heading
from ..runtime_state import Runtime
from .text import wrapped

MAX_ROWS = 8
_PICTURE_SCALE = 3.0


def draw_queue(layout: bpy.types.UILayout, state: Runtime, width: int) -> None:
    """Everything about jobs that are neither running nor the latest result."""
    if state.keeper.trouble and (state.board.active is not None or state.offers):
        wrapped(layout, state.keeper.trouble, width, "INFO")
    _draw_waiting(layout, state)
    for job in state.board:
        if job is not state.board.latest and pump.is_for_other_file(job):
            draw_for_other_file(layout, job, width)
    _draw_offers(layout, [offer for offer in state.offers if offer.finished], width, _draw_finished)
    _draw_offers(layout, [offer for offer in state.offers if not offer.finished], width, _draw_unfinished)
    if state.set_aside:
        count = len(state.set_aside)
        jobs, verb = ("1 texture that was", "is") if count == 1 else (f"{count} textures that were", "are")
        wrapped(
            layout,
            f"{jobs} kept on disk cannot be read and {verb} set aside in {state.keeper.folder}.",
            width,
            "INFO",
        )
    _draw_not_made(layout, state, width)


def draw_for_other_file(layout: bpy.types.UILayout, job: Job, width: int) -> None:
    """A job that was finished while another file was open."""
    box = layout.box()
    wrapped(box, f"“{job.title}” was finished for another file.", width, "INFO")
    applies = isinstance(job.target, Delivery) and job.target.applies
    row = box.row(align=True)
    text = "Apply to Active" if applies else "Add to This File"
    row.operator("dtex.place_job", text=text, icon="MATERIAL" if applies else "IMAGE_DATA").job = job.id
    if applies:
        row.operator("dtex.save_maps", text="", icon="FILE_FOLDER").job = job.id


def _draw_waiting(layout: bpy.types.UILayout, state: Runtime) -> None:
    active = state.board.active
    waiting = [job for job in state.board.waiting if job is not active]
    if not waiting:
        return
    box = layout.box()
    box.label(text=f"Next: {len(waiting)}", icon="SORTTIME")
    column = box.column(align=True)
    for number, job in enumerate(waiting[:MAX_ROWS]):
        row = column.row(align=True)
        row.label(text="Cancelling" if job.stopping else job.title)
        if len(waiting) > 1:
            _move(row, job, "first", "TRIA_UP_BAR", enabled=number > 0)
            _move(row, job, "up", "TRIA_UP", enabled=number > 0)
            _move(row, job, "down", "TRIA_DOWN", enabled=number < len(waiting) - 1)
        row.operator("dtex.cancel", text="", icon="X").job = job.id
    if len(waiting) > MAX_ROWS:
        column.label(text=f"and {len(waiting) - MAX_ROWS} more")


def _move(row: bpy.types.UILayout, job: Job, to: str, icon: str, *, enabled: bool) -> None:
    button = row.row(align=True)
    button.enabled = enabled
    properties = button.operator("dtex.move_job", text="", icon=icon)
    properties.job, properties.to = job.id, to


def _draw_not_made(layout: bpy.types.UILayout, state: Runtime, width: int) -> None:
    latest = state.board.latest if state.board.active is None else None
    jobs = [job for job in state.board.not_made if job is not latest]
    if not jobs:
        return
    header, body = layout.panel("dtex_not_made", default_closed=True)
    header.label(text=f"Not Made: {len(jobs)}")
    if body is None:
        return
    for job in reversed(jobs):
        box = body.box()
        row = box.row(align=True)
        row.label(text=job.title, icon="ERROR" if job.state is JobState.FAILED else "X")
        row.operator("dtex.retry", text="", icon="FILE_REFRESH").job = job.id
        row.operator("dtex.discard_jobs", text="", icon="TRASH").job = job.id
        if job.failure:
            wrapped(box, f"{job.failure} {job.advice}", width)
            box.operator("dtex.copy_report", icon="COPYDOWN").job = job.id
    if len(jobs) > 1:
        row = body.row(align=True)
        row.operator("dtex.retry", text="Retry All").everything = True
        row.operator("dtex.discard_jobs", text="Clear").group = "not_made"


def _draw_offers(
    layout: bpy.types.UILayout,
    offers: list[Offer],
    width: int,
    draw: Callable[[bpy.types.UILayout, Offer], None],
) -> None:
    if not offers:
        return
    box = layout.box()
    wrapped(box, heading(offers), width, "RECOVER_LAST")
    for offer in offers[:MAX_ROWS]:
        column = box.column(align=True)
        icon = preview.icon(preview.key_of(offer.id, offer.whole[0])) if offer.whole else 0
        if icon:
            column.template_icon(icon_value=icon, scale=_PICTURE_SCALE)
        wrapped(column, f"{offer.entry.title}: {'reading' if offer.busy else offer.line}", width)
        if offer.problem:
            wrapped(column, offer.problem, width, "ERROR")
        draw(column.row(align=True), offer)
    if len(offers) > MAX_ROWS:
        box.label(text=f"and {len(offers) - MAX_ROWS} more")
    if len(offers) > 1:
        row = box.row(align=True)
        if not offers[0].finished:
            row.operator("dtex.resume_jobs", text="Resume All", icon="PLAY")
        discard = row.operator("dtex.discard_jobs", text="Discard All")
        discard.group = "finished" if offers[0].finished else "unfinished"


def _draw_finished(row: bpy.types.UILayout, offer: Offer) -> None:
    _place(row, offer)
    row.operator("dtex.discard_jobs", text="", icon="TRASH").job = offer.id


def _draw_unfinished(row: bpy.types.UILayout, offer: Offer) -> None:
    if offer.whole:
        _place(row, offer)
    row.operator("dtex.resume_jobs", icon="PLAY").job = offer.id
    row.operator("dtex.discard_jobs", text="", icon="TRASH").job = offer.id


def _place(row: bpy.types.UILayout, offer: Offer) -> None:
    request = offer.entry.request
    applies = request.task in ("texture", "maps") or offer.entry.plan.get("is_set") is True
    text = "Apply to Active" if applies else "Add to This File"
    row.operator("dtex.place_job", text=text, icon="MATERIAL" if applies else "IMAGE_DATA").job = offer.id
    if applies:
        # Without a word: beside it, "Apply to Active" would be cut off in a sidebar of the usual width.
        row.operator("dtex.save_maps", text="", icon="FILE_FOLDER").job = offer.id
