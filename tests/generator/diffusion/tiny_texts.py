# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokenizers and text encoders for `tiny_transformers`: the real classes and special tokens, a few words, 32 channels.

Each `*_tokenizer` writes its files by hand into a folder, so that nothing is downloaded, and loads them from there.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tiny_models  # first, because it forbids the network before the libraries below are imported
import torch
from diffusers import QwenImagePipeline, SanaPipeline
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE, Unigram
from tokenizers.trainers import BpeTrainer
from transformers import (
    AutoTokenizer,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    Gemma2Config,
    Gemma2Model,
    PreTrainedTokenizerBase,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3Config,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
)

WIDTH = tiny_models.TEXT_WIDTH
VOCABULARY = 1024  # rows of each embedding: more than any tokenizer here has tokens
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def _write(folder: Path, tokenizer: Tokenizer, **config: Any) -> PreTrainedTokenizerBase:
    assert tokenizer.get_vocab_size() <= VOCABULARY
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def _learn(tokenizer: Tokenizer, text: Iterable[str], special: list[str], alphabet: list[str]) -> None:
    """Merges until every word of ``text`` is one token, as the words of everyday language are for the real ones."""
    tokenizer.train_from_iterator(
        text,
        BpeTrainer(
            vocab_size=VOCABULARY,
            min_frequency=0,
            special_tokens=special,
            initial_alphabet=alphabet,
            show_progress=False,
        ),
    )


def t5_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Unigram pieces with ``</s>`` at the end and no beginning, as T5's: letters, ``▁`` for a space, a few words."""
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    pieces = [(token, 0.0) for token in ("<pad>", "</s>", "<unk>")]
    pieces += [(piece, -9.0) for piece in ["▁", *letters]] + [
        (f"▁{word}", -3.0) for word in tiny_models.WORDS
    ]
    tokenizer = Tokenizer(Unigram(pieces, unk_id=2, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return _write(
        folder,
        tokenizer,
        tokenizer_class="T5Tokenizer",
        model_max_length=512,
        extra_ids=0,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
    )


def gemma_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """BPE over text whose spaces are ``▁``, with ``<bos>`` in front, as Gemma's; it knows Sana's long instruction."""
    instruction = inspect.signature(SanaPipeline.__call__).parameters["complex_human_instruction"].default
    words = [f" {word}" for text in (*instruction, *tiny_models.WORDS) for word in text.split()]
    words += tiny_models.WORDS
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    tokenizer = Tokenizer(BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    _learn(tokenizer, words, special, alphabet=[chr(code) for code in range(ord("!"), ord("~") + 1)])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 2)])
    return _write(
        folder,
        tokenizer,
        tokenizer_class="GemmaTokenizer",
        model_max_length=8192,
        add_bos_token=True,
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        unk_token="<unk>",
    )


def qwen_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Byte-level BPE with a chat template, as Qwen's. It makes of the words that Qwen-Image puts before each prompt
    the 34 tokens that the pipeline cuts off again, as the real one does."""
    template = QwenImagePipeline(None, None, None, None, None).prompt_template_encode  # type: ignore[arg-type]
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    text = [*re.split("|".join(map(re.escape, special)), template), *tiny_models.WORDS]
    text += [f" {word}" for word in tiny_models.WORDS]
    _learn(tokenizer, text, special, pre_tokenizers.ByteLevel.alphabet())
    return _write(
        folder,
        tokenizer,
        tokenizer_class="Qwen2Tokenizer",
        model_max_length=4096,
        chat_template=CHAT,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        unk_token="<|endoftext|>",
    )


def clip() -> CLIPTextModel:
    """CLIP's text model as Flux has it: (B, 77, 32) and pooled (B, 32)."""
    torch.manual_seed(11)
    return CLIPTextModel(_clip_config()).eval()


def clip_with_projection(seed: int) -> CLIPTextModelWithProjection:
    """CLIP's text model with a projection, (B, 32); ``seed`` tells SD3's two from each other."""
    torch.manual_seed(seed)
    return CLIPTextModelWithProjection(_clip_config()).eval()


def t5(width: int = WIDTH) -> T5EncoderModel:
    """The encoder of T5 1.1: gated GELU, relative positions. (B, L, ``width``)."""
    torch.manual_seed(12)
    config = T5Config(
        vocab_size=VOCABULARY,
        d_model=width,
        d_kv=8,
        d_ff=37,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
    )
    return T5EncoderModel(config).eval()


def gemma() -> Gemma2Model:
    """Gemma 2, of which Sana takes the last hidden states: alternating window and full attention. (B, L, 32)."""
    torch.manual_seed(13)
    config = Gemma2Config(vocab_size=VOCABULARY, head_dim=8, **_causal())
    return Gemma2Model(config).eval()


def qwen3() -> Qwen3Model:
    """Qwen 3, of which Z-Image takes the last hidden states but one: queries and keys normalised. (B, L, 32)."""
    torch.manual_seed(14)
    return Qwen3Model(Qwen3Config(vocab_size=VOCABULARY, head_dim=8, **_causal())).eval()


def qwen_vl() -> Qwen2_5_VLForConditionalGeneration:
    """Qwen 2.5 VL, whole: the eyes are there because the real folder has them, and nothing looks through them."""
    torch.manual_seed(15)
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": VOCABULARY,
            "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2], "rope_type": "default"},
            "rope_theta": 1e6,
            "bos_token_id": 0,
            "eos_token_id": 2,
            **_causal(),
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": WIDTH,
            "fullatt_block_indexes": [0],
        },
        image_token_id=VOCABULARY - 1,
        video_token_id=VOCABULARY - 2,
        vision_start_token_id=VOCABULARY - 3,
        vision_end_token_id=VOCABULARY - 4,
    )
    return Qwen2_5_VLForConditionalGeneration(config).eval()


def _clip_config() -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=256,
        hidden_size=WIDTH,
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=2,
        projection_dim=WIDTH,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=1,
    )


def _causal() -> dict[str, Any]:
    """Two layers with grouped heads: two for keys and values, four for queries."""
    return {
        "hidden_size": WIDTH,
        "intermediate_size": 37,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
