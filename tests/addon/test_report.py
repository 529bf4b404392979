# SPDX-License-Identifier: GPL-3.0-or-later
"""A report helps whoever reads it and betrays nobody; a known error becomes advice."""

from __future__ import annotations

from pathlib import Path

import pytest

from dream_textures_addon import faults
from dream_textures_addon.report import Report, request_without_names, without_names
from dream_textures_addon.wire import protocol


@pytest.mark.parametrize(
    "secret",
    [
        "hf_AbCdEfGhIjKlMnOpQrStUvWx",
        "ghp_0123456789abcdef0123456789abcdef0123",
        "Authorization: Bearer eyJhbGciOi.J9.c2lnbmF0dXJl",
        "https://someone:hunter22@proxy.example.com:8080/simple",
        "HF_TOKEN=abcdef123456",
        '{"api_key": "abcdef123456"}',
        "mona.lisa@example.com",
    ],
)
def test_tokens_and_passwords_are_removed(secret: str) -> None:
    told = without_names(f"before {secret} after")
    assert told.startswith("before ")
    assert told.endswith(" after")
    for part in (
        "AbCdEfGh",
        "0123456789abcdef0123",
        "c2lnbmF0",
        "hunter22",
        "someone",
        "abcdef123456",
        "mona",
    ):
        assert part not in told


def test_names_are_removed_and_what_only_contains_them_stays() -> None:
    told = without_names("C:/Users/mona/x.png on mona-lisa-pc, by mona. monastery", ["mona", "mona-lisa-pc"])
    assert told == "C:/Users/<name>/x.png on <name>, by <name>. monastery"


def test_the_home_folder_is_a_tilde() -> None:
    assert without_names(f"{Path.home()}/textures/brick.png", []) == "~/textures/brick.png"


def test_the_requests_files_lose_their_names() -> None:
    source = protocol.ImageRef("0" * 64, 8, 8, "mona_at_the_beach.jpg")
    loras = (protocol.Lora("/mnt/clients/secret project/rust.safetensors", 0.5),)
    request = protocol.Request(
        prompt="sand", source=source, model="/mnt/clients/secret project/sdxl/", loras=loras
    )
    plain = request_without_names(request)
    assert plain["model"] == "sdxl"
    assert plain["loras"] == [{"file": "rust.safetensors", "weight": 0.5}]
    assert plain["source"]["name"] == ""
    assert plain["prompt"] == "sand"
    assert "secret project" not in Report(["Blender 4.2"], request).text()


def test_a_report_has_its_parts_in_order_and_only_the_end_of_the_log() -> None:
    log = [f"line {number}" for number in range(100)]
    lines = Report(["Blender 4.2"], None, ["Failure: it broke", "", "Traceback"], log).text().splitlines()
    assert lines[:4] == ["Blender 4.2", "Failure: it broke", "Traceback", "Last words of the generator:"]
    assert lines[4:] == log[-50:]


@pytest.mark.parametrize(
    ("error", "word"),
    [
        ("CUDA error: no kernel image is available for execution on the device", "Older Card"),
        ("RuntimeError: The NVIDIA driver on your system is too old (found version 11040).", "driver"),
        (
            "OSError: [WinError 126] The specified module could not be found. Error loading c10.dll",
            "Visual C++",
        ),
        (
            "OSError: [WinError 1455] The paging file is too small for this operation to complete",
            "paging file",
        ),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB", "smaller size"),
        ("MPS backend out of memory (MPS allocated: 8 GB)", "smaller size"),
        ("OSError: [Errno 28] No space left on device", "disk space"),
        (
            "safetensors_rust.SafetensorError: Error while deserializing header: HeaderTooLarge",
            "Download the model",
        ),
        ("ModuleNotFoundError: No module named 'transformers'", "Set Up Generator"),
        ("ImportError: /lib/libm.so.6: version `GLIBC_2.29' not found", "system is too old"),
        ("A module that was compiled using NumPy 1.x cannot be run in NumPy 2.0", "mixed"),
        ("it crashed with the Windows error 0xC0000005", "driver"),
        ("it was ended from outside by SIGILL", "AVX2"),
        ("it was ended from outside by SIGKILL, as happens when memory runs out", "smaller"),
        ("PermissionError: [Errno 13] Permission denied: '/models'", "may write"),
        ("ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED]", "SSL_CERT_FILE"),
    ],
)
def test_a_known_error_is_translated_into_advice(error: str, word: str) -> None:
    advice = protocol.known_errors.advice_for(error)
    assert word in advice
    assert advice.endswith(".")
    assert advice in faults.died("it ended with exit code 1", ["one line", error, "another"]).advice


def test_an_unknown_error_has_no_advice() -> None:
    assert protocol.known_errors.advice_for("the sky is falling") == ""


def test_the_reason_counts_before_the_log_around_it() -> None:
    advice = protocol.known_errors.advice_for("No space left on device", "earlier: CUDA out of memory")
    assert "disk" in advice
