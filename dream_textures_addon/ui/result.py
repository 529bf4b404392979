# SPDX-License-Identifier: GPL-3.0-or-later
"""What is being made and what was made: progress, picture, seams, and what to do when it failed."""

from __future__ import annotations

import bpy

from .. import preview, pump
from ..delivery import Delivery
from ..jobs import Job, JobState
from ..runtime_state import Runtime
from ..session_state import QUIET_SECONDS, SessionState
from ..submission import sentences
from ..wire import protocol
from .queue import draw_for_other_file, draw_queue
from .seams import draw_figures, seam_line
from .text import unscaled, wrapped

_SESSION_SPEAKS = (SessionState.STARTING, SessionState.RESTARTING, SessionState.LOADING)
"""What takes long before there is a step to count: the session says for how long it has lasted."""

_UNIT = 20.0
"""Blender draws icons of scale 1 with so many pixels, and the region's margins take about three times as many."""


def draw_result(layout: bpy.types.UILayout, state: Runtime, width: int) -> None:
    """The running job where there is one, and the latest that is over."""
    if state.problem is not None:
        _draw_problem(layout, *state.problem, width)
    active = state.board.active
    latest = state.board.latest
    if active is not None:
        _draw_running(layout, state, active, width)
    elif latest is not None:
        _draw_over(layout, latest, width)
    draw_queue(layout, state, width)


def picture_scale(width: int) -> float:
    """The scale at which a picture fills a region of ``width`` pixels, within reason."""
    return min(max(unscaled(width) / _UNIT - 3.0, 4.0), 16.0)


def draw_upscale(layout: bpy.types.UILayout, text: str, material: str = "") -> None:
    """A button for each factor: for a material's images, or for what an Image Editor shows."""
    for factor in protocol.FACTORS:
        properties = layout.operator("dtex.upscale", text=f"{text} {factor}×", icon="FULLSCREEN_ENTER")
        properties.factor, properties.material = str(factor), material


def _draw_running(layout: bpy.types.UILayout, state: Runtime, job: Job, width: int) -> None:
    box = layout.box()
    icon = preview.icon(preview.LIVE)
    if icon and job.state is JobState.RUNNING:
        box.template_icon(icon_value=icon, scale=picture_scale(width))
    session, what = state.session, job.what
    if session is not None and session.state in _SESSION_SPEAKS:
        what = session.status
    if job.stopping:
        what = "Cancelling"
    box.progress(factor=job.progress, text=what)
    if session is not None and session.state is SessionState.BUSY and session.silence > QUIET_SECONDS:
        wrapped(box, f"No sign of life from the generator for {session.silence:.0f} s", width, "INFO")
    for notice in job.notices:
        wrapped(box, notice, width, "INFO")
    row = box.row(align=True)
    row.operator("dtex.cancel", icon="X")
    waiting = sum(not other.over for other in state.board) - 1
    if waiting:
        row.operator("dtex.cancel", text=f"Cancel All {waiting + 1}").everything = True


def _draw_over(layout: bpy.types.UILayout, job: Job, width: int) -> None:
    if job.state is JobState.FAILED:
        _draw_problem(layout, job.failure, job.advice, width, job)
    elif job.state is JobState.CANCELLED:
        row = layout.row(align=True)
        row.label(text="Cancelled", icon="X")
        row.operator("dtex.retry", icon="FILE_REFRESH").job = job.id
    if not job.results:
        return
    box = layout.box()
    for index in job.indices:
        icon = preview.icon(preview.key_of(job.id, index))
        if icon:
            box.template_icon(icon_value=icon, scale=picture_scale(width))
        text, fine = seam_line(job, index)
        if text:
            box.label(text=text, icon="CHECKMARK" if fine else "ERROR")
        _draw_apply(box, job, index)
    for sentence in sentences(job):
        wrapped(box, sentence, width, "INFO")
    if pump.is_for_other_file(job):
        draw_for_other_file(box, job, width)
    elif _applies(job):
        row = box.row(align=True)
        row.operator("dtex.save_maps", icon="FILE_FOLDER")
        outcome = job.target.outcome  # type: ignore[union-attr]
        if outcome is not None and outcome.material:
            draw_upscale(box.row(align=True), "Upscale", outcome.material)
    draw_figures(layout, job)


def _applies(job: Job) -> bool:
    """Whether a job made a texture for a material."""
    return isinstance(job.target, Delivery) and job.target.applies


def _draw_apply(box: bpy.types.UILayout, job: Job, index: int) -> None:
    if job.state is JobState.CANCELLED or not _applies(job) or pump.is_for_other_file(job):
        return
    if index not in job.target.indices:  # type: ignore[union-attr]
        return  # it failed before all maps of this one were there
    row = box.row(align=True)
    if len(job.indices) > 1:
        row.label(text=f"Seed {job.request.image_seed(index)}")
    properties = row.operator("dtex.apply_material", text="Apply to Active", icon="MATERIAL")
    properties.job, properties.index = job.id, index


def _draw_problem(
    layout: bpy.types.UILayout, failure: str, advice: str, width: int, job: Job | None = None
) -> None:
    box = layout.box()
    wrapped(box, failure, width, "ERROR")
    if advice:
        wrapped(box, advice, width)
    row = box.row(align=True)
    if job is not None:
        row.operator("dtex.retry", icon="FILE_REFRESH").job = job.id
    row.operator("dtex.copy_report", icon="COPYDOWN").job = job.id if job is not None else ""
