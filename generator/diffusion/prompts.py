# SPDX-License-Identifier: GPL-3.0-or-later
"""What a text encoder can read of a prompt, and what it cannot."""

from __future__ import annotations

from typing import Any


def dropped_words(tokenizer: Any, text: str) -> str:
    """The end of ``text`` that does not fit into the text encoder's window; empty when all of it fits."""
    # Never the tokenizer's own truncation: it is what we want to see past. Two places are taken by the marks
    # of the beginning and the end.
    tokens = tokenizer(text, add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
    room = tokenizer.model_max_length - tokenizer.num_special_tokens_to_add()
    return tokenizer.decode(tokens[room:]).strip() if len(tokens) > room else ""
