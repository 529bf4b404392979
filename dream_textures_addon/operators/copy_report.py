# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy everything that helps to find out why a texture failed; the artist sees it before sending it anywhere."""

# pyright: reportInvalidTypeForm=false
from __future__ import annotations

import json
import platform

import bpy
from bpy.props import StringProperty

from ..jobs import Job, JobState
from ..report import Report
from ..runtime_state import Runtime, runtime


def report_text(state: Runtime, name: str = "") -> str:
    """Versions, devices, the generator's state and last words, one job's request and failure; no names, no tokens.

    ``name`` is the job's id; without one it is about the last that failed, else the last.
    """
    session, job = state.session, _job_to_report(state, name)
    hello = None if session is None else session.hello
    lines = [
        f"Blender {bpy.app.version_string}, {platform.platform()}",
        f"Generator: {'not running' if hello is None else f'{hello.version} on Python {hello.python}'}",
        f"State: {'not started' if session is None else f'{session.state.value}: {session.status}'}",
        f"Devices: {json.dumps([] if session is None else session.devices)}",
    ]
    if session is not None and session.heartbeat is not None:
        beat = session.heartbeat
        lines.append(f"Memory: {beat.memory_bytes / 2**30:.1f} GiB, loaded: {beat.loaded or 'nothing'}")
    if state.problem is not None:
        lines.append(f"Problem: {' '.join(state.problem)}")
    lines += state.environment.report()
    failure = []
    if job is not None:
        failure = [f"Job: {job.state.value}", *(f"Notice: {notice}" for notice in job.notices)]
    if job is not None and job.state is JobState.FAILED:
        failure += [f"Failure ({job.kind}): {job.failure} {job.advice}", job.traceback]
    request = None if job is None else job.request
    return Report(lines, request, failure, [] if session is None else session.log).text()


def _job_to_report(state: Runtime, name: str) -> Job | None:
    failed = [job for job in state.board if job.state is JobState.FAILED]
    return state.board.get(name) or (failed[-1] if failed else state.board.latest)


class DTEX_OT_copy_report(bpy.types.Operator):
    """Copy versions, settings, the error and the generator's log to the clipboard, without names and tokens"""

    bl_idname = "dtex.copy_report"
    bl_label = "Copy Report"
    bl_options = {"INTERNAL"}

    job: StringProperty(
        name="Job", description="The job's id; the last that failed if empty", options={"SKIP_SAVE"}
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Put the report on the clipboard."""
        context.window_manager.clipboard = report_text(runtime(), self.job)
        self.report({"INFO"}, "The report is on the clipboard")
        return {"FINISHED"}


def register() -> None:
    """Add the operator."""
    bpy.utils.register_class(DTEX_OT_copy_report)


def unregister() -> None:
    """Remove the operator."""
    bpy.utils.unregister_class(DTEX_OT_copy_report)
