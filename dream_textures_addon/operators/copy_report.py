# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy everything that helps to find out why a texture failed; the artist sees it before sending it anywhere."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import bpy

from ..jobs import Job, JobState
from ..runtime_state import Runtime, runtime


def report_text(state: Runtime) -> str:
    """Versions, the generator's state and last words, the request and the error; the home folder's name left out."""
    session, job = state.session, _job_to_report(state)
    hello = None if session is None else session.hello
    lines = [
        f"Blender {bpy.app.version_string}, {platform.platform()}",
        f"Generator: {'not running' if hello is None else f'{hello.version} on Python {hello.python}'}",
        f"State: {'not started' if session is None else session.status}",
        f"Devices: {json.dumps([] if session is None else session.devices)}",
    ]
    if state.problem is not None:
        lines.append(f"Problem: {' '.join(state.problem)}")
    if job is not None:
        lines += [f"Request: {json.dumps(job.request.to_json())}", f"Job: {job.state.value}"]
    if job is not None and job.state is JobState.FAILED:
        lines += [f"Failure ({job.kind}): {job.failure} {job.advice}", job.traceback]
    lines += ["Last words of the generator:", *([] if session is None else session.log[-50:])]
    return "\n".join(lines).replace(str(Path.home()), "~")


def _job_to_report(state: Runtime) -> Job | None:
    failed = [job for job in state.board if job.state is JobState.FAILED]
    return failed[-1] if failed else state.board.latest


class DTEX_OT_copy_report(bpy.types.Operator):
    """Copy versions, settings, the error and the generator's log to the clipboard"""

    bl_idname = "dtex.copy_report"
    bl_label = "Copy Report"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Put the report on the clipboard."""
        context.window_manager.clipboard = report_text(runtime())
        self.report({"INFO"}, "The report is on the clipboard")
        return {"FINISHED"}


def register() -> None:
    """Add the operator."""
    bpy.utils.register_class(DTEX_OT_copy_report)


def unregister() -> None:
    """Remove the operator."""
    bpy.utils.unregister_class(DTEX_OT_copy_report)
