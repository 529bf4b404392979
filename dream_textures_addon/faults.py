# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with the generator's process, in sentences for the artist.

The stable kinds are ``start_failed``, ``protocol``, ``died``, ``silent`` and ``unsent``.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass

from .launch import Launch
from .wire import protocol

REPORT_LINES = 60
_MAX_QUOTE = 200
_LAST_LINES = 20


@dataclass(frozen=True)
class Fault:
    """A stable kind, one sentence, and what to try."""

    kind: str
    message: str
    advice: str


def failed(job: str, fault: Fault, log: Sequence[str]) -> protocol.Failed:
    """The event that ends a job with this fault; the last lines of the log go along as its report."""
    return protocol.Failed(job, fault.kind, fault.message, fault.advice, "\n".join(log[-REPORT_LINES:]))


def not_started(launch: Launch, error: OSError) -> Fault:
    """The operating system did not run the program."""
    return Fault(
        "start_failed",
        f"The generator could not be started: {error.strerror or error}.",
        f"Check the Python in the preferences of Dream Textures. It tried to use {launch.description}.",
    )


def not_ready(launch: Launch, because: str, log: Sequence[str]) -> Fault:
    """The program ran, and was gone before it introduced itself."""
    known = _known(because, log) or "Check the Python in the preferences of Dream Textures."
    return Fault(
        "start_failed",
        f"The generator did not start: {_sentence(because, log)}",
        f"{known} It tried to use {launch.description}.",
    )


def not_ours(launch: Launch, problem: str, log: Sequence[str]) -> Fault:
    """The program answered, but not as the generator of this add-on does."""
    return Fault(
        "protocol",
        f"What was started is not the generator that belongs to this add-on: {_sentence(problem, log)}",
        "Use the generator that came with this add-on, or install the same version of Dream Textures on both "
        f"sides. It tried to use {launch.description}.",
    )


def died(because: str, log: Sequence[str]) -> Fault:
    """The process ended under the same job for the last time."""
    return Fault(
        "died",
        f"The generator stopped twice while it worked on this: {_sentence(because, log)}",
        _known(because, log)
        or "Try a smaller size or another model. The report holds the last lines it printed.",
    )


def silent(seconds: float) -> Fault:
    """Whoever waited for the job waited too long."""
    return Fault(
        "silent",
        f"The generator was ended: {silence(seconds)}.",
        "Try a smaller size or another model.",
    )


def unsent(problem: str) -> Fault:
    """The request does not fit into the protocol."""
    return Fault("unsent", f"The request could not be sent: {problem}", "Try a shorter prompt.")


def silence(seconds: float) -> str:
    """A reason to end a process that shows no sign of life."""
    return f"it said nothing for {seconds:g} seconds"


def stall(seconds: float) -> str:
    """A reason to end a process that lives, but gets nowhere."""
    return f"it brought nothing for {seconds:g} seconds"


def replayed(because: str) -> str:
    """The notice of a job that runs a second time."""
    return f"The generator stopped ({_clause(because)}); it was started again and this job with it."


def how_it_ended(returncode: int | None) -> str:
    """A process's exit code in words, for a process that should not have ended."""
    if returncode is None:
        return "it went away"
    if returncode < 0:
        try:
            name = signal.Signals(-returncode).name
        except ValueError:
            name = f"signal {-returncode}"
        memory = ", as happens when memory runs out" if name == "SIGKILL" else ""
        return f"it was ended from outside by {name}{memory}"
    if returncode > 0xFFFF:
        return f"it crashed with the Windows error 0x{returncode:08X}"
    return f"it ended with exit code {returncode}"


def _known(because: str, log: Sequence[str]) -> str:
    """What to do about it, where the reason or the last lines name a known error."""
    return protocol.known_errors.advice_for(because, "\n".join(log[-_LAST_LINES:]))


def _sentence(because: str, log: Sequence[str]) -> str:
    """The reason, and the last line printed, which with Python names the exception."""
    last = next((line for line in reversed(log) if line.strip()), "")
    quote = f" Its last line was: {last[:_MAX_QUOTE]}" if last else ""
    return f"{_clause(because)}.{quote}"


def _clause(because: str) -> str:
    return because[:1].lower() + because[1:].rstrip(".")
