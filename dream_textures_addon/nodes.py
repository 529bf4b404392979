# SPDX-License-Identifier: GPL-3.0-or-later
"""Our own nodes in an artist's node tree: found again by a mark, reused in place, and kept apart from theirs.

Reusing a node rather than replacing it keeps what the artist did with it: where it lies, and which nodes of
their own it feeds.
"""

from __future__ import annotations

from collections.abc import Callable

import bpy

ROLE = "dtex_role"
_NAME = "dtex_name"
FRAME = "frame"


class OwnNodes:
    """The nodes of a tree that carry our mark, by role.

    A node that the artist duplicated carries the mark too, but no longer the name that was noted with it; it is
    theirs.
    """

    def __init__(self, tree: bpy.types.NodeTree) -> None:
        self.tree = tree
        self._found = {
            str(node[ROLE]): node for node in tree.nodes if ROLE in node and node.get(_NAME) == node.name
        }
        self._used: dict[str, bpy.types.Node] = {}
        self._new: list[str] = []

    def owns(self, node: bpy.types.Node) -> bool:
        """Whether this node is one of ours."""
        return any(node == own for own in (*self._found.values(), *self._used.values()))

    def take(self, role: str, kind: str, label: str = "") -> bpy.types.Node:
        """Our node of this role, made if there is none; ``kind`` is its ``bl_idname``."""
        node = self._found.get(role)
        if node is None or node.bl_idname != kind:
            node = self.tree.nodes.new(kind)
            node[ROLE] = role
            node[_NAME] = node.name
            self._new.append(role)
        node.label = label
        self._used[role] = node
        return node

    def remove_unused(self) -> None:
        """Remove those of our nodes that were not taken this time."""
        for role, node in list(self._found.items()):
            if self._used.get(role) != node:
                self.tree.nodes.remove(node)
        self._found = dict(self._used)

    def place(self, spots: dict[str, tuple[float, float]], label: str) -> None:
        """Put the nodes made this time at their spots ``(x, y)`` in a labelled frame; the others stay.

        A whole new block is moved down until it covers no other node.
        """
        frame = self.take(FRAME, "NodeFrame", label)
        fresh = FRAME in self._new
        drop = self._clearance(spots) if fresh else 0.0
        x, y = absolute_location(frame)
        for role in self._new:
            if role in spots:
                node = self._used[role]
                node.parent = frame
                node.location = (spots[role][0] - x, spots[role][1] - drop - y)

    def _clearance(self, spots: dict[str, tuple[float, float]]) -> float:
        margin, column, row = 60.0, 260.0, 280.0
        left = min(x for x, _ in spots.values()) - margin
        right = max(x for x, _ in spots.values()) + column
        top = max(y for _, y in spots.values()) + margin
        bottom = min(y for _, y in spots.values()) - row
        lowest, blocked = top, False
        for node in self.tree.nodes:
            if self.owns(node) or node.bl_idname == "NodeFrame":
                continue
            x, y = absolute_location(node)
            if x + node.width < left or x > right:
                continue
            lowest = min(lowest, y - row)
            blocked = blocked or (y > bottom and y - row < top)
        return top - lowest + margin if blocked else 0.0


def absolute_location(node: bpy.types.Node) -> tuple[float, float]:
    """Where a node lies in its tree; inside frames ``node.location`` counts from the frame."""
    x, y = node.location
    parent = node.parent
    while parent is not None:
        x, y = x + parent.location[0], y + parent.location[1]
        parent = parent.parent
    return x, y


def connect(own: OwnNodes, source: bpy.types.NodeSocket, target: bpy.types.NodeSocket) -> str:
    """Link two sockets. Returns a sentence where a node of the artist's lost its place by it, else "".

    Where their nodes stand between ours and the target, they stay there.
    """
    link = target.links[0] if target.is_linked and target.links else None
    sentence = ""
    if link is not None:
        if link.from_socket == source:
            return ""
        if link.from_node is not None and not own.owns(link.from_node):
            if is_fed_by(link.from_node, own.owns):
                return ""
            name = link.from_node.label or link.from_node.name
            sentence = f"{target.name} was linked to your node “{name}”, which is still there"
    own.tree.links.new(source, target)
    return sentence


def is_fed_by(node: bpy.types.Node, test: Callable[[bpy.types.Node], bool]) -> bool:
    """Whether any node before this one passes the test."""
    waiting, seen = [node], set()
    while waiting:
        here = waiting.pop()
        if here.as_pointer() in seen:
            continue
        seen.add(here.as_pointer())
        for socket in here.inputs:
            for link in socket.links:
                if link.from_node is not None:
                    if test(link.from_node):
                        return True
                    waiting.append(link.from_node)
    return False
