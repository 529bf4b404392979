# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of an environment: made, made again, killed, damaged, updated, rolled back, removed."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from generator.environment import Cancel, Failure, remove, set_up
from generator.environment.verify import site_packages
from generator.protocol.environment import EnvironmentState
from tests.faults import ends

from .stage import Stage, children_in
from .wheels import Lock, make_wheel


def site(stage: Stage) -> Path:
    python = stage.look().python
    assert python is not None
    found = site_packages(python.parent.parent)
    assert found is not None
    return found


def slow_lock(stage: Stage) -> None:
    """A package whose many modules take uv some seconds to compile."""
    source = b"\n".join(b"def f%d(x):\n    return [x, {x: x}, (x,) * 3]" % number for number in range(400))
    files = {f"large/m{number}.py": source for number in range(200)}
    lock = Lock(stage.locks)
    lock.add("large", "1.0", make_wheel(stage.wheels, "large", "1.0", files))
    lock.write()


def test_an_empty_folder_becomes_an_environment_and_a_second_run_finds_nothing_to_do(stage: Stage) -> None:
    stage.lock(alpha="1.0", beta="2.1")
    assert stage.look().state is EnvironmentState.ABSENT
    done = stage.set_up()
    assert done.changed
    assert stage.look().state is EnvironmentState.READY
    assert str(stage.look().python) == done.python
    assert stage.run("import alpha, beta; print(alpha.VERSION, beta.VERSION)") == "1.0 2.1"
    steps = [event["what"] for event in stage.events]
    assert (
        steps.index("Fetching uv") < steps.index("Making the environment") < steps.index("Checking the files")
    )
    before = sorted(path.stat().st_mtime_ns for path in stage.folder.glob("environments/*/**/*"))
    again = stage.set_up()
    assert not again.changed
    assert "nothing to do" in again.message
    assert sorted(path.stat().st_mtime_ns for path in stage.folder.glob("environments/*/**/*")) == before


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("when", ["Making the environment", "Compiling the packages"])
def test_a_set_up_that_is_killed_leaves_no_process_and_is_resumed(stage: Stage, when: str) -> None:
    slow_lock(stage)
    running = stage.start()
    running.wait_for(when)
    running.kill()
    assert stage.look().state is EnvironmentState.INCOMPLETE
    until = time.monotonic() + 30
    while sys.platform == "linux" and children_in(stage.folder) and time.monotonic() < until:
        time.sleep(0.1)
    assert sys.platform != "linux" or not children_in(stage.folder)
    done = stage.set_up()
    assert done.changed
    assert stage.look().state is EnvironmentState.READY
    assert stage.run("import large.m199; print(large.VERSION)") == "1.0"
    assert [path.name for path in (stage.folder / "environments").iterdir()] == [Path(done.python).parts[-3]]
    ends("Set-up", f"It is killed: {when.lower()}", "no process left; the next run makes it whole")


def truncate(where: Path) -> None:
    (where / "alpha" / "__init__.py").write_bytes(b"")


def alter(where: Path) -> None:
    path = where / "alpha" / "data.bin"
    path.write_bytes(path.read_bytes().replace(b"data", b"dada"))


def delete_file(where: Path) -> None:
    (where / "alpha" / "data.bin").unlink()


def delete_list(where: Path) -> None:
    for path in (where / "alpha-1.0.dist-info").iterdir():
        path.unlink()
    (where / "alpha-1.0.dist-info").rmdir()


DAMAGE = {
    truncate: "a file is cut off",
    alter: "bytes are changed",
    delete_file: "a file is deleted",
    delete_list: "it is not listed any more",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_package_is_found_and_mended_although_it_is_linked_to_the_cache(
    stage: Stage, damage
) -> None:
    stage.lock(alpha="1.0", beta="2.1")
    stage.set_up()
    damage(site(stage))
    done = stage.set_up()
    assert done.changed
    assert stage.look().state is EnvironmentState.READY
    code = "import alpha, importlib.metadata as m, pathlib; d = pathlib.Path(alpha.__file__).with_name('data.bin')"
    assert stage.run(f"{code}; print(alpha.VERSION, m.version('alpha'), d.read_text()[:4])") == "1.0 1.0 data"
    assert not stage.set_up().changed
    ends("Set-up", f"A package is damaged: {DAMAGE[damage]}", "found, fetched again, ready")


def test_damage_that_cannot_be_mended_is_said_and_not_used(stage: Stage) -> None:
    stage.lock(alpha="1.0")
    stage.set_up()
    truncate(site(stage))
    for path in stage.wheels.iterdir():
        path.unlink()
    assert stage.fails("A package is damaged, and there is no network to mend it").kind == "offline"
    found = stage.look()
    assert found.state is EnvironmentState.BROKEN
    assert "alpha" in found.problem
    assert found.python is None


def test_a_python_that_is_gone_is_repaired(stage: Stage) -> None:
    stage.lock(alpha="1.0")
    stage.set_up()
    python = stage.look().python
    assert python is not None
    python.unlink()
    assert stage.look().state is EnvironmentState.BROKEN
    assert stage.set_up().changed
    assert stage.run("import alpha; print(alpha.VERSION)") == "1.0"
    ends("Set-up", "The Python of the environment is gone, and it is set up again", "mended, ready")


def test_an_update_is_built_beside_and_swapped_in(stage: Stage) -> None:
    stage.lock(alpha="1.0")
    first = stage.set_up()
    stage.lock(alpha="1.1", beta="1.0")
    assert stage.look().state is EnvironmentState.OUTDATED
    meanwhile = set()

    def watch(event: dict) -> None:
        found = stage.look()
        meanwhile.add((found.state, str(found.python), found.python is not None and found.python.is_file()))

    done = set_up(stage.wish, watch, Cancel())
    assert meanwhile == {(EnvironmentState.OUTDATED, first.python, True)}
    assert done.python != first.python
    assert not Path(first.python).exists()
    assert stage.look().state is EnvironmentState.READY
    assert stage.run("import alpha, beta; print(alpha.VERSION)") == "1.1"


def test_an_update_that_does_not_work_is_rolled_back(stage: Stage) -> None:
    stage.lock(safetensors="1.0")
    first = stage.set_up()
    broken = make_wheel(
        stage.wheels,
        "safetensors",
        "1.1",
        {"safetensors/__init__.py": b"raise ImportError('no such library')"},
    )
    lock = Lock(stage.locks)
    lock.add("safetensors", "1.1", broken)
    lock.write()
    failure = stage.fails("An update brings a package that cannot be imported")
    assert failure.kind == "broken"
    assert "safetensors cannot be imported: no such library" in str(failure)
    found = stage.look()
    assert found.state is EnvironmentState.OUTDATED
    assert str(found.python) == first.python
    assert stage.run("import safetensors; print(safetensors.VERSION)") == "1.0"
    assert len(list((stage.folder / "environments").iterdir())) == 1


def test_two_at_once_the_second_says_busy(stage: Stage) -> None:
    slow_lock(stage)
    running = stage.start()
    running.wait_for("Making the environment")
    failure = stage.fails()
    assert failure.kind == "busy"
    assert str(running.process.pid) in str(failure)
    said = str(failure).replace(str(running.process.pid), "…")
    ends(
        "Set-up",
        "Two set-ups at once",
        "the second is refused, the first goes on",
        f"{said} {failure.advice}",
    )
    assert running.finish()["event"] == "done"
    assert stage.look().state is EnvironmentState.READY


def test_the_end_of_stdin_cancels_and_ends_every_child(stage: Stage) -> None:
    slow_lock(stage)
    running = stage.start(watch_stdin=True)
    running.wait_for("Compiling the packages")
    assert running.process.stdin is not None
    running.process.stdin.close()
    last = running.finish()
    assert (last["event"], last["kind"]) == ("failed", "cancelled")
    assert sys.platform != "linux" or not children_in(stage.folder)
    assert stage.look().state is EnvironmentState.INCOMPLETE
    assert list((stage.folder / "environments").iterdir()) == []


def test_remove_deletes_what_was_made_and_nothing_else(stage: Stage) -> None:
    stage.lock(alpha="1.0")
    stage.set_up()
    model = stage.folder / "models" / "unet" / "weights.safetensors"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"weights")
    (stage.folder / "notes.txt").write_text("mine")
    removed = remove(stage.folder)
    assert removed.changed
    assert sorted(path.name for path in stage.folder.iterdir()) == ["models", "notes.txt"]
    assert model.read_bytes() == b"weights"
    assert str(stage.folder / "environments") in removed.message
    assert "models" in removed.message
    assert stage.look().state is EnvironmentState.ABSENT
    assert not remove(stage.folder).changed


def test_remove_takes_the_folder_along_when_it_is_empty(stage: Stage) -> None:
    stage.lock(alpha="1.0")
    stage.set_up()
    remove(stage.folder)
    assert not stage.folder.exists()


def test_remove_follows_no_link(stage: Stage, tmp_path: Path) -> None:
    stage.lock(alpha="1.0")
    stage.set_up()
    elsewhere = tmp_path / "elsewhere"
    (stage.folder / "cache").rename(elsewhere)
    (stage.folder / "cache").symlink_to(elsewhere, target_is_directory=True)
    with pytest.raises(Failure, match="link to somewhere else"):
        remove(stage.folder)
    assert any(elsewhere.iterdir())


def test_an_update_leaves_nothing_of_the_old_version_in_the_cache(stage: Stage) -> None:
    stage.lock(alpha="1.0", beta="1.0")
    stage.set_up()
    stage.lock(alpha="1.1", beta="1.0")
    stage.set_up()
    cached = {path.parent.name for path in (stage.folder / "cache").rglob("data.bin")}
    assert cached == {"beta"}, "beta is unchanged, and is linked again the next time"
    assert not stage.set_up().changed


def test_where_files_had_to_be_copied_no_cache_is_kept(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_LINK_MODE", "copy")
    stage.lock(alpha="1.0")
    stage.set_up()
    assert not (stage.folder / "cache").exists()
    truncate(site(stage))
    assert stage.set_up().changed
    assert stage.run("import alpha; print(alpha.VERSION)") == "1.0"


def test_letters_and_spaces_of_every_kind_may_be_in_the_path(stage: Stage) -> None:
    stage.folder = stage.folder.parent / "Künstlerin, 空 & co" / "it's 100%"
    stage.lock(alpha="1.0")
    stage.set_up()
    assert stage.run("import alpha; print(alpha.VERSION)") == "1.0"
    remove(stage.folder)
    assert not stage.folder.exists()


def test_a_second_run_notices_what_does_not_work_although_its_files_are_sound(stage: Stage) -> None:
    wheel = make_wheel(
        stage.wheels,
        "safetensors",
        "1.0",
        {"safetensors/__init__.py": b"import os; assert not os.environ.get('BAD')"},
    )
    lock = Lock(stage.locks)
    lock.add("safetensors", "1.0", wheel)
    lock.write()
    stage.set_up()
    os.environ["BAD"] = "1"
    try:
        failure = stage.fails("A sound package cannot be imported any more")
    finally:
        del os.environ["BAD"]
    assert failure.kind == "broken"
    assert "safetensors cannot be imported" in str(failure)
    assert not stage.set_up().changed
