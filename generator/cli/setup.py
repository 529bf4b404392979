# SPDX-License-Identifier: GPL-3.0-or-later
"""``setup``: make, mend, update or remove the private Python with torch; for people and, with --json, for Blender."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from generator import environment
from generator.environment import Failure, Sources
from generator.environment.cancelling import wait_for_end

from .meter import Meter

DONE, FAILED, CANCELLED = 0, 1, 130
AUTO = "auto"


def add(parser: argparse.ArgumentParser) -> None:
    """The options of ``setup``; the add-on relies on these names."""
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where the environment is or shall be")
    parser.add_argument(
        "--accelerator",
        choices=(AUTO, *environment.ACCELERATORS),
        default=AUTO,
        help="the build of PyTorch (default: what suits this computer)",
    )
    parser.add_argument(
        "--python",
        default=AUTO,
        metavar="auto | PATH",
        help="the Python to build on (default: a downloaded one)",
    )
    parser.add_argument("--index-url", default="", metavar="URL", help="a package index in place of pypi.org")
    parser.add_argument(
        "--torch-index-url", default="", metavar="URL", help="in place of download.pytorch.org"
    )
    parser.add_argument(
        "--find-links", action="append", default=[], metavar="DIR_OR_URL", help="a folder or page of wheels"
    )
    parser.add_argument("--python-mirror", default="", metavar="URL", help="in place of Python's downloads")
    parser.add_argument("--proxy", default="", metavar="URL", help="such as http://user:password@host:8080")
    parser.add_argument("--offline", action="store_true", help="use no network; needs a folder of wheels")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--plan", action="store_true", help="say what would be done, and do nothing")
    what.add_argument("--remove", action="store_true", help="delete what setup has made, and nothing else")
    what.add_argument("--check", metavar="PYTHON", help="say what another Python lacks")
    parser.add_argument("--watch-stdin", action="store_true", help="cancel when standard input ends")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")


def setup(options: argparse.Namespace) -> int:
    """Do what the options ask; 0, 1 where it failed, 130 where it was cancelled."""
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    if options.check is not None:
        return _guarded(options, lambda cancel: _check(options, cancel))
    if options.folder is None:
        print("dream-textures setup: Say with --folder where the environment shall be.", file=sys.stderr)
        return 2
    sources = Sources.from_surroundings(
        index_url=options.index_url,
        torch_index_url=options.torch_index_url,
        find_links=tuple(options.find_links),
        python_mirror=options.python_mirror,
        proxy=options.proxy,
        offline=options.offline,
    )
    wish = environment.Wish(
        folder=options.folder.expanduser().absolute(),
        accelerator="" if options.accelerator == AUTO else options.accelerator,
        python=None if options.python == AUTO else Path(options.python).expanduser().absolute(),
        sources=sources,
    )
    if options.plan:
        if options.watch_stdin:
            threading.Thread(target=_end_with_stdin, daemon=True).start()
        return _plan(wish, options.json)
    return _guarded(options, lambda cancel: _run(wish, options, cancel))


def _plan(wish: environment.Wish, as_json: bool) -> int:
    plan = environment.plan(wish)
    if as_json:
        print(json.dumps(plan.to_json()))
    else:
        print("\n".join(plan.sentences()))
    return FAILED if plan.problem else DONE


def _run(wish: environment.Wish, options: argparse.Namespace, cancel: environment.Cancel) -> int:
    meter = Meter(sys.stderr)
    try:
        if options.remove:
            done = environment.remove(wish.folder)
        else:
            done = environment.set_up(wish, _print_event if options.json else meter, cancel)
    finally:
        meter.close()
    _say({"event": "done", **done.to_json()}, options.json, done.message)
    return DONE


def _check(options: argparse.Namespace, cancel: environment.Cancel) -> int:
    report = environment.examine_python(Path(options.check).expanduser().absolute(), cancel)
    _say(report.to_json(), options.json, f"{report.message}\n{report.advice}".strip())
    return DONE if report.ok else FAILED


def _guarded(options: argparse.Namespace, work: Callable[[environment.Cancel], int]) -> int:
    """Do what can be cancelled, and say how it failed if it does."""
    try:
        with environment.cancelling(watch_stdin=options.watch_stdin) as cancel:
            return work(cancel)
    except Failure as failure:
        event = {
            "event": "failed",
            "kind": failure.kind,
            "message": str(failure),
            "advice": failure.advice,
            "log": str(failure.log or ""),
        }
        _say(event, options.json, f"{failure}\n{failure.advice}".strip())
        return CANCELLED if failure.kind == "cancelled" else FAILED


def _end_with_stdin() -> None:
    """For a plan, which writes nothing and so can end anywhere."""
    wait_for_end(sys.stdin.fileno())
    os._exit(CANCELLED)


def _say(event: dict[str, Any], as_json: bool, text: str) -> None:
    if as_json:
        _print_event(event)
    else:
        print(text)


def _print_event(event: dict[str, Any]) -> None:
    print(json.dumps(event), flush=True)
