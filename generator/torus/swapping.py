# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes what parts of a model do for a while, by swapping their classes; nothing else of them is touched.

A part's class becomes a subclass of that same class, so that weights, hooks, ``isinstance`` and the state dict stay
as they are, a call costs nothing more, and no other model in the process is affected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from torch import nn

Swap = tuple[Any, type]
Rule = Callable[[nn.Module], Iterator[Swap]]
"""For one module of the tree: the objects to change and the mixin for each. A mixin overrides what has to change,
and reads ``torus_x`` and ``torus_y`` for the axes. Classes of other libraries are known by name (`is_a`)."""


class TorusModule:
    """The mixins' common base: which axes wrap, and the class that was swapped."""

    torus_x: bool
    torus_y: bool
    torus_mixin: type
    torus_original: type


class Swapping:
    """One open context: the tree it looks after, and what it has changed there."""

    def __init__(self, root: nn.Module, rules: list[Rule], x: bool, y: bool) -> None:
        self._root, self._rules, self._x, self._y = root, rules, x, y
        self._changed: dict[int, Any] = {}

    def open(self) -> None:
        """Take effect. Raises nothing half-way that `close` would not undo."""
        _OPEN.append(self)
        self._apply()

    def refresh(self) -> None:
        """Reach what has been put into the tree since, such as the layers of a LoRA."""
        for swapping in _OPEN:
            swapping._apply()

    def close(self) -> None:
        """Give back every class, also to parts that have joined or left the tree, then let others that are open
        take effect again where they shared a part with this one."""
        _OPEN.remove(self)
        # What was built inside with ``type(other)(...)``, as peft does, is a torus class from birth.
        born = (part for part in self._root.modules() if isinstance(part, TorusModule))
        for part in (*self._changed.values(), *born):
            if isinstance(part, TorusModule):
                part.__class__ = part.torus_original
        self.refresh()

    def _apply(self) -> None:
        swaps = [swap for part in self._root.modules() for rule in self._rules for swap in rule(part)]
        for part, mixin in swaps:
            self._changed[id(part)] = part
            part.__class__ = _subclass(type(part), mixin, self._x, self._y)


_OPEN: list[Swapping] = []


def is_a(module: object, *class_names: str) -> bool:
    """Whether a class of one of these names is among the bases of ``module``, whichever library it is from."""
    return any(base.__name__ in class_names for base in type(module).__mro__)


def _subclass(found: type, mixin: type, x: bool, y: bool) -> type:
    """The class to give an object of class ``found``. The axes of several open contexts add up."""
    if not issubclass(found, TorusModule):
        return _make_class(found, mixin, x, y)
    if found.torus_mixin is mixin:
        return _make_class(found.torus_original, mixin, x or found.torus_x, y or found.torus_y)
    return _make_class(found.torus_original, mixin, x, y)


@cache  # one class for each combination, so that what a compiler has learnt about it stays true
def _make_class(original: type, mixin: type, x: bool, y: bool) -> type:
    names = {
        "__module__": original.__module__,
        "__qualname__": original.__qualname__,
        "__doc__": original.__doc__,
        "torus_x": x,
        "torus_y": y,
        "torus_mixin": mixin,
        "torus_original": original,
    }
    return type(original.__name__, (mixin, original), names)
