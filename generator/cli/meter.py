# SPDX-License-Identifier: GPL-3.0-or-later
"""The progress of a set-up on a terminal: one line that is drawn again, or plain lines where there is no terminal."""

from __future__ import annotations

from typing import Any, TextIO

from generator.environment.faults import size


class Meter:
    """Shows ``step`` events; call it with each."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lively = out.isatty()
        self._what = ""
        self._width = 0

    def __call__(self, event: dict[str, Any]) -> None:
        """Draw one event."""
        if event.get("event") != "step":
            return
        fresh = event["what"] != self._what
        self._what = event["what"]
        if not self._lively:
            if fresh:
                print(f"{self._what} ...", file=self._out, flush=True)
            return
        line = _line(event)
        start = "\n" if fresh and self._width else "\r"
        self._out.write(f"{start}{line:<{0 if fresh else self._width}}")
        self._out.flush()
        self._width = len(line)

    def close(self) -> None:
        """End the line that is being drawn."""
        if self._lively and self._width:
            print(file=self._out)


def _line(event: dict[str, Any]) -> str:
    parts = [event["what"]]
    if event["fraction"] is not None:
        parts.append(f"{event['fraction']:4.0%}")
        parts.append(f"{size(event['bytes'])} of {size(event['total'])}")
    if event["bytes_per_second"]:
        parts.append(f"{size(event['bytes_per_second'])}/s")
    if event["seconds_left"] is not None:
        minutes, seconds = divmod(round(event["seconds_left"]), 60)
        parts.append(f"{minutes}:{seconds:02d} left")
    return "  ".join(parts)
