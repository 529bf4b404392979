# SPDX-License-Identifier: GPL-3.0-or-later
"""The two commands of the README; nothing but Python 3.11 or later has to be installed.

    python3 dev.py texture "mossy red brick wall"     makes a texture in the folder out/
    python3 dev.py test                               runs every test there is

Any other word is the name of a session in noxfile.py. What they need is installed into .nox/ and .venv-dev/.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv-dev"
LOCK = ROOT / "requirements" / "nox.txt"


def main(arguments: list[str]) -> int:
    """Run one nox session with the rest of the words; ``test`` means all sessions that test."""
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
    command = [str(nox_python()), "-m", "nox", "--noxfile", str(ROOT / "noxfile.py")]
    if session != "test":
        command += ["--session", session]
    return subprocess.run([*command, "--", *rest], check=False).returncode


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
