# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the house that no reader should have to check by hand."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ADDON, GENERATOR = ROOT / "dream_textures_addon", ROOT / "generator"
PACKAGES = {"dream_textures_addon": ADDON, "generator": GENERATOR}
LICENCE = "# SPDX-License-Identifier: GPL-3.0-or-later\n"
FOLDERS = (ADDON, GENERATOR, ROOT / "tests", ROOT / "benchmarks", ROOT / "training")
HEAVY = {"torch", "diffusers", "transformers", "accelerate", "peft", "safetensors"}
WITHOUT_BLENDER = (
    "wire", "launch", "child", "faults", "session", "jobs", "naming", "presets", "png",
    "spool", "spool_entry", "file_lock", "keeper", "offers", "schedulers", "model_numbers",
    "environment/commands", "environment/events", "environment/run", "environment/words", "environment/desk",
)  # fmt: skip


def sources(*folders: Path) -> list[Path]:
    return sorted(
        path for folder in folders for path in folder.rglob("*.py") if "__pycache__" not in path.parts
    )


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imports(path: Path, *, at_import: bool = False) -> Iterator[str]:
    """Absolute names of all that a file imports; ``at_import`` leaves out what functions import when called."""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]

    def walk(node: ast.AST) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = package[: len(package) - child.level + 1] if child.level else []
                origin = ".".join([*base, *([child.module] if child.module else [])])
                yield from (f"{origin}.{alias.name}" for alias in child.names)
            elif for_types_only(child):
                for other in child.orelse:  # type: ignore[attr-defined]
                    yield from walk(other)
            elif not (at_import and isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))):
                yield from walk(child)

    yield from walk(tree(path))


def top(names: Iterator[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def test_the_tree_is_found() -> None:
    assert len(sources(ADDON)) > 8
    assert len(sources(GENERATOR)) > 20


@pytest.mark.parametrize("path", sources(*FOLDERS), ids=module_name)
def test_every_file_says_its_licence_and_fits_in_the_head(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith(LICENCE) or not text.strip()
    assert text.count("\n") <= 400, f"{path} has {text.count(chr(10))} lines: probably two ideas"


@pytest.mark.parametrize("path", sources(ADDON, GENERATOR), ids=module_name)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(tree(path)), f"{path} has no docstring"


@pytest.mark.parametrize("path", sources(GENERATOR), ids=module_name)
def test_the_generator_never_imports_blender_or_the_add_on(path: Path) -> None:
    assert not top(imports(path)) & {"bpy", "mathutils", "bpy_extras", "dream_textures_addon"}


@pytest.mark.parametrize("path", sources(ADDON), ids=module_name)
def test_the_add_on_imports_nothing_of_the_generator_and_nothing_heavy(path: Path) -> None:
    assert not top(imports(path)) & {"generator", "PIL", "scipy", *HEAVY}


@pytest.mark.parametrize("name", WITHOUT_BLENDER)
def test_the_add_ons_plain_half_needs_the_standard_library_alone(name: str) -> None:
    pending, seen = [ADDON / f"{name}.py"], set()
    while pending:
        path = pending.pop()
        seen.add(path)
        for imported in imports(path):
            if imported.startswith("dream_textures_addon."):
                module = ADDON / f"{imported.split('.')[1]}.py"
                if module.is_file() and module not in seen:
                    pending.append(module)
            else:
                assert imported.partition(".")[0] in sys.stdlib_module_names, f"{path} imports {imported}"


def test_the_protocol_needs_the_standard_library_alone() -> None:
    for path in sources(GENERATOR / "protocol"):
        strangers = {
            name for name in imports(path) if not name.startswith("generator.protocol")
        }  # fmt: skip
        assert top(iter(strangers)) <= set(sys.stdlib_module_names), path


@pytest.mark.parametrize("path", sources(GENERATOR), ids=module_name)
def test_torch_is_imported_where_it_belongs(path: Path) -> None:
    if {GENERATOR / "diffusion", GENERATOR / "torus"}.intersection(path.parents):
        return
    assert not top(imports(path, at_import=True)) & HEAVY


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    """No module needs, while it is imported, one that needs it."""
    files = {module_name(path): path for path in sources(PACKAGES[package])}
    needs: dict[str, set[str]] = {}
    for name, path in files.items():
        found = set()
        for imported in imports(path, at_import=True):
            module = imported if imported in files else imported.rpartition(".")[0]
            if module in files and module != name:
                found.add(module)
        needs[name] = found
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join([*trail[trail.index(name) :], name])
        if name not in done:
            for other in sorted(needs[name]):
                visit(other, (*trail, name))
            done.add(name)

    for name in sorted(files):
        visit(name, ())


def test_the_layers_of_the_add_on_keep_their_order() -> None:
    """ui draws, operators act, the rest works: nothing below knows what is above it."""
    for path in sources(ADDON):
        below = path.parent.name not in ("ui", "operators") and path.name != "__init__.py"
        for name in imports(path):
            if below:
                assert not name.startswith("dream_textures_addon.operators"), path
            if below or path.parent.name == "operators":
                assert not name.startswith("dream_textures_addon.ui"), path
