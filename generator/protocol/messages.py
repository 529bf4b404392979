# SPDX-License-Identifier: GPL-3.0-or-later
"""What the two programs say to each other: commands to the generator, events back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, BinaryIO, get_args, get_type_hints

from .frames import Array, ProtocolError, read_frame, write_frame
from .request import Request, RequestError
from .strict import short

PROTOCOL_VERSION = 3
HEARTBEAT_SECONDS = 1.0
"""How often a generator says that it lives."""


class RejectedError(RequestError):
    """A sound frame brought a request that cannot be carried out; ``job`` is the job it was meant for."""

    def __init__(self, job: str, message: str) -> None:
        super().__init__(message)
        self.job = job


@dataclass(frozen=True)
class Generate:
    """Blender to generator: queue this request. ``source`` holds the pixels that ``request.source`` names."""

    job: str
    request: Request
    previews: bool = False
    source: Array | None = None


@dataclass(frozen=True)
class Cancel:
    """Blender to generator: end this job, running or queued, within one step."""

    job: str


@dataclass(frozen=True)
class Release:
    """Blender to generator: let go of the loaded model and give its memory back as soon as no job runs.

    With ``after`` above 0 not now, but from then on whenever nothing has been asked for in so many seconds.
    """

    after: float = 0.0


@dataclass(frozen=True)
class Hello:
    """The generator's first frame. ``capabilities``: names of what works here, such as ``txt2img``."""

    protocol: int
    version: str
    python: str
    capabilities: list
    models: list


@dataclass(frozen=True)
class Devices:
    """What the generator can compute on, best first; sent once, as soon as torch has been asked."""

    devices: list


@dataclass(frozen=True)
class Heartbeat:
    """The generator lives; sent every `HEARTBEAT_SECONDS`, also while it loads a model, and before its `Hello`.

    ``job`` is the one that runs, or empty; ``seconds`` have passed since it last brought anything; ``memory_bytes``
    is what the process holds of main memory, 0 where that is not known; ``loaded`` is the model that is kept warm;
    ``doing`` is what a generator that has not said `Hello` is busy with.
    """

    job: str = ""
    seconds: float = 0.0
    memory_bytes: int = 0
    loaded: str = ""
    doing: str = ""


@dataclass(frozen=True)
class Released:
    """The models were let go of; ``loaded`` names the one that was, or is empty where there was none."""

    loaded: str = ""


@dataclass(frozen=True)
class Accepted:
    """The job is in the queue; ``ahead`` jobs run before it."""

    job: str
    ahead: int = 0


@dataclass(frozen=True)
class Loading:
    """What is being prepared, and how far it is: a fraction in [0, 1] or None."""

    job: str
    what: str
    fraction: float | None = None


@dataclass(frozen=True)
class Step:
    """``step`` of ``steps`` done for image ``index``; ``preview`` is ``uint8 (h, w, 3)`` where asked for.

    The images from ``index`` on that are made ``together`` are all at this step; the preview shows them side by side.
    """

    job: str
    index: int
    step: int
    steps: int
    preview: Array | None = None
    together: int = 1


@dataclass(frozen=True)
class Notice:
    """Something the artist should know about this job, though it goes on."""

    job: str
    message: str


@dataclass(frozen=True)
class Result:
    """One finished map. ``image`` is uint8 or (height) uint16; normals and colours are encoded as in a PNG.

    ``seams`` is the measured report per axis, ``recipe`` the `Request` (as JSON) that makes this image alone,
    ``relief`` the height map's full range as a fraction of the texture's shorter side. A picture that was made to
    tile has as many channels as its source, three or four, no relief, and ``before``: the source's own report.
    """

    job: str
    index: int
    seed: int
    map: str
    seams: dict
    recipe: dict
    relief: float
    image: Array
    before: dict | None = None


@dataclass(frozen=True)
class Finished:
    """Everything the job asked for has been sent."""

    job: str
    seconds: float


@dataclass(frozen=True)
class Failed:
    """The job ended early: a stable ``kind``, a sentence, what to try, and text for a report."""

    job: str
    kind: str
    message: str
    advice: str = ""
    traceback: str = ""


@dataclass(frozen=True)
class Cancelled:
    """The job ended because it was cancelled."""

    job: str


Command = Generate | Cancel | Release
Event = (
    Hello
    | Devices
    | Heartbeat
    | Released
    | Accepted
    | Loading
    | Step
    | Notice
    | Result
    | Finished
    | Failed
    | Cancelled
)
Message = Command | Event
COMMANDS: tuple[type, ...] = get_args(Command)

_NAMES: dict[str, type] = {kind.__name__.lower(): kind for kind in (*get_args(Command), *get_args(Event))}


def to_json(message: Message) -> dict[str, Any]:
    """The message without its arrays, as plain JSON values with its ``type``."""
    header: dict[str, Any] = {"type": type(message).__name__.lower()}
    for item in fields(message):
        value = getattr(message, item.name)
        if isinstance(value, Request):
            header[item.name] = value.to_json()
        elif not isinstance(value, Array):
            header[item.name] = value
    return header


def send(stream: BinaryIO, message: Message) -> None:
    """Write one message as a frame."""
    arrays = {item.name: getattr(message, item.name) for item in fields(message)}
    write_frame(
        stream, to_json(message), {name: value for name, value in arrays.items() if isinstance(value, Array)}
    )


def receive(stream: BinaryIO) -> Message | None:
    """The next message, or None at the end of the stream.

    Raises `ProtocolError` when the stream is broken, and `RejectedError` when only the request inside a sound
    frame is: the next frame can then still be read.
    """
    frame = read_frame(stream)
    if frame is None:
        return None
    header, arrays = frame
    kind = _NAMES.get(str(header.pop("type", None)))
    if kind is None:
        raise ProtocolError("A frame has a type that is not part of the protocol.")
    if kind is Hello and header.get("protocol") != PROTOCOL_VERSION:
        raise ProtocolError(
            f"The generator speaks protocol {short(header.get('protocol'))}, Blender speaks {PROTOCOL_VERSION}: "
            "they come from different versions of Dream Textures."
        )
    values = {name: value for name, value in header.items() if value is not None}
    if set(values) & set(arrays):
        raise ProtocolError("A frame names an array like one of its values.")
    values.update(arrays)
    if kind is Generate and "request" in values:
        try:
            values["request"] = Request.from_json(values["request"])
        except RequestError as error:
            raise RejectedError(str(values.get("job", "")), str(error)) from error
    _check_types(kind, values)
    try:
        return kind(**values)
    except TypeError as error:
        raise ProtocolError(f"A {kind.__name__} frame is incomplete: {error}.") from error


def _check_types(kind: type, values: Mapping[str, object]) -> None:
    hints = get_type_hints(kind)
    for name, value in values.items():
        if name not in hints:
            raise ProtocolError(f"A {kind.__name__} frame has the unknown field {short(name)}.")
        allowed = get_args(hints[name]) or (hints[name],)
        if float in allowed:
            allowed += (int,)
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            raise ProtocolError(f"A {kind.__name__} frame has a wrong value for {name!r}.")
