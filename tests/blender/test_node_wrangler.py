# SPDX-License-Identifier: GPL-3.0-or-later
"""Node Wrangler, which ships with Blender, tells our files apart by their names."""

from __future__ import annotations

from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace

import addon_utils
import bpy
import pytest

PROMPT = "mossy red brick wall"
NODE_WRANGLER = "addons_core/node_wrangler/utils/paths.py"
MATCHED = {
    "base_color": "basecolor",
    "metallic": "metallic",
    "normal": "normal",
    "rough": "roughness",
    "displacement": "height",
    "ambient_occlusion": "ao",
}


def scripts() -> Path:
    """The folder of Blender's own scripts."""
    spec = find_spec("bpy")
    assert spec is not None and spec.origin is not None
    (folder,) = Path(spec.origin).parent.glob("[0-9].[0-9]/scripts")
    return folder


@pytest.fixture(scope="module")
def matcher() -> ModuleType:
    """Node Wrangler's own file, which needs nothing else of it."""
    spec = spec_from_file_location("node_wrangler_paths", scripts() / NODE_WRANGLER)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def sockets(installed: ModuleType) -> list[tuple[str, list[str]]]:
    """What Node Wrangler looks for: its sockets, and the words of its own preferences."""
    addon_utils.enable("node_wrangler", default_set=True)
    tags = bpy.context.preferences.addons["node_wrangler"].preferences.principled_tags
    names = ("base_color", "metallic", "specular", "normal", "bump", "rough", "gloss", "displacement")
    found = [
        (name, getattr(tags, name).split(" ")) for name in (*names, "emission", "alpha", "ambient_occlusion")
    ]
    addon_utils.disable("node_wrangler", default_set=True)
    return found


@pytest.mark.parametrize(
    "prompt", [PROMPT, "rusty metal plate", "base of a rough wall", "a", "12 normal blue tiles"]
)
def test_node_wrangler_finds_every_map_by_its_file_name(
    cube: bpy.types.Object,
    matcher: ModuleType,
    sockets: list[tuple[str, list[str]]],
    tmp_path: Path,
    prompt: str,
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    folder = tmp_path / "textures"
    bpy.ops.dtex.generate(prompt=prompt, seed=7, width=32)
    first = set(folder.iterdir())
    assert _matched(matcher, sockets, first) == MATCHED
    bpy.ops.dtex.generate(prompt=prompt, seed=7, width=32)  # again, with endings that keep the first files
    assert _matched(matcher, sockets, set(folder.iterdir()) - first) == MATCHED


def _matched(matcher: ModuleType, sockets: list[tuple[str, list[str]]], files: set[Path]) -> dict[str, str]:
    """The map that Node Wrangler links into each socket."""
    looked_for = [[name, list(tags), None] for name, tags in sockets]
    matcher.match_files_to_socket_names(
        [SimpleNamespace(name=path.name) for path in sorted(files)], looked_for
    )
    found = {name: path for name, _, path in looked_for if path}
    return {name: Path(path).stem.rpartition("_")[2] for name, path in found.items()}
