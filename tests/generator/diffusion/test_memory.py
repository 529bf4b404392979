# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run will take is known before it begins, and what worked is known afterwards."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from recorder import Recorder, loaded

from generator import diffusion
from generator.diffusion import attempts, estimate, experience, free_memory, hardware
from generator.diffusion.estimate import Job, Part
from generator.diffusion.experience import FILE, Experience, Worked
from generator.diffusion.families import UNET
from generator.diffusion.ladder import Measure, Plan, one_lower
from generator.progress import GenerationError
from generator.protocol import Request

REQUEST = Request(
    prompt="brick", model="tiny", width=64, height=64, num_inference_steps=1, seed=4, guidance_scale=4
)
CARD, CPU = torch.device("cuda:0"), torch.device("cpu")
GB = 1 << 30
# Values in the parts of the real models.
SD1 = {"unet": Part(859_520_964, 14_745_600, 2), "vae": Part(83_653_863, 2_359_296, 2),
       "text_encoder": Part(123_060_480, 37_945_344, 2)}  # fmt: skip
SDXL = {"unet": Part(2_567_463_684, 14_745_600, 2), "vae": Part(83_653_863, 2_359_296, 2),
        "text_encoder": Part(123_060_480, 37_945_344, 2),
        "text_encoder_2": Part(694_659_840, 63_242_240, 2)}  # fmt: skip
FOUR_LEVELS = ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",)


def pipeline(kind: str) -> Any:
    """Configurations of the real models, without any weights."""
    xl = kind == "sdxl"
    unet = {
        "block_out_channels": (320, 640, 1280) if xl else (320, 640, 1280, 1280),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D")
        if xl
        else FOUR_LEVELS,
        "attention_head_dim": (5, 10, 20) if xl else 8,
    }
    vae = {"latent_channels": 4, "block_out_channels": (128, 256, 512, 512)}
    return SimpleNamespace(
        unet=SimpleNamespace(config=unet), vae=SimpleNamespace(config=vae, dtype=torch.float16)
    )


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graphics card with fused attention, as the estimates see it."""
    monkeypatch.setattr(hardware, "attends_at_once", lambda _device, _dtype: False)
    monkeypatch.setattr(hardware, "list_devices", lambda: [{"id": "cuda:0", "memory_bytes": 4 * GB}])


def chosen(kind: str, size: int, free: float) -> Plan:
    """Down the ladder as far as the estimate asks for."""
    weights, plan = {"sd1": SD1, "sdxl": SDXL}[kind], Plan(CARD, torch.float16)
    rungs = [measure for measure in Measure if measure is not Measure.SLICES]
    while True:
        work = estimate.working(pipeline(kind), UNET, plan, Job(size, size))
        need = estimate.needed(plan, weights, "unet", work)
        short = next((phase for phase, size in need.items() if phase != "read" and size > free), None)
        lower = one_lower(plan, short, rungs) if short else None
        if lower is None:
            return plan
        plan = lower


def test_a_card_starts_with_what_fits_it(card):
    """The rules of thumb that people know from experience with the real models, docs/memory.md."""
    assert chosen("sd1", 512, 5.5 * GB).measures == ()
    assert Measure.FP8 in chosen("sd1", 512, 2.4 * GB)
    assert not chosen("sd1", 512, 3.4 * GB).offloads
    assert chosen("sdxl", 1024, 11 * GB).measures == ()
    assert Measure.FP8 in chosen("sdxl", 1024, 7 * GB)
    assert chosen("sdxl", 1024, 3.8 * GB).offloads
    assert Measure.GROUP_OFFLOAD in chosen("sdxl", 1024, 2.2 * GB)


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_every_measure_needs_less_where_it_is_said_to_help(card, monkeypatch, kind):
    monkeypatch.setattr(hardware, "attends_at_once", lambda _device, _dtype: True)
    monkeypatch.setattr(hardware, "list_devices", lambda: [{"id": "cuda:0", "memory_bytes": 24 * GB}])
    weights = {"sd1": SD1, "sdxl": SDXL}[kind]
    before = Plan(CARD, torch.float16)
    # Of the autoencoder both have no more than the whole of it there.
    alike = {(Measure.GROUP_OFFLOAD, "encode"), (Measure.GROUP_OFFLOAD, "decode")}

    def need(plan: Plan) -> dict[str, int]:
        work = estimate.working(pipeline(kind), UNET, plan, Job(1024, 1024, source=True))
        return dict(estimate.needed(plan, weights, "unet", work))

    for measure in Measure:
        if measure is Measure.GROUP_OFFLOAD:
            before = before.having([Measure.MODEL_OFFLOAD])
        after = before.having([measure])
        helps = [
            phase
            for phase in ("move", "encode", "denoise", "decode")
            if one_lower(before, phase, [measure]) is not None
        ]
        assert helps
        for phase in helps:
            if (measure, phase) not in alike:
                assert need(after)[phase] < need(before)[phase], (measure, phase)


def test_the_weights_are_counted_without_loading_them(folders):
    from generator.diffusion.folder import read_folder

    model = diffusion.load(folders["sdxl"], "fp32", "cpu", Recorder())
    counted = estimate.weights_of(read_folder(folders["sdxl"]), None)
    for name, part in counted.items():
        parameters = list(getattr(loaded(model).pipeline, name).parameters())
        assert part.values == pytest.approx(sum(tensor.numel() for tensor in parameters), rel=0.01)
        assert part.largest == max(tensor.numel() for tensor in parameters)
        assert part.stored == 4


def test_a_model_that_fits_nowhere_is_refused_before_it_is_read_with_figures(folders, monkeypatch):
    monkeypatch.setattr(attempts.free_memory, "available", lambda _device: 400_000)
    progress = Recorder()
    with pytest.raises(GenerationError) as caught:
        diffusion.load(folders["sd1"], "fp32", "cpu", progress)
    assert caught.value.kind == "out_of_memory"
    assert "0.0 GB of main memory are free" in caught.value.message
    assert not any(step.startswith("Loading") for step in progress.loadings)


def test_a_size_that_does_not_fit_is_refused_before_the_first_step(folders, monkeypatch):
    model, progress = diffusion.load(folders["sd1"], "fp32", "cpu", Recorder()), Recorder()
    monkeypatch.setattr(attempts.free_memory, "available", lambda _device: 3 << 20)
    with pytest.raises(GenerationError, match="at 2048 x 2048"):
        next(model.generate(replace(REQUEST, width=2048, height=2048), None, progress))
    assert progress.steps == []
    monkeypatch.undo()
    next(model.generate(REQUEST, None, progress))


def test_what_worked_is_where_the_next_session_starts(folders, monkeypatch, own_state):
    free = [GB]
    monkeypatch.setattr(attempts.free_memory, "available", lambda _device: free[0])
    first, notices = exhausted_once(folders["sd1"])
    assert notices[0].startswith("There was not enough memory at first")
    entries = json.loads((own_state / FILE).read_text())["entries"]
    assert [entry["measures"] for entry in entries.values()] == [["one_by_one"]]

    def again() -> list[str]:
        progress = Recorder()
        model = diffusion.load(folders["sd1"], "fp32", "cpu", Recorder())
        assert (next(model.generate(REQUEST, None, progress)) - first).max() < 1e-3
        assert not any("trying again" in told for told in progress.loadings)
        return progress.notices

    assert again() == ["Memory is short here, so each step was computed in two passes."]
    free[0] = 2 * GB
    assert again() == [], "with much more memory free, one tries without"
    assert json.loads((own_state / FILE).read_text())["entries"] == {}, "and it worked"
    free[0] = GB
    assert again() == []


def exhausted_once(folder: Path) -> tuple[Any, list[str]]:
    """An image whose first step runs out of memory."""
    model, progress = diffusion.load(folder, "fp32", "cpu", Recorder()), Recorder()

    def hook(*_: object) -> None:
        handle.remove()
        raise torch.OutOfMemoryError("CUDA out of memory.")

    handle = loaded(model).denoiser.register_forward_pre_hook(hook)
    return next(model.generate(REQUEST, None, progress)), progress.notices


WORKED = Worked((Measure.FP8,), False, GB)


def test_what_worked_holds_for_about_this_size_on_this_device():
    kept = Experience("model", "card")
    kept.learn(1024, 1024, WORKED)
    assert kept.worked(1024, 1024) == kept.worked(1024, 960) == WORKED
    assert kept.worked(512, 512) is None
    assert kept.worked(2048, 2048) is None
    assert Experience("model", "other card").worked(1024, 1024) is None
    kept.learn(1024, 1024, None)
    assert kept.worked(1024, 1024) is None


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"\xff\xfe", b"[]", b"null", b'{"version": 1}', b'{"version": 1, "entries": []}',
        b'{"version": 9, "entries": {"model": {"dtype": "fp16"}}}', b"[" * 100_000,
        b'{"version": 1, "entries": {"model": 3, "model|40": {"measures": ["unknown"], "on_cpu": 1, "free": 0}}}',
        b'{"version": 1, "entries": {"model": {"dtype": ["fp16"]}, "model|40": {"measures": 7}}}',
    ],
)  # fmt: skip
def test_a_broken_file_is_as_good_as_none_and_replaced(own_state, content):
    own_state.mkdir()
    (own_state / FILE).write_bytes(content)
    kept = Experience("model")
    assert kept.worked(1024, 1024) is None
    assert kept.dtype == ""
    assert not kept.without_fp8
    kept.learn(1024, 1024, WORKED)
    kept.learn_dtype("fp32")
    assert kept.worked(1024, 1024) == WORKED
    assert kept.dtype == "fp32"
    assert [path.name for path in own_state.iterdir()] == [FILE]


def test_the_file_stays_small(own_state, monkeypatch):
    monkeypatch.setattr(experience, "LIMIT", 5)
    for number in range(9):
        Experience(f"model {number}").learn(512, 512, WORKED)
    assert Experience("model 0").worked(512, 512) is None
    assert Experience("model 8").worked(512, 512) == WORKED
    assert len(json.loads((own_state / FILE).read_text())["entries"]) == 5


def test_a_folder_that_cannot_be_written_costs_nothing(own_state):
    own_state.write_text("a file where the folder should be")
    Experience("model").learn(512, 512, WORKED)
    assert Experience("model").worked(512, 512) is None


@pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")
class TestContainers:
    def group(self, folder: Path, **files: object) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in files.items():
            (folder / name.replace("__", ".")).write_text(f"{value}\n")
        return folder

    def left(self, tmp_path: Path, membership: str) -> list[int]:
        (tmp_path / "self").write_text(membership)
        return free_memory._left_in_groups(tmp_path / "self", tmp_path / "groups")

    def test_the_tightest_limit_above_the_process_counts(self, tmp_path):
        root = tmp_path / "groups"
        self.group(root / "user" / "app", memory__max="max", memory__current=GB)
        self.group(
            root / "user", memory__max=4 * GB, memory__current=3 * GB, memory__stat=f"inactive_file {GB}"
        )
        assert self.left(tmp_path, "0::/user/app\n") == [2 * GB]

    def test_inside_a_container_the_root_of_the_mount_counts(self, tmp_path):
        self.group(tmp_path / "groups", memory__max=GB, memory__current=GB // 4)
        assert self.left(tmp_path, "0::/docker/0123abcd\n") == [3 * GB // 4]

    def test_the_first_version_of_control_groups_is_known_too(self, tmp_path):
        folder = tmp_path / "groups" / "memory" / "job"
        self.group(folder, memory__limit_in_bytes=2 * GB, memory__usage_in_bytes=GB)
        assert self.left(tmp_path, "5:cpu,cpuacct:/x\n4:memory:/job\n") == [GB]

    def test_without_limits_nothing_is_said(self, tmp_path):
        self.group(tmp_path / "groups", memory__max="max", memory__current=GB)
        assert self.left(tmp_path, "0::/\n") == []
        assert free_memory._left_in_groups(tmp_path / "nowhere", tmp_path) == []

    def test_a_limit_counts_for_what_is_free(self, monkeypatch):
        monkeypatch.setattr(free_memory, "_left_in_groups", lambda *_: [12345])
        assert free_memory.available(CPU) == 12345
