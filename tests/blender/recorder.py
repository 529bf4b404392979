# SPDX-License-Identifier: GPL-3.0-or-later
"""A layout that a panel can draw into without a window; it refuses what Blender's own layout would refuse."""

from __future__ import annotations

from typing import Any

import bpy

_ICONS = set(bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items.keys())


class Recorder:
    """Takes the place of `bpy.types.UILayout`; ``texts``, ``props`` and ``operators`` are what was drawn."""

    def __init__(self, parent: Recorder | None = None) -> None:
        self.texts: list[str] = parent.texts if parent else []
        self.props: list[str] = parent.props if parent else []
        self.operators: list[str] = parent.operators if parent else []
        self.disabled: list[str] = parent.disabled if parent else []
        self.enabled = True
        self.parent = parent

    def _nested(self, **options: Any) -> Recorder:
        assert options.keys() <= {"align", "heading"}
        return Recorder(self)

    row = column = box = _nested

    def panel(self, idname: str, *, default_closed: bool = False) -> tuple[Recorder, Recorder]:
        """A sub-panel, drawn open."""
        assert idname.startswith("dtex")
        return Recorder(self), Recorder(self)

    def label(self, *, text: str = "", icon: str = "NONE") -> None:
        """One line of text."""
        assert icon in _ICONS
        self.texts.append(text)

    def prop(
        self, data: Any, name: str, *, text: str | None = None, icon: str = "NONE", **options: Any
    ) -> None:
        """A setting; it must exist."""
        assert name in data.bl_rna.properties
        assert icon in _ICONS
        allowed = bpy.types.UILayout.bl_rna.functions["prop"].parameters.keys()
        assert options.keys() <= set(allowed)
        self.props.append(name)

    def separator(self) -> None:
        """A gap."""

    def operator(
        self, idname: str, *, text: str | None = None, icon: str = "NONE", depress: bool = False
    ) -> Any:
        """A button; its operator must exist."""
        module, name = idname.split(".")
        kind = getattr(getattr(bpy.ops, module), name).get_rna_type()
        assert icon in _ICONS
        self.operators.append(idname if text is None else f"{idname}: {text}")
        if not self.enabled:
            self.disabled.append(idname)
        return _Properties(set(kind.properties.keys()))

    def progress(self, *, factor: float, text: str = "", **_options: Any) -> None:
        """A progress bar."""
        assert 0.0 <= factor <= 1.0
        self.texts.append(text)

    def template_icon(self, *, icon_value: int, scale: float) -> None:
        """A picture."""
        assert 1.0 <= scale <= 20.0

    def template_ID(self, data: Any, name: str, *, open: str) -> None:
        """A picker of a data-block."""
        assert name in data.bl_rna.properties
        self.props.append(name)


class _Properties:
    """What an operator's button sets; unknown names are refused."""

    def __init__(self, names: set[str]) -> None:
        object.__setattr__(self, "_names", names)

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in self._names
