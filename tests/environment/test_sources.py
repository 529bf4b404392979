# SPDX-License-Identifier: GPL-3.0-or-later
"""Options, uv's variables, pip's variables and pip's files: who wins, and what uv is told."""

from __future__ import annotations

import os
from pathlib import Path

from generator.environment import Sources
from generator.environment.installing import options
from generator.environment.sources import PYPI, host_of, pip_config_files, without_secrets


def from_surroundings(environ: dict[str, str], *files: Path, **given: object) -> Sources:
    return Sources.from_surroundings(environ, files, **given)


def test_pips_file_is_read(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels and more"
    wheels.mkdir()
    path = tmp_path / "pip.conf"
    path.write_text(
        "[global]\nindex-url = https://mirror.example/simple\nproxy = proxy.example:8080\n[global]\n"
        f"extra-index-url =\n    https://one.example/simple\n    https://two.example/simple\nfind-links = {wheels}\n"
        "cert = /etc/ca.pem\n[install]\nno-index = true\n"
    )
    found = from_surroundings({}, path)
    assert found.index == "https://mirror.example/simple"
    assert found.extra_index_urls == ("https://one.example/simple", "https://two.example/simple")
    assert found.find_links == (str(wheels),)
    assert (found.proxy, found.certificates, found.no_index) == ("proxy.example:8080", "/etc/ca.pem", True)


def test_options_win_over_uv_over_pips_variables_over_pips_files(tmp_path: Path) -> None:
    path = tmp_path / "pip.conf"
    path.write_text("[global]\nindex-url = https://file.example/\n")
    environ = {"PIP_INDEX_URL": "https://pip.example/", "UV_INDEX_URL": "https://uv.example/"}
    assert from_surroundings({}, path).index == "https://file.example/"
    assert from_surroundings({"PIP_INDEX_URL": "https://pip.example/"}, path).index == "https://pip.example/"
    assert from_surroundings(environ, path).index == "https://uv.example/"
    assert from_surroundings(environ, path, index_url="https://me.example/").index == "https://me.example/"
    assert from_surroundings({}).index == PYPI


def test_folders_of_options_and_surroundings_are_all_used(tmp_path: Path) -> None:
    one, two, three = (str(tmp_path / name) for name in ("one", "two", "three"))
    environ = {"UV_FIND_LINKS": f"{one},{two}", "PIP_FIND_LINKS": f"{three} {one}"}
    found = from_surroundings(environ, find_links=("https://wheels.example/page",))
    assert found.find_links == ("https://wheels.example/page", one, two, three)


def test_a_broken_file_of_pip_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "pip.conf"
    path.write_bytes(b"\xff\xfe no section")
    assert from_surroundings({}, path) == from_surroundings({})


def test_pip_can_be_told_to_read_no_file_or_one_more() -> None:
    assert pip_config_files({"PIP_CONFIG_FILE": os.devnull}) == ()
    assert pip_config_files({"PIP_CONFIG_FILE": "/studio/pip.conf"})[-1] == Path("/studio/pip.conf")
    assert len(pip_config_files({})) >= 3


def test_uv_is_told_without_a_password_on_its_command_line(tmp_path: Path) -> None:
    sources = Sources(
        index_url="https://me:secret@mirror.example/simple",
        extra_index_urls=("https://me:secret@extra.example/simple",),
        find_links=(str(tmp_path), "https://me:secret@wheels.example/"),
        proxy="http://me:secret@proxy.example:8080",
    )
    words, env = options(sources)
    assert "secret" not in " ".join(words)
    assert env["UV_DEFAULT_INDEX"] == sources.index_url
    assert env["UV_INDEX"] == sources.extra_index_urls[0]
    assert env["UV_FIND_LINKS"].split(",") == ["https://me:secret@wheels.example/", str(tmp_path)]
    assert sources.environment({})["HTTPS_PROXY"] == sources.proxy


def test_offline_asks_no_server(tmp_path: Path) -> None:
    sources = Sources(
        extra_index_urls=("https://extra.example/simple", tmp_path.as_uri()),
        find_links=(str(tmp_path), "https://wheels.example/"),
        offline=True,
    )
    words, env = options(sources)
    assert words == ["--find-links", str(tmp_path)]
    assert env == {"UV_DEFAULT_INDEX": tmp_path.as_uri()}
    assert sources.environment({})["UV_OFFLINE"] == "1"


def test_what_misleads_uv_is_not_passed_on() -> None:
    environ = {
        "PATH": "/bin", "PYTHONHOME": "/blender", "VIRTUAL_ENV": "/venv", "UV_PYTHON": "3.9", "UV_SYSTEM_PYTHON": "1",
        "UV_HTTP_TIMEOUT": "90", "PIP_INDEX_URL": "x", "HTTPS_PROXY": "http://proxy:1", "UV_CACHE_DIR": "/else",
    }  # fmt: skip
    assert Sources().environment(environ) == {
        "PATH": "/bin",
        "UV_HTTP_TIMEOUT": "90",
        "HTTPS_PROXY": "http://proxy:1",
    }


def test_secrets_are_taken_out_of_urls() -> None:
    assert (
        without_secrets("see https://me:pw@host/x and http://token@h")
        == "see https://***@host/x and http://***@h"
    )
    assert host_of("https://me:pw@host.example:8443/x") == "host.example"
    assert host_of("file:///opt") == host_of("/opt") == ""
