# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator of Dream Textures: words and images in, seamless materials out.

It runs as a process of its own, never inside Blender, and never imports ``bpy``.
"""

__version__ = "0.1.0"
