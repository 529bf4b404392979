# SPDX-License-Identifier: GPL-3.0-or-later
"""``models`` and ``doctor``: what is here, what works, and what to do about the rest."""

from __future__ import annotations

import argparse
import json

from generator import doctor as checks


def models(options: argparse.Namespace) -> int:
    """List the models on this machine, and the materials that the procedural one knows."""
    from generator import models as registry
    from generator import procedural

    found = registry.installed()
    families = procedural.families()
    if options.json:
        listed = [{"name": item.name, "example": item.example} for item in families]
        print(json.dumps({"models": [model.to_json() for model in found], "families": listed}, indent=2))
        return 0
    for model in found:
        made_for = f"; {model.numbers}" if model.numbers else ""
        print(f"{model.name}\n    {model.description}{made_for}")
    print(f"\n{registry.PROCEDURAL.name} knows {len(families)} materials, such as:")
    for item in families:
        print(f"    {item.name:<16} {item.example}")
    if all(model.name.startswith("builtin:") for model in found):
        print(
            "\nFor more, give --model the path of a diffusers folder (Stable Diffusion 1.x, 2.x, XL), or put such "
            f"folders\ninto one folder and name that in the environment variable {registry.MODEL_FOLDERS}."
        )
    return 0


def doctor(options: argparse.Namespace) -> int:
    """Check the installation; 0 where everything that was found works, 1 where something needs a hand."""
    findings = checks.examine(
        None if options.folder is None else options.folder.expanduser().absolute(),
        offline=options.offline,
        network=options.network,
    )
    if options.json:
        print(json.dumps([finding.to_json() for finding in findings], indent=2))
    else:
        for finding in findings:
            print(f"{'ok  ' if finding.ok else 'LOOK'}  {finding.what}: {finding.found}")
            if finding.advice:
                print(f"      {finding.advice}")
    return 0 if all(finding.ok for finding in findings) else 1
