# SPDX-License-Identifier: GPL-3.0-or-later
"""Make an environment, resume, mend or update one: always beside what is in use, and swapped in when it is proven."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from generator import __version__
from generator.protocol.environment import Environment, EnvironmentState, lock_digest

from . import locks, uv
from .busy import alone
from .cancelling import Cancel
from .children import Log, Runner
from .faults import Failure, no_space, of_os
from .foreign import device_words
from .installing import forget, install, is_linked
from .locks import Lock
from .places import Places, python_of
from .planning import Wish, choose, share_needed, space_needed
from .proving import prove, try_out
from .pythons import Uv
from .pythons import choose as choose_python
from .telling import Show, Teller
from .verify import Damage, find_damage, versions

READY, INCOMPLETE, BROKEN = (
    state.value for state in (EnvironmentState.READY, EnvironmentState.INCOMPLETE, EnvironmentState.BROKEN)
)


@dataclass(frozen=True)
class Done:
    """How a set-up ended well."""

    state: str
    python: str
    changed: bool
    message: str

    def to_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Work:
    """What the steps of one set-up share."""

    wish: Wish
    places: Places
    cancel: Cancel
    log: Log
    teller: Teller
    runner: Runner


def set_up(wish: Wish, show: Show, cancel: Cancel) -> Done:
    """Do what `plan` says would be done. Raises `Failure`; what worked before goes on working then."""
    places = wish.places
    try:
        _make_folder(wish.folder)
        with alone(places.lock) as held:
            log = Log(places.log)
            try:
                work = Work(wish, places, cancel, log, Teller(show), Runner(cancel, log, (held,)))
                return _set_up(work)
            except Failure as failure:
                log.write(f"{failure.kind}: {failure}")
                failure.log = places.log
                raise
            except OSError as error:
                log.write(repr(error))
                failure = of_os(error, wish.folder)
                failure.log = places.log
                raise failure from error
            finally:
                log.close()
    except OSError as error:
        raise of_os(error, wish.folder) from error


def _make_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise Failure("permission", f"{folder} is a file, and not a folder.", "Choose a folder.")
    folder.mkdir(parents=True, exist_ok=True)


def _set_up(work: Work) -> Done:
    wish, places = work.wish, work.places
    work.log.write(f"Dream Textures {__version__}, Python {sys.version.split()[0]}, {wish.folder}")
    _sweep(places)
    state = wish.look()
    work.teller.step("Looking at this computer")
    choice = choose(wish, state)
    work.log.write(f"{state.state.value}; {choice.accelerator}: {choice.reason} {choice.advice}")
    lock = _find_lock(wish, choice.accelerator)
    damaged: list[Damage] = []
    if state.state is EnvironmentState.READY and state.accelerator == choice.accelerator:
        damaged = _damage(work, lock, places.current())
        if not damaged and state.python is not None:
            try_out(work.runner, lock, state.python, work.teller)
            return Done(READY, str(state.python), False, "Everything is in order; there was nothing to do.")
        said = ", ".join(f"{item.package} {item.problem}" for item in damaged[:3])
        work.log.write(f"Damaged: {said}")
        places.mark(BROKEN, **_fields(work, lock, state), problem=f"Damaged: {said}.")
    elif state.state in (EnvironmentState.ABSENT, EnvironmentState.INCOMPLETE, EnvironmentState.BROKEN):
        if state.state is EnvironmentState.BROKEN and (current := places.current()) is not None:
            damaged = _damage(work, lock, current)
        places.mark(INCOMPLETE, accelerator=choice.accelerator, environment=_current_name(places))
    share = 1.0 if any(_is_large(item.package) for item in damaged) else share_needed(lock, state, places)
    return _build(work, lock, share, damaged)


def _build(work: Work, lock: Lock, share: float, damaged: list[Damage]) -> Done:
    wish, places = work.wish, work.places
    needs_python = wish.python is None and not any(places.pythons.glob("cpython-*"))
    needed, free = space_needed(lock, share, needs_python), wish.free(wish.folder)
    if free < needed:
        raise no_space(wish.folder, needed, free)
    work.teller.step("Fetching uv")
    program = uv.obtain(
        wish.sources, places.tools, work.cancel, work.log.write, _counted(work.teller, "Fetching uv")
    )
    tool = Uv(program, places, wish.sources, work.runner)
    work.teller.step("Choosing a Python")
    base = choose_python(tool, lock, wish.python, work.teller.step)
    work.log.write(f"Building on {base.words}")
    target, earlier = places.next_environment(), places.current()
    try:
        install(tool, lock, base, target, work.teller, [item.package for item in damaged])
        proof = prove(tool, lock, target, work.teller)
        _swap(work, lock, target, proof.torch)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    _tidy(tool, lock, earlier, target)
    _sweep(places)
    python = python_of(target)
    on = f" It computes on {device_words(proof.device)}." if proof.device else ""
    message = f"The generator is set up, with {base.words}.{on}"
    if proof.device == "cpu" and lock.accelerator not in ("cpu",):
        message += " PyTorch does not see the graphics card: update its driver, and start the computer again."
    return Done(READY, str(python), True, message)


def _swap(work: Work, lock: Lock, target: Path, torch: str) -> None:
    work.cancel.check()
    work.places.mark(
        READY,
        python=work.places.relative(python_of(target)),
        environment=work.places.relative(target),
        accelerator=lock.accelerator,
        version=torch,
        locks=lock_digest(work.wish.locks),
    )
    work.log.write(f"Ready: {target}")


def _tidy(tool: Uv, lock: Lock, earlier: Path | None, target: Path) -> None:
    """Let the cache hold no more than what is linked: not what an update replaced, and nothing where uv had to copy."""
    if not is_linked(target):
        shutil.rmtree(tool.places.cache, ignore_errors=True)
    elif earlier is not None:
        pins = lock.pins
        forget(tool, [name for name, version in versions(earlier).items() if pins.get(name, "") != version])


def _sweep(places: Places) -> None:
    """Delete numbered environments that are not in use; what another program still holds open waits for next time."""
    current = places.current()
    for path in places.environments.glob("*"):
        if path.name.isdigit() and path != current:
            shutil.rmtree(path, ignore_errors=True)


def _damage(work: Work, lock: Lock, current: Path | None) -> list[Damage]:
    if current is None or not current.is_dir():
        return []
    what = "Checking the files"

    def tell(done: int, total: int) -> None:
        work.cancel.check()
        work.teller.step(what, done, total)

    work.teller.step(what)
    return find_damage(current, lock.pins, tell)


def _is_large(package: str) -> bool:
    return package.startswith(("torch", "triton", "nvidia"))


def _find_lock(wish: Wish, accelerator: str) -> Lock:
    try:
        return locks.find_lock(accelerator, wish.locks)
    except (OSError, ValueError) as error:
        on_offer = ", ".join(locks.available(wish.locks)) or "none"
        raise Failure(
            "python",
            f"There is no locked PyTorch for {accelerator} on this computer ({locks.platform_name()}; "
            f"there is: {on_offer}).",
            "Choose another kind, or use an existing Python.",
        ) from error


def _fields(work: Work, lock: Lock, state: Environment) -> dict[str, str]:
    return {
        "python": work.places.relative(state.python) if state.python is not None else "",
        "environment": _current_name(work.places),
        "accelerator": lock.accelerator,
        "version": state.version,
        "locks": lock_digest(work.wish.locks),
    }


def _current_name(places: Places) -> str:
    current = places.current()
    return places.relative(current) if current is not None and current.exists() else ""


def _counted(teller: Teller, what: str) -> Callable[[int, int | None], None]:
    return lambda done, total: teller.step(what, done, total)
