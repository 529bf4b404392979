# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the Blender extension: one zip with the add-on and, at ``runtime/generator``, the generator.

    python build_addon.py                  writes dist/dream_textures_addon-<version>.zip
    python build_addon.py --install DIR    lays it unpacked into an extensions folder, for development, such as
                                           ~/.config/blender/4.2/extensions/user_default

The same files give the same zip, byte for byte, on every machine: entries are sorted, stored without compression
(whose output differs between versions of zlib), and carry a fixed date and fixed permissions.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import io
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ID = "dream_textures_addon"
REQUIRED = (
    "LICENSE",
    "__init__.py",
    "blender_manifest.toml",
    "wire.py",
    "runtime/generator/__init__.py",
    "runtime/generator/__main__.py",
    "runtime/generator/protocol/__init__.py",
    "runtime/generator/weights/maps.safetensors",
    "runtime/generator/weights/starter/model_index.json",
    "runtime/generator/weights/starter/text_encoder/model.safetensors",
    "runtime/generator/weights/starter/unet/diffusion_pytorch_model.safetensors",
    "runtime/generator/weights/starter/vae/diffusion_pytorch_model.safetensors",
    "runtime/generator/weights/upscaler-colour-x4.safetensors",
    "runtime/generator/weights/upscaler-data-x4.safetensors",
)
_DATE = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644 << 16


class BuildError(Exception):
    """The zip would not work; the text says why."""


def main(arguments: list[str] | None = None) -> int:
    """Build, check and write the zip, or install it; 1 when it cannot be built."""
    parser = argparse.ArgumentParser(description="Build the Dream Textures extension for Blender.")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="the folder for the zip")
    parser.add_argument(
        "--install", type=Path, metavar="DIR", help="lay the add-on into this extensions folder instead"
    )
    options = parser.parse_args(arguments)
    try:
        version = read_version(ROOT)
        data = build(collect(ROOT))
        check(data, version)
        if options.install:
            print(f"Installed {install(data, options.install)}")
            return 0
    except (BuildError, OSError) as error:
        print(f"The add-on cannot be built: {error}", file=sys.stderr)
        return 1
    path = options.out / f"{ID}-{version}.zip"
    write(data, path)
    print(f"{path}\n{len(data):,} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}")
    return 0


def read_version(root: Path) -> str:
    """The generator's ``__version__``, read without importing it."""
    source = root / "generator" / "__init__.py"
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [
            "__version__"
        ]:
            return str(ast.literal_eval(node.value))
    raise BuildError(f"{source} does not say its __version__.")


def collect(root: Path) -> dict[str, bytes]:
    """Every file of the extension by its name in the zip."""
    files = {"LICENSE": (root / "LICENSE").read_bytes()}
    for folder, place in ((root / ID, ""), (root / "generator", "runtime/generator/")):
        for path in folder.rglob("*"):
            name = path.relative_to(folder)
            if path.is_file() and not _is_left_out(name):
                files[place + name.as_posix()] = path.read_bytes()
    return files


def _is_left_out(name: Path) -> bool:
    return (
        any(part.startswith(".") or part == "__pycache__" for part in name.parts)
        or name.parts[0] == "runtime"
        or name.suffix in (".pyc", ".pyo", ".orig", ".rej")
        or name.name.endswith("~")
    )


def build(files: dict[str, bytes]) -> bytes:
    """The zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system = 3
            entry.external_attr = _MODE
            archive.writestr(entry, files[name])
    return buffer.getvalue()


def check(data: bytes, version: str) -> None:
    """Open the zip as Blender will. Raises `BuildError` for whatever would go wrong there."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        damaged = archive.testzip()
        if damaged:
            raise BuildError(f"{damaged} is damaged.")
        names = archive.namelist()
        missing = [name for name in REQUIRED if name not in names]
        if missing:
            raise BuildError(f"These files are missing: {', '.join(missing)}.")
        if len({name.lower() for name in names}) != len(names):
            raise BuildError("Two files differ only in upper and lower case.")
        for name in names:
            if name.endswith(".py"):
                _check_source(name, archive.read(name))
        manifest = tomllib.loads(archive.read("blender_manifest.toml").decode("utf-8"))
    if manifest["id"] != ID:
        raise BuildError(f"The manifest's id is {manifest['id']}, not {ID}.")
    if manifest["version"] != version:
        raise BuildError(f"The manifest says version {manifest['version']}, the generator {version}.")


def _check_source(name: str, source: bytes) -> None:
    try:
        ast.parse(source, name)
    except (SyntaxError, ValueError) as error:
        raise BuildError(f"{name} is not valid Python: {error}.") from error


def write(data: bytes, path: Path) -> None:
    """Write the file in one step, so that nobody finds half a zip."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_bytes(data)
    partial.replace(path)


def install(data: bytes, extensions: Path) -> Path:
    """Unpack into ``extensions / dream_textures_addon``, in place of an earlier one. Returns that folder."""
    target = extensions / ID
    if target.is_symlink() or (target.exists() and not (target / "blender_manifest.toml").is_file()):
        raise BuildError(f"{target} is in the way, and is no installed add-on.")
    extensions.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=extensions, prefix=".dream-textures-") as folder:
        fresh = Path(folder) / "new"
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            archive.extractall(fresh)
        if target.exists():
            target.replace(Path(folder) / "old")
        fresh.replace(target)
    return target


if __name__ == "__main__":
    sys.exit(main())
