# SPDX-License-Identifier: GPL-3.0-or-later
"""How the networks that make textures larger were made, and how good they are."""
