# SPDX-License-Identifier: GPL-3.0-or-later
"""What the text encoders made of the last few prompts: an artist changes seeds and sizes more often than words."""

from __future__ import annotations

import functools
import inspect
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

ENTRIES = 8
BYTES = 64 << 20
"""No more than this is kept, on the model's device; the longest prompts of the largest encoders take 8 MB."""


class Words:
    """One memory for all pipelines that share their text encoders; as short-lived as the weights.

    ``state`` gives whatever else the encoders' answers depend on, such as the LoRAs in them, as something that can be
    compared and hashed.
    """

    def __init__(self, state: Callable[[], Hashable] = lambda: None) -> None:
        self._state = state
        self._made: OrderedDict[Hashable, Any] = OrderedDict()

    def remember(self, pipeline: Any) -> None:
        """From now on, ``pipeline`` asks its text encoders only for what is not known yet.

        Nothing else about it changes: calls with embeddings of their own go through as they are.
        """
        encode = pipeline.encode_prompt
        signature = inspect.signature(encode)

        @functools.wraps(encode)
        def encode_prompt(*args: Any, **kwargs: Any) -> Any:
            given = signature.bind(*args, **kwargs)
            given.apply_defaults()
            try:
                # By name: pipelines for words and for pictures order their arguments differently.
                asked = _plain(given.arguments)
            except TypeError:
                return encode(*args, **kwargs)
            key = (self._state(), asked)
            if key not in self._made:
                self._keep(key, encode(*args, **kwargs))
            self._made.move_to_end(key)
            return _copied(self._made[key])

        pipeline.encode_prompt = encode_prompt

    def _keep(self, key: Hashable, made: Any) -> None:
        self._made[key] = made
        while len(self._made) > 1 and (
            len(self._made) > ENTRIES or sum(map(_bytes, self._made.values())) > BYTES
        ):
            self._made.popitem(last=False)


def _plain(value: Any) -> Hashable:
    """``value`` as something that equals only its like. Raises `TypeError` where it is not made of plain values."""
    if value is None or isinstance(value, (str, int, float, torch.device, torch.dtype)):
        return value
    if isinstance(value, Mapping):
        return tuple(sorted((str(name), _plain(item)) for name, item in value.items()))
    if isinstance(value, Sequence):
        return tuple(map(_plain, value))
    raise TypeError


def _copied(made: Any) -> Any:
    """Copies of all tensors: whoever gets them may write into them."""
    if isinstance(made, Tensor):
        return made.clone()
    return type(made)(map(_copied, made)) if isinstance(made, (list, tuple)) else made


def _bytes(made: Any) -> int:
    if isinstance(made, Tensor):
        return made.nbytes
    return sum(map(_bytes, made)) if isinstance(made, (list, tuple)) else 0
