# SPDX-License-Identifier: GPL-3.0-or-later
"""The two commands of the README; nothing but Python 3.11 or later has to be installed.

    python3 dev.py texture "mossy red brick wall"     makes a texture in the folder out/
    python3 dev.py test                               runs every test there is

Any other word is the name of a session in noxfile.py. What they need is installed into .nox/ and .venv-dev/.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv-dev"
LOCK = ROOT / "requirements" / "nox.txt"
FIRST = ("generator",)
"""The session whose environment others borrow a Python from."""
SIDE_BY_SIDE = {
    "generator": ("lint", "generator"),
    "blender": ("blender", "environment", "command_line"),
}
"""Two processors are kept busy: Blender waits for its generator much of the time."""
LAST = ("window", "reliability")
"""The window's test measures how long Blender stands still, and wants the machine for itself."""


def main(arguments: list[str]) -> int:
    """Run one nox session with the rest of the words; ``test`` means all sessions that test, two at a time."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this is where an older Python must get a sentence
        print(
            f"Dream Textures needs Python 3.11 or later, and this is {sys.version.split()[0]}.",
            file=sys.stderr,
        )
        return 2
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0
    session, *rest = arguments
    if session != "test":
        return subprocess.run([*nox(session), "--", *rest], check=False).returncode
    made = subprocess.run([*nox(*FIRST), "--install-only"], check=False).returncode
    return made or side_by_side(rest) or subprocess.run(nox(*LAST), check=False).returncode


def nox(*sessions: str) -> list[str]:
    """The command that runs these sessions."""
    return [str(nox_python()), "-m", "nox", "--noxfile", str(ROOT / "noxfile.py"), "--session", *sessions]


def side_by_side(rest: list[str]) -> int:
    """Run the groups of sessions at once, each line marked with its group; 1 where one of them failed."""
    running = []
    for group, sessions in SIDE_BY_SIDE.items():
        process = subprocess.Popen(
            [*nox(*sessions), "--", *rest],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        )
        thread = threading.Thread(target=_pass_on, args=(group, process))
        thread.start()
        running.append((process, thread))
    for _, thread in running:
        thread.join()
    return int(any(process.wait() for process, _ in running))


def _pass_on(group: str, process: subprocess.Popen[bytes]) -> None:
    for line in process.stdout or ():
        print(f"[{group}] {line.decode(errors='replace').rstrip()}", flush=True)


def nox_python() -> Path:
    """The Python of a small environment that holds nox, made on first use and again when its lock changes."""
    python = VENV / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    stamp = VENV / "installed.txt"
    wanted = LOCK.read_text(encoding="utf-8")
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        print("Preparing nox ...", file=sys.stderr)
        venv.create(VENV, with_pip=True, clear=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "-r", str(LOCK)], check=True)
        stamp.write_text(wanted, encoding="utf-8")
    return python


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
