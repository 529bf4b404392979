# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs on disk, so that the end of Blender, however it comes, takes none of them along.

Below the spool's folder each running Blender has one of its own, with a file in it that it holds locked. In it lies
a folder for each job: ``job.json``, ``source.frame`` and one ``INDEX-MAP.frame`` for each result. All of them are
frames of the wire, so that reading is bounded and strict, and each is written under another name first. What a dead
Blender left is taken over by the next one that asks; what cannot be read is set aside under another name.

Everything here blocks; `keeper` calls it on a thread.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from .file_lock import FileLock, held
from .spool_entry import EntryError, SpoolEntry, is_sound
from .wire import protocol

JOB, SOURCE, LOCK = "job.json", "source.frame", "lock"
_NEW, _GONE, _BROKEN, _PART = "new-", "gone-", "broken-", ".part"
_NAME = re.compile(r"[0-9a-f]{32}")
_RESULT = re.compile(rf"([0-9]{{1,3}})-({'|'.join(protocol.MAPS)})\.frame")
_PATIENCE_SECONDS = 10.0
MAX_BROKEN = 8


class SpoolFullError(Exception):
    """There is no room for more; the text is a sentence for the artist."""


@dataclass(frozen=True)
class SpoolLimits:
    """How much may lie in the spool: jobs, bytes, and the bytes that must stay free on the disk (0: any)."""

    jobs: int = 256
    bytes: int = 4 << 30
    free: int = 512 << 20


@dataclass
class Leftovers:
    """What dead Blenders left: their jobs, the oldest first, and where those were put that cannot be read.

    ``arrived`` says which results there are of each job, by image and map.
    """

    entries: list[SpoolEntry] = field(default_factory=list)
    arrived: dict[str, set[tuple[int, str]]] = field(default_factory=dict)
    broken: list[Path] = field(default_factory=list)


class Spool:
    """The jobs of this process. For one thread. Every method may raise OSError; then nothing half-written is left."""

    def __init__(self, root: Path, limits: SpoolLimits | None = None) -> None:
        self.root = root
        self._limits = limits or SpoolLimits()
        self._own = root / uuid.uuid4().hex
        self._lock: FileLock | None = None
        self._sizes: dict[str, int] = {}

    def __contains__(self, job: str) -> bool:
        return job in self._sizes

    @property
    def size(self) -> int:
        """The bytes of all jobs that this process owns."""
        return sum(self._sizes.values())

    def put(self, entry: SpoolEntry, source: protocol.Array | None = None) -> None:
        """Keep a new job with the pixels of its source. Raises `SpoolFullError`."""
        self._open()
        if len(self._sizes) >= self._limits.jobs:
            raise SpoolFullError(
                f"As many textures as are kept on disk ({self._limits.jobs}) wait to be placed or discarded; "
                "this one is made all the same."
            )
        bytes_needed = 0 if source is None else len(source.data)
        self._check_room(bytes_needed)
        folder = self._folder(entry.id)
        new = folder.with_name(f"{_NEW}{entry.id}")
        new.mkdir()
        try:
            if source is not None:
                _write(new / SOURCE, lambda stream: protocol.write_frame(stream, {}, {"source": source}))
            _write_entry(new, entry)
            new.rename(folder)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        self._sizes[entry.id] = _size(folder)

    def update(self, entry: SpoolEntry) -> None:
        """Note what became of a job. One that is not kept is left alone."""
        if entry.id in self._sizes:
            _write_entry(self._folder(entry.id), entry)

    def add_result(self, result: protocol.Result) -> None:
        """Keep one result of a job; it replaces an earlier one of the same name. Raises `SpoolFullError`."""
        if result.job not in self._sizes:
            return
        self._check_room(len(result.image.data))
        folder = self._folder(result.job)
        _write(folder / f"{result.index}-{result.map}.frame", lambda stream: protocol.send(stream, result))
        self._sizes[result.job] = _size(folder)

    def drop(self, job: str) -> None:
        """Forget a job and delete what was kept of it."""
        if self._sizes.pop(job, None) is None:
            return
        # At once for whoever looks; if the deletion is interrupted, the next start ends it.
        gone = self._own / f"{_GONE}{job}"
        self._folder(job).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def source(self, entry: SpoolEntry) -> protocol.Array | None:
        """The pixels of a job's source, if it has one. Raises `EntryError` where they are not what they were."""
        reference = entry.request.source
        if reference is None:
            return None
        try:
            with (self._folder(entry.id) / SOURCE).open("rb") as stream:
                frame = protocol.read_frame(stream)
        except (OSError, protocol.ProtocolError) as error:
            raise EntryError(f"The source of “{entry.title}” cannot be read any more.") from error
        array = None if frame is None else frame[1].get("source")
        if (
            array is None
            or array.shape[:2] != (reference.height, reference.width)
            or hashlib.sha256(array.data).hexdigest() != reference.sha256
        ):
            raise EntryError(f"The source of “{entry.title}” is damaged.")
        return array

    def arrived(self, job: str) -> set[tuple[int, str]]:
        """Which results of a job are kept, by image and map."""
        names = (_RESULT.fullmatch(path.name) for path in self._folder(job).iterdir())
        return {(int(name[1]), name[2]) for name in names if name is not None}

    def results(self, entry: SpoolEntry, maps: Collection[str] = protocol.MAPS) -> list[protocol.Result]:
        """The results that are kept of a job, of these maps; what cannot be read is left out."""
        found = []
        for index, name in sorted(self.arrived(entry.id)):
            if name not in maps or name not in entry.request.maps or index >= entry.request.count:
                continue
            with contextlib.suppress(OSError, protocol.ProtocolError, protocol.RequestError):
                with (self._folder(entry.id) / f"{index}-{name}.frame").open("rb") as stream:
                    result = protocol.receive(stream)
                if not isinstance(result, protocol.Result) or not is_sound(result):
                    continue
                if (result.job, result.index, result.map) == (entry.id, index, name):
                    found.append(result)
        return found

    def adopt(self) -> Leftovers:
        """Take over what dead Blenders left. A live one's jobs are never touched."""
        self._open()
        left = Leftovers()
        with held(self.root / LOCK, _PATIENCE_SECONDS):
            for folder in sorted(self.root.iterdir()):
                if _NAME.fullmatch(folder.name) and folder.is_dir() and folder != self._own:
                    # One that cannot be entered must not keep the others back.
                    with contextlib.suppress(OSError):
                        self._adopt_owner(folder, left)
        left.entries.sort(key=lambda entry: entry.added)
        self._forget_broken()
        return left

    def close(self) -> None:
        """Let go. What is kept stays for the next start."""
        if self._lock is None:
            return
        self._lock.release()
        self._lock = None
        if not self._sizes:
            with contextlib.suppress(OSError):
                (self._own / LOCK).unlink()
                self._own.rmdir()
        self._sizes = {}
        self._own = self.root / uuid.uuid4().hex

    def _open(self) -> None:
        if self._lock is not None:
            return
        self.root.mkdir(parents=True, exist_ok=True)
        # While others may not look: a folder whose lock is not yet held would be taken for a dead Blender's.
        with held(self.root / LOCK, _PATIENCE_SECONDS):
            self._own.mkdir()
            self._lock = FileLock.take(self._own / LOCK)

    def _adopt_owner(self, owner: Path, left: Leftovers) -> None:
        lock = FileLock.take(owner / LOCK)
        if lock is None:
            return
        try:
            for folder in sorted(owner.iterdir()):
                if folder.name.startswith((_NEW, _GONE)):
                    shutil.rmtree(folder, ignore_errors=True)
                elif folder.name != LOCK:
                    self._adopt_job(folder, left)
        finally:
            lock.release()
        with contextlib.suppress(OSError):
            (owner / LOCK).unlink()
            owner.rmdir()

    def _adopt_job(self, folder: Path, left: Leftovers) -> None:
        try:
            entry = _read_entry(folder)
            target = self._folder(entry.id)
            folder.rename(target)
        except (OSError, ValueError):
            with contextlib.suppress(OSError):
                left.broken.append(folder.rename(self.root / f"{_BROKEN}{uuid.uuid4().hex}"))
            return
        for part in target.glob(f"*{_PART}"):
            part.unlink(missing_ok=True)
        self._sizes[entry.id] = _size(target)
        left.arrived[entry.id] = self.arrived(entry.id)
        left.entries.append(entry)

    def _forget_broken(self) -> None:
        broken = sorted(self.root.glob(f"{_BROKEN}*"), key=lambda path: path.lstat().st_mtime)
        for path in broken[:-MAX_BROKEN]:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def _check_room(self, needed: int) -> None:
        if self.size + needed > self._limits.bytes:
            raise SpoolFullError(
                f"Textures of {self._limits.bytes / (1 << 30):.1f} GB wait to be placed or discarded; "
                "further ones are not kept on disk."
            )
        if self._limits.free and shutil.disk_usage(self.root).free - needed < self._limits.free:
            raise SpoolFullError(
                "The disk is almost full, so that textures are not kept there until they are placed."
            )

    def _folder(self, job: str) -> Path:
        if not _NAME.fullmatch(job):
            raise ValueError(f"{job!r} is not the name of a job.")
        return self._own / job


def _read_entry(folder: Path) -> SpoolEntry:
    """The entry of a job's folder. Raises ValueError (`EntryError`, `ProtocolError`) and OSError."""
    if folder.is_symlink() or not _NAME.fullmatch(folder.name):
        raise EntryError("This is not the folder of a job.")
    with (folder / JOB).open("rb") as stream:
        frame = protocol.read_frame(stream)
    entry = SpoolEntry.from_json({} if frame is None else frame[0])
    if entry.id != folder.name:
        raise EntryError("The job in this folder is another one.")
    return entry


def _write_entry(folder: Path, entry: SpoolEntry) -> None:
    _write(folder / JOB, lambda stream: protocol.write_frame(stream, entry.to_json()), durable=True)


def _write(path: Path, write: Callable[[BinaryIO], None], durable: bool = False) -> None:
    """Write a whole file or none. ``durable``: also across a power failure, where that may take a while."""
    part = path.with_name(f"{path.name}{_PART}")
    try:
        with part.open("wb") as stream:
            write(stream)
            if durable:
                os.fsync(stream.fileno())
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.iterdir())
