# SPDX-License-Identifier: GPL-3.0-or-later
"""From the path of a folder to a model that is ready to be asked; the libraries are imported here, one by one."""

from __future__ import annotations

import contextlib
import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from generator.importing import IMPORTING
from generator.progress import Progress

from .folder import display_name, read_folder
from .loading import Reader

if TYPE_CHECKING:
    from .model import DiffusionModel


def load_model(path: Path, precision: str, device_name: str, progress: Progress) -> DiffusionModel:
    """See `generator.diffusion.load`."""
    name = display_name(path)
    progress.loading(f"Reading {name}")
    folder = read_folder(path)
    progress.loading("Starting PyTorch")
    _stay_offline()
    with IMPORTING:
        from .hardware import choose_device

    wanted = choose_device(device_name)
    progress.loading("Starting diffusers")
    reader = Reader(folder)
    with IMPORTING:
        # Before the threads part: one of them brings the weights while the other imports what computes with them.
        from .casting import started as started
        from .hardware import choose_dtype

    try:
        reader.begin(wanted, choose_dtype(precision, wanted, folder.stored))
        import_libraries()
        from .model import DiffusionModel

        return DiffusionModel(reader, precision, wanted, progress)
    except BaseException:
        reader.forget()  # such as a cancellation: nobody would take what is on its way
        raise


def import_libraries() -> None:
    """Import all that a model needs, quietly and without a network; a second time costs nothing."""
    with IMPORTING:
        _stay_offline()
        _be_quiet()
        # diffusers imports a pipeline when it is named, and transformers' text encoders with it.
        importlib.import_module("diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion")
        for name in ("model", "casting", "previews", "tiny_decoders"):
            importlib.import_module(f"generator.diffusion.{name}")


def import_more() -> None:
    """Import what only some jobs need, or diffusers in passing, for when there is time."""
    import_libraries()
    for name in ("diffusers.pipelines.auto_pipeline", "diffusers.guiders", "numpy.ma"):
        with IMPORTING, contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)


def _stay_offline() -> None:
    # Read by the libraries when they are imported.
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        os.environ.setdefault(name, "1")


def _be_quiet() -> None:
    """No progress bars and no warnings of the libraries: what the artist should know, we say ourselves."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    for logging in (diffusers_logging, transformers_logging):
        logging.set_verbosity_error()
        logging.disable_progress_bar()
