"""Models of the transformers package, made from configurations: real widths, two layers, random weights.

Example: ``module, args, kwargs = bert()``. Outputs are plain tuples; caches are off, so that a pass is one graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

Made = tuple[nn.Module, tuple[Tensor, ...], dict[str, Tensor]]
COMMON: dict[str, Any] = {"attn_implementation": "eager"}
BATCH, LENGTH = 2, 32


class Call(nn.Module):
    """A model called with keyword tensors; only the tensors among its results come out."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, **inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(t for t in self.model(**inputs).to_tuple() if isinstance(t, Tensor))


def made(model: nn.Module, inputs: Mapping[str, Tensor]) -> Made:
    return Call(model.eval()), (), dict(inputs)


def seeded(function: Callable[[], Made]) -> Callable[[], Made]:
    """The same weights in every process."""

    def call() -> Made:
        torch.manual_seed(0)
        return function()

    return call


def tokens(vocabulary: int, length: int = LENGTH) -> Tensor:
    return torch.randint(4, vocabulary, (BATCH, length))


def mask(length: int = LENGTH) -> Tensor:
    """The second row is padded."""
    found = torch.ones(BATCH, length, dtype=torch.int64)
    found[1, length * 3 // 4 :] = 0
    return found


@seeded
def bert() -> Made:
    from transformers import BertConfig, BertModel

    config = BertConfig(num_hidden_layers=2, **COMMON)
    return made(BertModel(config), {"input_ids": tokens(30522), "attention_mask": mask()})


@seeded
def bert_base() -> Made:
    from transformers import BertConfig, BertModel

    config = BertConfig(num_hidden_layers=12, **COMMON)
    return made(BertModel(config), {"input_ids": tokens(30522), "attention_mask": mask()})


@seeded
def gpt2() -> Made:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(n_layer=2, use_cache=False, **COMMON)
    return made(GPT2LMHeadModel(config), {"input_ids": tokens(50257)})


@seeded
def llama() -> Made:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=32000, hidden_size=2048, intermediate_size=5632, num_hidden_layers=2, num_attention_heads=32,
        num_key_value_heads=4, use_cache=False, **COMMON,
    )  # fmt: skip
    return made(LlamaForCausalLM(config), {"input_ids": tokens(32000)})


@seeded
def t5() -> Made:
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=32128, d_model=512, d_kv=64, d_ff=2048, num_layers=2, num_decoder_layers=2, num_heads=8,
        use_cache=False, **COMMON,
    )  # fmt: skip
    inputs = {"input_ids": tokens(32128), "attention_mask": mask(), "decoder_input_ids": tokens(32128, 16)}
    return made(T5ForConditionalGeneration(config), inputs)


@seeded
def marian() -> Made:
    from transformers import MarianConfig, MarianMTModel

    config = MarianConfig(
        vocab_size=58101, d_model=512, encoder_layers=2, decoder_layers=2, encoder_attention_heads=8,
        decoder_attention_heads=8, encoder_ffn_dim=2048, decoder_ffn_dim=2048, pad_token_id=58100,
        decoder_start_token_id=58100, max_position_embeddings=512, use_cache=False, **COMMON,
    )  # fmt: skip
    inputs = {"input_ids": tokens(58100), "attention_mask": mask(), "decoder_input_ids": tokens(58100, 16)}
    return made(MarianMTModel(config), inputs)


@seeded
def whisper() -> Made:
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    config = WhisperConfig(
        d_model=384, encoder_layers=2, decoder_layers=2, encoder_attention_heads=6, decoder_attention_heads=6,
        encoder_ffn_dim=1536, decoder_ffn_dim=1536, max_source_positions=100, use_cache=False, **COMMON,
    )  # fmt: skip
    inputs = {"input_features": torch.randn(1, 80, 200), "decoder_input_ids": tokens(51865, 16)[:1]}
    return made(WhisperForConditionalGeneration(config), inputs)


@seeded
def conformer() -> Made:
    from transformers import Wav2Vec2ConformerConfig, Wav2Vec2ConformerModel

    config = Wav2Vec2ConformerConfig(num_hidden_layers=2, apply_spec_augment=False, position_embeddings_type="rotary")
    return made(Wav2Vec2ConformerModel(config), {"input_values": torch.randn(1, 8000)})


@seeded
def vit() -> Made:
    from transformers import ViTConfig, ViTModel

    config = ViTConfig(num_hidden_layers=2, image_size=112, **COMMON)
    return made(ViTModel(config), {"pixel_values": torch.randn(BATCH, 3, 112, 112)})


@seeded
def clip() -> Made:
    from transformers import CLIPConfig, CLIPModel

    config = CLIPConfig(
        text_config={"num_hidden_layers": 2, "attn_implementation": "eager"},
        vision_config={"num_hidden_layers": 2, "image_size": 96, "attn_implementation": "eager"},
        **COMMON,
    )
    inputs = {"input_ids": tokens(49408, 16), "pixel_values": torch.randn(BATCH, 3, 96, 96)}
    return made(CLIPModel(config), inputs)


@seeded
def mamba() -> Made:
    from transformers import MambaConfig, MambaModel

    config = MambaConfig(num_hidden_layers=2, use_cache=False)
    return made(MambaModel(config), {"input_ids": tokens(50280, 12)})
