# SPDX-License-Identifier: GPL-3.0-or-later
"""Who makes the maps of a picture: the network where its weights are there, else image analysis."""

from __future__ import annotations

from collections.abc import Callable

from generator.maps.analysis import analyse
from generator.maps.seeing import Network, read_network, see_material
from generator.material import FloatArray, Material
from generator.networks import WeightsError, shipped_weights

NAME = "maps"
"""The network's file in the folder of weights, without its suffix."""


def settle(by: str) -> str:
    """``network`` or ``analysis``, where ``auto`` stands for the network if there is one."""
    return ("network" if shipped_weights(NAME) else "analysis") if by == "auto" else by


def open_network(check: Callable[[], None] | None = None) -> Network:
    """The network of this installation. Raises `WeightsError` with a sentence where there is none that works."""
    path = shipped_weights(NAME)
    if path is None:
        raise WeightsError("The network that makes maps is not part of this installation.")
    return read_network(path, check)


def estimate(
    picture: FloatArray,
    axes: tuple[bool, bool] = (True, True),
    by: str = "auto",
    check: Callable[[], None] | None = None,
) -> Material:
    """Base colour, height, normal, roughness, occlusion and metalness of any texture, and its relief.

    ``picture`` is ``(H, W, 3)``, sRGB-encoded, in [0, 1]; ``axes`` says whether it wraps in (X, Y), and where it
    does every map wraps as well. ``by`` is ``network``, ``analysis`` or ``auto``. The network takes the light out
    of the base colour; analysis leaves the picture as it is. ``check`` is called between
    the network's layers, and may raise.

    Raises ``ValueError`` when the picture is not ``(H, W, 3)``, and its subclass `WeightsError`, with a sentence,
    where the network is asked for and is not there or is damaged.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise ValueError(f"A picture of shape (H, W, 3) is needed, not {picture.shape}.")
    if settle(by) == "analysis":
        return analyse(picture, axes)
    return see_material(open_network(check), picture, axes)
