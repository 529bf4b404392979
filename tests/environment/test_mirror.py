# SPDX-License-Identifier: GPL-3.0-or-later
"""A studio's own index, PyTorch's index and a proxy, as a small server that writes down what it is asked."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from generator.environment import Cancel, Sources, index, uv
from generator.protocol.environment import EnvironmentState

from .stage import Stage
from .wheels import Lock, make_wheel


@dataclass
class Mirror:
    """Serves ``/<index>/<project>/`` from folders. ``login`` is ``user:password``; ``cut`` ends files too early."""

    url: str = ""
    indexes: dict[str, list[Path]] = field(default_factory=dict)
    login: str = ""
    cut: bool = False
    moved_to: str = ""
    trickle: bool = False
    page: bytes = b""
    logins: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def asked_of(self, index: str) -> list[str]:
        return [path for path in self.asked if urlsplit(path).path.startswith(f"/{index}/")]


def handler(mirror: Mirror) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            mirror.asked.append(self.path)
            mirror.logins.append(self.headers.get("Authorization", ""))
            if mirror.trickle:
                self.send_response(200)
                self.end_headers()
                with suppress(OSError):
                    for _ in range(200):
                        self.wfile.write(b" ")
                        time.sleep(0.05)
                return
            if mirror.moved_to:
                self.send_response(302)
                self.send_header("Location", mirror.moved_to + self.path)
                self.end_headers()
                return
            wanted = f"Basic {base64.b64encode(mirror.login.encode()).decode()}"
            if mirror.login and self.headers.get("Authorization") != wanted:
                self.send_response(401)
                self.send_header("WWW-Authenticate", "Basic")
                self.end_headers()
                return
            if mirror.page:
                self.answer(mirror.page, "text/html")
                return
            _, index, *rest = urlsplit(self.path).path.split("/")
            files = {
                path.name: path for folder in mirror.indexes.get(index, []) for path in folder.glob("*.whl")
            }
            name = rest[1] if len(rest) > 1 else ""
            if name in files:
                self.answer(files[name].read_bytes(), "application/zip")
            elif not name and any(file.startswith(f"{rest[0]}-") for file in files):
                links = "".join(
                    f'<a href="{file}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}">{file}</a>\n'
                    for file, path in files.items()
                    if file.startswith(f"{rest[0]}-")
                )
                self.answer(f"<html><body>{links}</body></html>".encode(), "text/html")
            else:
                self.send_error(404)

        def answer(self, data: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if mirror.cut and kind != "text/html" else data)

        def log_message(self, *_words: object) -> None:
            pass

    return Handler


@contextmanager
def serving(mirror: Mirror) -> Iterator[Mirror]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(mirror))
    mirror.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield mirror
    server.shutdown()
    server.server_close()


@pytest.fixture
def mirror(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serving(Mirror(indexes={"simple": [stage.wheels, stage.uv_folder]})) as found:
        yield found


def with_special_part(stage: Stage, wheels: Path, index: str) -> None:
    """A lock of alpha from every index, and of a ``torch`` that only ``index`` is said to have."""
    lock = Lock(stage.locks)
    lock.add("alpha", "1.0", make_wheel(stage.wheels, "alpha", "1.0"))
    lock.lines.append(f"#: index {index}")
    wheels.mkdir(exist_ok=True)
    lock.add("tripwire", "1.0", make_wheel(wheels, "tripwire", "1.0"))
    lock.write()


def test_everything_comes_from_the_index_that_is_named(stage: Stage, mirror: Mirror) -> None:
    stage.lock(alpha="1.0", beta="1.0")
    stage.set_up(sources=Sources(index_url=f"{mirror.url}/simple"))
    assert stage.look().state is EnvironmentState.READY
    assert {"/simple/uv/", "/simple/alpha/", "/simple/beta/"} <= set(mirror.asked)


def test_an_index_with_a_login(stage: Stage, mirror: Mirror) -> None:
    stage.lock(alpha="1.0")
    mirror.login = "artist:pa ss"
    plain = stage.fails("The index asks for a password", sources=Sources(index_url=f"{mirror.url}/simple"))
    assert plain.kind == "network"
    url = mirror.url.replace("http://", "http://artist:pa%20ss@")
    stage.set_up(sources=Sources(index_url=f"{url}/simple"))
    assert stage.look().state is EnvironmentState.READY
    assert "pa%20ss" not in (stage.folder / "setup.log").read_text(encoding="utf-8")


def test_a_server_that_sends_a_byte_at_a_time_is_not_waited_for(
    stage: Stage, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "LIMIT", 0.5)
    stage.lock(alpha="1.0")
    mirror.trickle = True
    sources = Sources(index_url=f"{mirror.url}/simple")
    failure = stage.fails("The index sends a byte at a time", sources=sources)
    assert failure.kind == "network"
    assert "took far too long" in str(failure)


def test_a_page_of_a_server_cannot_name_files_of_this_machine(stage: Stage, mirror: Mirror) -> None:
    stage.lock(alpha="1.0")
    name, _sha256 = uv.wheel()
    mirror.indexes["simple"] = []
    mirror.page = f'<a href="{(stage.uv_folder / name).as_uri()}">{name}</a>'.encode()
    assert index.find(Sources(index_url=f"{mirror.url}/simple"), "uv", [name], print) == []
    mirror.page = f'<a href="../elsewhere/{name}">{name}</a>'.encode()
    (link,) = index.find(Sources(index_url=f"{mirror.url}/simple"), "uv", [name], print)
    assert link == f"{mirror.url}/simple/elsewhere/{name}"


def test_a_login_is_not_told_to_another_server(stage: Stage, mirror: Mirror, tmp_path: Path) -> None:
    with serving(Mirror(moved_to=mirror.url)) as first:
        sources = Sources(index_url=f"{first.url.replace('//', '//artist:pass@')}/simple")
        name, sha256 = uv.wheel()
        (link,) = index.find(sources, "uv", [name], print)
        index.fetch(sources, link, sha256, tmp_path / name, Cancel(), lambda done, total: None)
    assert first.logins and all(first.logins)
    assert mirror.logins and not any(mirror.logins)


def test_a_proxy_carries_all_of_it(stage: Stage, mirror: Mirror) -> None:
    stage.lock(alpha="1.0")
    stage.set_up(sources=Sources(index_url="http://mirror.invalid/simple", proxy=mirror.url))
    assert stage.look().state is EnvironmentState.READY
    assert all(path.startswith("http://mirror.invalid/") for path in mirror.asked)


def test_a_page_of_wheels_needs_no_index(stage: Stage, mirror: Mirror) -> None:
    stage.lock(alpha="1.0")
    pages = (f"{mirror.url}/simple/uv/", f"{mirror.url}/simple/alpha/")
    stage.set_up(sources=Sources(find_links=pages, no_index=True))
    assert stage.look().state is EnvironmentState.READY


def test_a_download_that_ends_too_early_is_said(stage: Stage, mirror: Mirror) -> None:
    stage.lock(alpha="1.0")
    mirror.cut = True
    failure = stage.fails("A download ends too early", sources=Sources(index_url=f"{mirror.url}/simple"))
    assert failure.kind == "network"
    assert "127.0.0.1" in str(failure)
    mirror.cut = False
    stage.set_up(sources=Sources(index_url=f"{mirror.url}/simple"))
    assert stage.look().state is EnvironmentState.READY


def test_pytorchs_index_is_asked_for_its_own_packages_alone(
    stage: Stage, mirror: Mirror, tmp_path: Path
) -> None:
    mirror.indexes["whl"] = [tmp_path / "whl"]
    with_special_part(stage, tmp_path / "whl", f"{mirror.url}/whl")
    stage.set_up(sources=Sources(index_url=f"{mirror.url}/simple"))
    assert stage.run("import alpha, tripwire; print(tripwire.VERSION)") == "1.0"
    assert {path.split("/")[2] for path in mirror.asked_of("whl")} == {"tripwire"}


def test_a_studios_index_that_has_pytorch_is_enough(stage: Stage, mirror: Mirror, tmp_path: Path) -> None:
    mirror.indexes["simple"].append(tmp_path / "whl")
    with_special_part(stage, tmp_path / "whl", f"{mirror.url}/whl")
    stage.set_up(sources=Sources(index_url=f"{mirror.url}/simple"))
    assert stage.run("import alpha, tripwire; print(tripwire.VERSION)") == "1.0"
    assert mirror.asked_of("whl") == []


def test_a_folder_that_has_pytorch_is_enough(stage: Stage, mirror: Mirror, tmp_path: Path) -> None:
    with_special_part(stage, tmp_path / "whl", f"{mirror.url}/whl")
    sources = Sources(index_url=f"{mirror.url}/simple", find_links=(str(tmp_path / "whl"),))
    stage.set_up(sources=sources)
    assert stage.run("import alpha, tripwire; print(tripwire.VERSION)") == "1.0"
    assert mirror.asked_of("whl") == []


def test_pytorchs_index_can_be_another_one(stage: Stage, mirror: Mirror, tmp_path: Path) -> None:
    mirror.indexes["studio"] = [tmp_path / "whl"]
    with_special_part(stage, tmp_path / "whl", "http://127.0.0.1:9/whl")
    sources = Sources(index_url=f"{mirror.url}/simple", torch_index_url=f"{mirror.url}/studio")
    stage.set_up(sources=sources)
    assert stage.run("import tripwire; print(tripwire.VERSION)") == "1.0"
