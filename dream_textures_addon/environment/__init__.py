# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator's private environment, as the add-on and the artist see it.

``commands``, ``events``, ``run``, ``words`` and ``desk`` know nothing of Blender; ``wishes``, ``dialog`` and
``watch`` do.
"""
