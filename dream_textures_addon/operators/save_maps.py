# SPDX-License-Identifier: GPL-3.0-or-later
"""Save a texture's maps as PNG files, with their recipe inside, into a folder of choice."""

# pyright: reportInvalidTypeForm=false
from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import StringProperty

from ..delivery import Delivery
from ..encode import encode
from ..images import ImageError, save_files
from ..offers import Offer
from ..recovery import destination_of
from ..runtime_state import runtime
from ..spool_entry import EntryError
from ..submission import refuse

_READ_SECONDS = 120.0


def _made(name: str) -> Delivery | None:
    """The job of this name, or the latest one, that has images to save."""
    made = [
        job
        for job in runtime().board
        if isinstance(job.target, Delivery) and job.target.applies and job.target.indices
    ]
    if name:
        made = [job for job in made if job.id == name]
    return made[-1].target if made else None  # type: ignore[return-value]


def _offered(name: str) -> Offer | None:
    whole = [offer for offer in runtime().offers if offer.whole and name in ("", offer.id)]
    return whole[-1] if whole else None


class DTEX_OT_save_maps(bpy.types.Operator):
    """Save the maps of this texture as PNG files"""

    bl_idname = "dtex.save_maps"
    bl_label = "Save Maps"
    bl_options = {"REGISTER"}

    job: StringProperty(
        name="Job", description="The id of the job; without it, the latest", options={"SKIP_SAVE"}
    )
    directory: StringProperty(name="Folder", subtype="DIR_PATH", options={"SKIP_SAVE"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether a texture has been made."""
        if _made("") is None and not any(offer.whole for offer in runtime().offers):
            cls.poll_message_set("No texture has been made yet")
            return False
        return True

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for the folder."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Write the files; none is ever replaced."""
        made = _made(self.job)
        offer = _offered(self.job) if made is None else None
        if made is None and offer is None:
            return refuse(self, "This texture is no longer here; generate it again")
        if not self.directory:
            return refuse(self, "Choose a folder")
        folder = Path(bpy.path.abspath(self.directory))
        try:
            paths = _save_offer(offer, folder) if offer is not None else _save(made, folder)
        except (ImageError, EntryError) as error:
            return refuse(self, str(error))
        self.report({"INFO"}, f"{len(paths)} files saved in {folder}")
        return {"FINISHED"}


def _save(made: Delivery | None, folder: Path) -> list[Path]:
    assert made is not None
    words = made.destination.words
    return [path for index in made.indices for path in save_files(made.maps(index), words, folder)]


def _save_offer(offer: Offer, folder: Path) -> list[Path]:
    """Save what is kept of a job on disk. Raises `ImageError` and `EntryError`."""
    words = destination_of(offer)[0].words
    entry = offer.entry
    try:
        results = runtime().keeper.results(entry).result(_READ_SECONDS)
    except (OSError, TimeoutError) as error:
        raise EntryError("The pictures that were kept on disk cannot be read.") from error
    paths = []
    for index in offer.whole:
        maps = [encode(result, entry.version) for result in results if result.index == index]
        if len(maps) == len(entry.request.maps):
            paths += save_files(maps, words, folder)
    if not paths:
        raise EntryError("The pictures that were kept on disk are damaged; they can be made again.")
    return paths


def register() -> None:
    """Add the operator."""
    bpy.utils.register_class(DTEX_OT_save_maps)


def unregister() -> None:
    """Remove the operator."""
    bpy.utils.unregister_class(DTEX_OT_save_maps)
