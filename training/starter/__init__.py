# SPDX-License-Identifier: GPL-3.0-or-later
"""The small diffusion model `builtin:starter`, from nothing: data, autoencoder, words, denoiser, judges."""
