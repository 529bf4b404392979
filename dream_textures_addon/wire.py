# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's door to the wire protocol, the only code that both programs run.

The built zip carries the generator at ``runtime/generator``; in a checkout it lies beside the add-on. Either way
the protocol is imported under a name inside the add-on's own package: Blender reports add-ons that put modules at
the top level, and the generator's own ``__init__`` has no business in this process.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = ["RUNTIME", "protocol"]


def _find_runtime() -> Path:
    beside = Path(__file__).parent / "runtime"
    checkout = Path(__file__).resolve().parent.parent
    for folder in (beside, checkout):
        if (folder / "generator" / "protocol" / "__init__.py").is_file():
            return folder
    raise ImportError("Dream Textures was installed without its generator; install the built zip again.")


def _import_protocol(runtime: Path) -> ModuleType:
    """The protocol package, imported once: a reload of this file keeps the classes that live objects have."""
    name = f"{__package__}.wire_protocol"
    source = runtime / "generator" / "protocol" / "__init__.py"
    loaded = sys.modules.get(name)
    if loaded is not None and loaded.__file__ == str(source):
        return loaded
    spec = importlib.util.spec_from_file_location(
        name, source, submodule_search_locations=[str(source.parent)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"Python cannot import {source}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


RUNTIME: Path = _find_runtime()
"""The folder to start ``python -m generator`` in."""

if TYPE_CHECKING:
    from generator import protocol
else:
    protocol = _import_protocol(RUNTIME)
