# SPDX-License-Identifier: GPL-3.0-or-later
"""How the networks that travel with Dream Textures were made; nothing of the product needs this package."""
