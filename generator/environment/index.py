# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding and fetching one file from the folders and indexes that a machine is set up with (PEP 503)."""

from __future__ import annotations

import hashlib
import html.parser
import http.client
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from .cancelling import Cancel
from .faults import Failure, of_os
from .places import put
from .sources import Sources, host_of, is_local, local_path, without_secrets

TIMEOUT, LIMIT = 20.0, 1800.0
"""Seconds to wait for the next bytes, and for all of them."""

_MAX_PAGE = 64 * 1024 * 1024
_CHUNK = 1 << 18


class UnreachableError(Exception):
    """A link that gave no file; the text says why, in a few words without secrets."""


def find(sources: Sources, project: str, names: Iterable[str], log: Callable[[str], None]) -> list[str]:
    """Where files of these names are: paths of folders first, then URLs, none of them tried yet.

    ``log`` is told of each page that gave nothing: its host, and why.
    """
    wanted = set(names)
    found = [
        str(folder / name)
        for folder in sources.folders()
        for name in sorted(wanted)
        if (folder / name).is_file()
    ]
    pages = [link for link in sources.find_links if not is_local(link) and not sources.offline]
    pages += [f"{url.rstrip('/')}/{project}/" for url in sources.indexes()]
    for page in pages:
        if found:
            break  # what lies nearer is taken, and the next index is not even asked
        try:
            found += [url for name, url in _links(sources, page) if name in wanted]
        except (OSError, ValueError, http.client.HTTPException) as error:
            log(f"{host_of(page) or page}: {_reason(error)}")
    return found


def lists(
    sources: Sources, url: str, project: str, prefixes: Iterable[str], log: Callable[[str], None]
) -> bool:
    """Whether the index at ``url`` has a file of ``project`` whose name begins with one of ``prefixes``."""
    page = f"{url.rstrip('/')}/{project}/"
    try:
        return any(name.startswith(tuple(prefixes)) for name, _url in _links(sources, page))
    except (OSError, ValueError, http.client.HTTPException) as error:
        log(f"{host_of(url) or url}: {_reason(error)}")
        return False


def fetch(
    sources: Sources,
    link: str,
    sha256: str,
    target: Path,
    cancel: Cancel,
    progress: Callable[[int, int | None], None],
) -> None:
    """Copy or download ``link`` to ``target``, which only ever exists whole and with this hash.

    Raises `UnreachableError` where the link gives nothing, and `Failure` for a file with another hash, and where
    nothing can be written.
    """
    partial = target.with_name(target.name + ".part")
    digest = hashlib.sha256()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as out:
            for done, total, chunk in _chunks(sources, link):
                cancel.check()
                digest.update(chunk)
                out.write(chunk)
                progress(done, total)
        if digest.hexdigest() != sha256:
            raise Failure(
                "hash",
                f"{without_secrets(link)} is not the file that Dream Textures was made with, and was not used.",
                "Try again. If it stays so, remove that file, or use another index or mirror.",
            )
        put(partial, target)
    except OSError as error:
        raise of_os(error, target.parent) from error
    finally:
        partial.unlink(missing_ok=True)


def _chunks(sources: Sources, link: str) -> Iterator[tuple[int, int | None, bytes]]:
    """Bytes so far, bytes in all if they are known, and the next of them."""
    try:
        with _open(sources, link) as stream:
            total, done = _length(stream), 0
            for chunk in _read(stream):
                done += len(chunk)
                yield done, total, chunk
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(_reason(error)) from error
    if total is not None and done < total:
        raise UnreachableError("the connection ended too early")


def _read(stream: Any) -> Iterator[bytes]:
    until = time.monotonic() + LIMIT
    # read1 and not read, which would wait for a whole chunk from a server that sends a byte at a time.
    while chunk := stream.read1(_CHUNK):
        if time.monotonic() > until:
            raise TimeoutError("it took far too long")
        yield chunk


def _links(sources: Sources, page: str) -> list[tuple[str, str]]:
    """Names and URLs of all files that a page links to; a page of a server cannot name files of this machine."""
    schemes = ("http", "https")
    if is_local(page):
        schemes = (*schemes, "file")
        folder = local_path(page)
        path = folder / "index.html"
        if not path.is_file():
            return []
        data, base = path.read_bytes(), path.as_uri()
    else:
        with _open(sources, page) as stream:
            data, base = bytearray(), stream.geturl()
            for chunk in _read(stream):
                data += chunk
                if len(data) > _MAX_PAGE:
                    raise ValueError("the page is far too long")
    parser = _Links()
    parser.feed(data.decode("utf-8", "replace"))
    found = []
    for href in parser.found:
        url = urljoin(base, href).partition("#")[0]
        if urlsplit(url).scheme in schemes:
            found.append((unquote(url.rpartition("/")[2]), _with_login_of(page, url)))
    return found


def _reason(error: Exception) -> str:
    """Why, in a few words: ``Connection refused``, ``HTTP Error 401: Unauthorized``."""
    if isinstance(error, urllib.error.HTTPError):
        return f"error {error.code}, {error.reason}"
    cause = getattr(error, "reason", error)
    return without_secrets(str(getattr(cause, "strerror", None) or cause))


class _Links(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]


def _open(sources: Sources, link: str) -> Any:
    if is_local(link):
        return local_path(link).open("rb")
    # Only what a user or an index named gets here, and only over these two schemes.
    headers = {"User-Agent": "dream-textures", **_login(link)}
    request = urllib.request.Request(_without_login(link), headers=headers)  # noqa: S310
    handlers: list[urllib.request.BaseHandler] = [
        urllib.request.HTTPSHandler(context=_trust(sources)),
        _Redirects(),
    ]
    if sources.proxy:
        handlers.append(urllib.request.ProxyHandler({"http": sources.proxy, "https": sources.proxy}))
    return urllib.request.build_opener(*handlers).open(request, timeout=TIMEOUT)


def _login(link: str) -> dict[str, str]:
    parts = urlsplit(link)
    if not parts.username:
        return {}
    import base64

    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def _with_login_of(page: str, url: str) -> str:
    """``url`` with the user and password of ``page``, if it is on the same server and has none of its own."""
    login, at, host = urlsplit(page).netloc.rpartition("@")
    parts = urlsplit(url)
    same = (urlsplit(page).scheme, host) == (parts.scheme, parts.netloc)
    return parts._replace(netloc=f"{login}{at}{host}").geturl() if at and same else url


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a server to another, but does not tell that one the password."""

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: Any) -> Any:
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and urlsplit(newurl).netloc != urlsplit(req.full_url).netloc:
            request.remove_header("Authorization")
        return request


def _without_login(link: str) -> str:
    parts = urlsplit(link)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _trust(sources: Sources) -> ssl.SSLContext:
    context = ssl.create_default_context()
    certificates = sources.certificates
    if not certificates and not context.get_ca_certs() and not ssl.get_default_verify_paths().cafile:
        # Blender's Python on macOS trusts nobody by itself, but carries certifi.
        try:
            import certifi  # type: ignore[import-not-found]

            certificates = certifi.where()
        except ImportError:
            pass
    if certificates:
        try:
            context.load_verify_locations(cafile=certificates)
        except OSError as error:
            raise OSError(f"the certificates in {certificates} cannot be read") from error
    return context


def _length(stream: Any) -> int | None:
    length = stream.headers.get("Content-Length") if hasattr(stream, "headers") else None
    return int(length) if length and length.isdigit() else None
