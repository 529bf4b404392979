# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist reads about the environment: its state, a plan, progress, and how something ended."""

from __future__ import annotations

from typing import Any

from .commands import Environment, EnvironmentState
from .events import Ending, Progress, number_of, text_of, texts_of

Line = tuple[str, str]
"""An icon and a sentence."""

ACCELERATORS = (
    ("auto", "Automatic", "What this computer has, found by asking its drivers"),
    ("cuda", "NVIDIA", "PyTorch for NVIDIA cards (CUDA)"),
    ("cuda-legacy", "NVIDIA, Older Card", "PyTorch for NVIDIA cards that the newest CUDA no longer supports"),
    ("rocm", "AMD", "PyTorch for AMD cards (ROCm, on Linux)"),
    ("xpu", "Intel", "PyTorch for Intel graphics (XPU)"),
    ("mps", "Apple", "PyTorch for Apple's own chips (Metal)"),
    ("cpu", "Processor", "PyTorch without a graphics card: slow, and works everywhere"),
)
_ACCELERATOR_NAMES = {name: label for name, label, _ in ACCELERATORS}

_LABELS = {
    EnvironmentState.ABSENT: "Set Up Generator",
    EnvironmentState.INCOMPLETE: "Resume Set-Up",
    EnvironmentState.READY: "Check and Repair",
    EnvironmentState.OUTDATED: "Update Generator",
    EnvironmentState.BROKEN: "Repair Generator",
}
_ACTIONS = {
    "install": ("Set Up Generator", "Start"),
    "resume": ("Resume the Set-Up", "Resume"),
    "repair": ("Repair the Generator", "Repair"),
    "update": ("Update the Generator", "Update"),
    "nothing": ("Check the Generator", "Check"),
}
_STATES = {
    EnvironmentState.ABSENT: "Not set up. Diffusion models need it; the built-in model does not.",
    EnvironmentState.INCOMPLETE: "The set-up was not finished. It goes on where it stopped.",
    EnvironmentState.OUTDATED: "Works, but was made for another version of Dream Textures. An update builds the new "
    "one beside it and changes over when that works.",
    EnvironmentState.BROKEN: "Damaged. A repair brings back what is missing and keeps the rest.",
}
_ICONS = {
    EnvironmentState.ABSENT: "INFO",
    EnvironmentState.INCOMPLETE: "ERROR",
    EnvironmentState.READY: "CHECKMARK",
    EnvironmentState.OUTDATED: "INFO",
    EnvironmentState.BROKEN: "ERROR",
}


def label(found: Environment) -> str:
    """What the button that sets up does in this state."""
    return _LABELS[found.state]


def state_lines(found: Environment) -> list[Line]:
    """The state in a sentence, and what is known of the reason."""
    icon = _ICONS[found.state]
    if found.state is EnvironmentState.READY:
        name = accelerator(found.accelerator)
        return [(icon, f"Ready, with PyTorch for: {name}" if name else "Ready")]
    lines = [(icon, _STATES[found.state])]
    if found.state is EnvironmentState.BROKEN and found.problem:
        lines.append(("NONE", found.problem))
    return lines


def accelerator(name: str) -> str:
    """An accelerator as the artist knows it."""
    return _ACCELERATOR_NAMES.get(name, name)


def plan_title(plan: Any) -> tuple[str, str]:
    """The dialog's title and the word on its button."""
    return _ACTIONS.get(text_of(plan, "action"), _ACTIONS["install"])


def plan_problem(plan: Any) -> str:
    """Why the plan cannot be carried out, with what to do, or an empty text."""
    problem = text_of(plan, "problem")
    return f"{problem} {text_of(plan, 'advice')}".strip() if problem else ""


def plan_lines(plan: Any) -> list[Line]:
    """Before anything starts: what for, how much, where to, from where."""
    name = accelerator(text_of(plan, "accelerator"))
    reason = text_of(plan, "reason")
    lines = [("MEMORY", f"PyTorch for: {name}. {reason}".strip())] if name else []
    if text_of(plan, "action") == "nothing":
        lines.append(("CHECKMARK", "Everything is there. Its files are checked, and nothing is downloaded."))
    else:
        download, disk = number_of(plan, "download_bytes"), number_of(plan, "disk_bytes")
        if download is not None and disk is not None:
            lines.append(("IMPORT", f"About {size(download)} to download, {size(disk)} on the disk"))
    folder, free = text_of(plan, "folder"), number_of(plan, "free_bytes")
    lines.append(("FILE_FOLDER", folder if free is None else f"{folder} ({size(free)} free)"))
    hosts = texts_of(plan, "hosts")
    if hosts:
        lines.append(("URL", f"From {', '.join(hosts)}"))
    if text_of(plan, "python"):
        lines.append(("SCRIPT", text_of(plan, "python")))
    if text_of(plan, "problem"):
        lines.append(("ERROR", plan_problem(plan)))
    elif text_of(plan, "advice"):
        lines.append(("INFO", text_of(plan, "advice")))
    return lines


def removal_lines(plan: Any) -> list[Line]:
    """Before anything is deleted: what goes and what stays."""
    deletes, keeps = texts_of(plan, "deletes"), texts_of(plan, "keeps")
    if not deletes:
        return [("INFO", "There is nothing to delete.")]
    lines = [("TRASH", f"Deletes {path}") for path in deletes]
    return [
        *lines,
        *(("CHECKMARK", f"Stays: {what}") for what in (keeps or ["models, textures and settings"])),
    ]


def progress_text(progress: Progress) -> str:
    """One line: what, how much of it, how fast and for how long."""
    parts = []
    if progress.bytes is not None:
        parts.append(size(progress.bytes) + (f" of {size(progress.total)}" if progress.total else ""))
    elif progress.fraction is not None:
        parts.append(f"{progress.fraction:.0%}")
    if progress.bytes_per_second:
        parts.append(f"{size(progress.bytes_per_second)}/s")
    if progress.seconds_left is not None:
        parts.append(f"{duration(progress.seconds_left)} left")
    what = progress.what or "Starting"
    return f"{what}: {', '.join(parts)}" if parts else what


def check_lines(ending: Ending) -> list[Line]:
    """What another Python has and lacks."""
    python, version, device = (text_of(ending.data, name) for name in ("python", "version", "device"))
    lines = [("CHECKMARK" if ending.ok else "ERROR", ending.message)]
    if python:
        computes = f", computes on: {device}" if device else ""
        lines.append(("NONE", f"{python}, Python {version}{computes}" if version else python))
    lacks = texts_of(ending.data, "lacks")
    if any(name not in ending.message for name in lacks):
        lines.append(("NONE", f"It lacks {', '.join(lacks)}"))
    return [*lines, ("NONE", ending.advice)] if ending.advice else lines


def finding_lines(findings: Any) -> list[tuple[Line, str]]:
    """The doctor's findings, each with its advice or an empty text."""
    lines = []
    for finding in findings[:100] if isinstance(findings, list) else []:
        what, found, advice = (text_of(finding, name) for name in ("what", "found", "advice"))
        if what:
            icon = "ERROR" if finding.get("ok") is not True else "INFO" if advice else "CHECKMARK"
            lines.append(((icon, f"{what}: {found}" if found else what), advice))
    return lines


def size(count: float) -> str:
    """Bytes as a drive's maker counts them: 2.4 GB."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= step:
            number = count / step
            return f"{number:.1f} {unit}" if number < 10 else f"{number:.0f} {unit}"
    return f"{count:.0f} bytes"


def duration(seconds: float) -> str:
    """A time that is left, no finer than it can be known."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{max(seconds, 1):.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
