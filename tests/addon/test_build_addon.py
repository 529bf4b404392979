# SPDX-License-Identifier: GPL-3.0-or-later
"""The zip is the same at every build, whole, accepted by Blender's own validator, and runs."""

from __future__ import annotations

import importlib.util
import io
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("build_addon", ROOT / "build_addon.py")
assert spec is not None
assert spec.loader is not None
build_addon = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build_addon)
VERSION = build_addon.read_version(ROOT)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    assert build_addon.main(["--out", str(out)]) == 0
    return out / f"dream_textures_addon-{VERSION}.zip"


def names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def small() -> dict[str, bytes]:
    """The least that passes the check."""
    manifest = f'id = "dream_textures_addon"\nversion = "{VERSION}"\n'.encode()
    return dict.fromkeys(build_addon.REQUIRED, b"") | {"blender_manifest.toml": manifest}


def test_the_zip_holds_the_add_on_and_the_generator(built: Path) -> None:
    assert {*build_addon.REQUIRED, "runtime/generator/serve.py"} <= set(names(built))


def test_nothing_that_is_not_theirs_comes_along(built: Path) -> None:
    for name in names(built):
        assert "__pycache__" not in name
        assert not name.endswith((".pyc", "~"))
        assert "tests/" not in name


def test_a_second_build_on_another_umask_gives_the_same_bytes(built: Path, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, str(ROOT / "build_addon.py"), "--out", str(tmp_path)],
        check=True,
        capture_output=True,
        umask=0o077,
        env={**os.environ, "TZ": "Pacific/Auckland", "PYTHONHASHSEED": "7"},
    )
    assert (tmp_path / built.name).read_bytes() == built.read_bytes()


def test_the_order_and_the_dates_of_the_files_do_not_matter() -> None:
    files = {"b.py": b"2", "a.py": b"1", "data/model.safetensors": bytes(100)}
    assert build_addon.build(files) == build_addon.build(dict(reversed(files.items())))


def test_data_files_of_the_generator_come_along(tmp_path: Path) -> None:
    for name, content in {
        "LICENSE": "",
        "dream_textures_addon/__init__.py": "",
        "dream_textures_addon/__pycache__/x.pyc": "",
        "dream_textures_addon/runtime/stale.py": "",
        "generator/__init__.py": "",
        "generator/data/model.safetensors": "weights",
        "generator/.cache/x": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    assert sorted(build_addon.collect(tmp_path)) == [
        "LICENSE",
        "__init__.py",
        "runtime/generator/__init__.py",
        "runtime/generator/data/model.safetensors",
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"wire.py": None}, "missing: wire.py"),
        ({"ui/panel.py": b"def :"}, "ui/panel.py is not valid Python"),
        ({"nul.py": b"\0"}, "nul.py is not valid Python"),
        ({"Wire.py": b""}, "upper and lower case"),
        ({"blender_manifest.toml": b'id = "dream_textures_addon"\nversion = "9"\n'}, "says version 9"),
        ({"blender_manifest.toml": b'id = "other"\nversion = "1"\n'}, "id is other"),
    ],
)
def test_a_zip_that_would_not_work_is_not_built(change: dict[str, bytes | None], words: str) -> None:
    files = {name: content for name, content in (small() | change).items() if content is not None}
    with pytest.raises(build_addon.BuildError, match=words):
        build_addon.check(build_addon.build(files), VERSION)


def test_the_least_zip_passes() -> None:
    build_addon.check(build_addon.build(small()), VERSION)


def test_installing_replaces_an_earlier_one_and_nothing_else(tmp_path: Path, built: Path) -> None:
    data = built.read_bytes()
    target = build_addon.install(data, tmp_path / "user_default")
    (target / "left over.py").touch()
    assert build_addon.install(data, tmp_path / "user_default") == target
    found = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    assert found == set(names(built))
    assert [path.name for path in target.parent.iterdir()] == ["dream_textures_addon"]


def test_installing_never_replaces_what_is_no_add_on(tmp_path: Path) -> None:
    mine = tmp_path / "dream_textures_addon" / "work.txt"
    mine.parent.mkdir()
    mine.touch()
    with pytest.raises(build_addon.BuildError, match="in the way"):
        build_addon.install(build_addon.build(small()), tmp_path)
    assert mine.exists()


def test_the_installed_generator_runs_and_sees_nothing_of_the_checkout(tmp_path: Path, built: Path) -> None:
    pytest.importorskip("numpy")
    target = build_addon.install(built.read_bytes(), tmp_path)
    code = "import generator, generator.serve; print(generator.__file__)"
    done = subprocess.run(
        [sys.executable, "-s", "-E", "-B", "-c", code],
        cwd=target / "runtime",
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()) == target / "runtime/generator/__init__.py"
    assert not list(target.rglob("__pycache__"))


def test_the_manifest_keeps_to_the_lengths_that_blender_allows(built: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(built.read_bytes())) as archive:
        manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
    sentences = [manifest["tagline"], *manifest["permissions"].values()]
    assert all(len(sentence) <= 64 and not sentence.endswith(".") for sentence in sentences)
    assert set(manifest["permissions"]) == {"files", "network"}
    assert manifest["blender_version_min"] == "4.2.0"
