# SPDX-License-Identifier: GPL-3.0-or-later
"""Make Seamless where the artist sees it: the editor, the panel, undo, and what may happen meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest

from .conftest import image_pixels, submodule
from .recorder import Recorder
from .test_panels import drawn
from .test_seamless import data_picture, made_of, make, photo, waves
from .test_source import picture


@dataclass
class Editor:
    """An Image Editor in the window that Blender keeps even where it draws none.

    Its context is a stand-in, handed to what the buttons call. A context lent by ``temp_override`` will not do:
    where an operator looks into one while another thread runs Python, Blender crashes.
    """

    context: SimpleNamespace
    space: bpy.types.SpaceImageEditor
    drain: Callable[..., None]

    def begin(self) -> Any:
        """Press Make Seamless as in a window: it returns at once."""
        parts, compose = submodule("seamless"), submodule("compose")
        scene = self.context.scene
        image = self.space.image or bpy.data.images["wall.png"]
        return submodule("submission").start(
            self.context,
            compose.Wishes(scene.dtex),
            lambda context, wishes: parts.compose(context, wishes, image, False, False),
        )

    def make(self) -> None:
        """Press it and wait until the image is there."""
        job = self.begin()
        self.drain(lambda: job.target.settled)


@pytest.fixture
def editor(scene: bpy.types.Scene, drain: Callable[..., None]) -> Editor:
    """The first area of the screen, changed into an Image Editor."""
    (window,) = bpy.context.window_manager.windows
    area = window.screen.areas[0]
    area.type = "IMAGE_EDITOR"
    space = area.spaces.active
    context = SimpleNamespace(window=window, area=area, space_data=space, scene=scene)
    return Editor(context, space, drain)


def test_an_image_that_tiles_is_shown_and_not_copied(editor: Editor, runtime: Any) -> None:
    original = picture("waves.png", waves())
    editor.space.image = original
    images = len(bpy.data.images)
    editor.make()
    assert len(bpy.data.images) == images
    assert editor.space.image == original
    assert editor.space.show_repeat
    assert any("tiles already" in text for text in submodule("submission").sentences(runtime.board.latest))


def test_the_editor_shows_the_result_in_place_of_the_original_three_by_three(editor: Editor) -> None:
    editor.space.image = picture("wall.png", photo())
    editor.space.show_repeat = False
    editor.make()
    assert editor.space.image == made_of("wall")
    assert editor.space.show_repeat


def test_an_editor_that_shows_something_else_by_now_is_left_alone(editor: Editor) -> None:
    editor.space.image = picture("wall.png", photo())
    job = editor.begin()
    editor.space.image = other = picture("other.png", waves())
    editor.drain(lambda: job.target.settled)
    assert made_of("wall")
    assert editor.space.image == other
    assert not editor.space.show_repeat


def test_three_by_three_is_a_switch(editor: Editor) -> None:
    editor.space.image = picture("wall.png", photo())
    button = submodule("operators.show_tiled").DTEX_OT_show_tiled
    assert button.poll(editor.context)
    button.execute(SimpleNamespace(), editor.context)
    assert editor.space.show_repeat
    button.execute(SimpleNamespace(), editor.context)
    assert not editor.space.show_repeat
    editor.space.image = None
    assert not button.poll(editor.context)


@pytest.fixture
def begin(editor: Editor) -> Callable[[], Any]:
    """Press the button as in a window: it returns at once."""
    return editor.begin


def test_it_arrives_although_the_original_was_removed(
    scene: bpy.types.Scene, begin: Callable[[], Any], drain: Callable[..., None]
) -> None:
    original = data_picture("wall.png", photo())
    job = begin()
    bpy.data.images.remove(original)
    drain(lambda: job.target.settled)
    assert job.state.value == "done"
    assert made_of("wall").colorspace_settings.is_data


def test_it_is_made_of_the_pixels_as_they_were_when_asked(
    scene: bpy.types.Scene, begin: Callable[[], Any], drain: Callable[..., None]
) -> None:
    original = picture("wall.png", photo())
    job = begin()
    original.pixels.foreach_set(np.zeros(96 * 128 * 4, np.float32))
    original.name = "black"
    drain(lambda: job.target.settled)
    assert image_pixels(made_of("wall"))[..., :3].mean() > 0.2


def test_one_step_of_undo_takes_it_back(scene: bpy.types.Scene) -> None:
    picture("wall.png", photo()).use_fake_user = True
    bpy.ops.ed.undo_push(message="Open")
    bpy.data.objects["Cube"].location.x = 2.0
    bpy.ops.ed.undo_push(message="Move")
    make(image="wall.png")
    assert "wall Seamless" in bpy.data.images
    bpy.ops.ed.undo()
    assert "wall Seamless" not in bpy.data.images
    assert "wall.png" in bpy.data.images
    assert bpy.data.objects["Cube"].location.x == 2.0


def test_it_waits_for_its_own_file_and_is_not_put_into_another(
    scene: bpy.types.Scene, begin: Callable[[], Any], drain: Callable[..., None], runtime: Any
) -> None:
    picture("wall.png", photo())
    job = begin()
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    drain(lambda: job.over)
    assert "wall Seamless" not in bpy.data.images
    assert "“wall.png” was finished for another file." in drawn(width=900).texts
    bpy.context.scene.dtex.random_seed = False
    bpy.ops.dtex.generate(prompt="red bricks", width=32)
    assert runtime.board.get(job.id) is job, "it waits until it is added to a file, or discarded"


def test_the_source_in_the_sidebar_becomes_the_new_image(scene: bpy.types.Scene) -> None:
    scene.dtex.source = picture("wall.png", photo())
    assert "dtex.make_seamless" in drawn().operators
    make()
    assert scene.dtex.source == made_of("wall")


def test_the_image_editor_offers_it_in_its_panel_and_its_menu(editor: Editor) -> None:
    editor.space.image = picture("wall.png", photo())
    panel = Recorder()
    submodule("ui.panels")._draw_image(panel, bpy.context.scene.dtex, editor.space)
    larger = ["dtex.upscale: Upscale 2×", "dtex.upscale: Upscale 4×"]
    assert panel.operators == ["dtex.make_seamless", *larger, "dtex.show_tiled"]
    bpy.context.scene.dtex.model = "folder"
    panel = Recorder()
    submodule("ui.panels")._draw_image(panel, bpy.context.scene.dtex, editor.space)
    assert "dtex.make_seamless: Make Seamless with the Model" in panel.operators
    menu = SimpleNamespace(layout=Recorder())
    submodule("ui.image_editor").draw_menu(menu, editor.context)
    assert menu.layout.operators == ["dtex.make_seamless", *larger, "dtex.show_tiled"]
