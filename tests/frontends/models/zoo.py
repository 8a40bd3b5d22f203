"""Families of the transformers package at tiny extents: one model of each, random weights.

Example: ``module, args, kwargs = FAMILIES["albert"]()``. Configurations are the smallest that keep a family's own
parts: its positions, masks, gates, experts, windows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from tests.frontends.models.hugging import Made, made, mask, tokens

VOCABULARY, LENGTH = 99, 12
SMALL: dict[str, Any] = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 48, "attn_implementation": "eager",
}  # fmt: skip
DECODER: dict[str, Any] = {**SMALL, "use_cache": False, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
GROUPED: dict[str, Any] = {**DECODER, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 64}
VISION: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48, "image_size": 16,
    "patch_size": 4, "attn_implementation": "eager",
}  # fmt: skip
SEQUENCES: dict[str, Any] = {
    "vocab_size": VOCABULARY, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "pad_token_id": 0,
    "decoder_start_token_id": 1, "max_position_embeddings": 64, "use_cache": False, "attn_implementation": "eager",
}  # fmt: skip
SPEECH: dict[str, Any] = {
    "vocab_size": 32, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
    "conv_dim": (16, 16, 16), "conv_kernel": (10, 3, 2), "conv_stride": (5, 2, 2), "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4, "apply_spec_augment": False,
    "attn_implementation": "eager",
}  # fmt: skip


def family(name: str, inputs: Callable[[], Mapping[str, Tensor]], config: Mapping[str, Any]) -> Made:
    """The class of that name, made from its configuration."""
    import transformers

    torch.manual_seed(0)
    found = getattr(transformers, name)
    return made(found(found.config_class(**config)), inputs())


def text(length: int = LENGTH) -> dict[str, Tensor]:
    return {"input_ids": tokens(VOCABULARY, length), "attention_mask": mask(length)}


def plain_text(length: int = LENGTH) -> dict[str, Tensor]:
    return {"input_ids": tokens(VOCABULARY, length)}


def pair(length: int = LENGTH) -> dict[str, Tensor]:
    return {**text(length), "decoder_input_ids": tokens(VOCABULARY, 7)}


def image(size: int = 16, channels: int = 3) -> dict[str, Tensor]:
    return {"pixel_values": torch.randn(2, channels, size, size)}


def waves(length: int = 800) -> dict[str, Tensor]:
    return {"input_values": torch.randn(2, length)}


def both() -> dict[str, Tensor]:
    return {**text(), **image()}


def of(
    name: str, inputs: Callable[[], Mapping[str, Tensor]], base: Mapping[str, Any], **more: Any
) -> Callable[[], Made]:
    return partial(family, name, inputs, {**base, **more})


ENCODERS: dict[str, Callable[[], Made]] = {
    "albert": of("AlbertModel", text, SMALL, embedding_size=16, num_hidden_groups=1),
    "distilbert": of("DistilBertForSequenceClassification", text, {}, vocab_size=VOCABULARY, dim=32, n_layers=2,
        n_heads=4,
                     hidden_dim=48, attn_implementation="eager"),
    "roberta": of("RobertaForTokenClassification", text, SMALL),
    "deberta": of("DebertaModel", text, SMALL, relative_attention=True, pos_att_type=["c2p", "p2c"],
                  position_biased_input=False, max_position_embeddings=64),
    "deberta_v2": of("DebertaV2Model", text, SMALL, relative_attention=True, pos_att_type=["c2p", "p2c"],
                     position_buckets=8, norm_rel_ebd="layer_norm", share_att_key=True, max_position_embeddings=64),
    "electra": of("ElectraForPreTraining", text, SMALL, embedding_size=16),
    "modernbert": of("ModernBertForMaskedLM", text, SMALL, local_attention=4, global_attn_every_n_layers=2,
                     pad_token_id=0, max_position_embeddings=64, reference_compile=False),
    "xlnet": of("XLNetModel", text, {}, vocab_size=VOCABULARY, d_model=32, n_layer=2, n_head=4, d_inner=48),
    "big_bird": of("BigBirdModel", text, SMALL, attention_type="original_full", max_position_embeddings=64),
    "big_bird_sparse": of("BigBirdModel", partial(text, 64), SMALL, attention_type="block_sparse", block_size=4,
                          num_random_blocks=1, max_position_embeddings=64),
    "fnet": of("FNetModel", plain_text, SMALL),
    "mpnet": of("MPNetModel", text, SMALL),
    "squeezebert": of("SqueezeBertModel", text, SMALL, embedding_size=32),
    "mobilebert": of("MobileBertModel", text, SMALL, embedding_size=16, intra_bottleneck_size=16,
                     true_hidden_size=16),
    "convbert": of("ConvBertModel", text, SMALL, embedding_size=32, conv_kernel_size=3),
    "funnel": of("FunnelModel", text, {}, vocab_size=VOCABULARY, d_model=32, n_head=4, d_head=8, d_inner=48,
                 block_sizes=[1, 1], num_decoder_layers=1),
    "ibert": of("IBertModel", text, SMALL),
    "roformer": of("RoFormerModel", text, SMALL, max_position_embeddings=64),
    "rembert": of("RemBertModel", text, SMALL, input_embedding_size=16, output_embedding_size=16),
    "nystromformer": of("NystromformerModel", partial(plain_text, 16), SMALL, num_landmarks=16,
        segment_means_seq_len=16,
                        max_position_embeddings=64),
    "yoso": of("YosoModel", text, SMALL, max_position_embeddings=64, use_expectation=True),
    "canine": of("CanineModel", partial(text, 16), SMALL, num_hash_buckets=64, num_hash_functions=2,
                 downsampling_rate=2, local_transformer_stride=8, max_position_embeddings=64),
    "layoutlm": of("LayoutLMModel", lambda: {**text(), "bbox": torch.randint(0, 20, (2, LENGTH, 4)).sort(-1).values},
                   SMALL, max_2d_position_embeddings=64),
    "luke": of("LukeModel", text, SMALL, entity_vocab_size=10, entity_emb_size=8),
    "esm": of("EsmModel", text, SMALL, position_embedding_type="rotary", pad_token_id=1, mask_token_id=3,
        emb_layer_norm_before=True),
    "perceiver": of("PerceiverModel", lambda: {"inputs": torch.randn(2, 10, 16)}, {}, d_model=16, num_latents=6,
                    d_latents=32, num_blocks=1, num_self_attends_per_block=2, num_self_attention_heads=4,
                    num_cross_attention_heads=4),
}  # fmt: skip

DECODERS: dict[str, Callable[[], Made]] = {
    "gpt_neo": of("GPTNeoForCausalLM", text, DECODER, num_layers=2, num_heads=4,
                  attention_types=[[["global", "local"], 1]], window_size=4, max_position_embeddings=64),
    "gpt_neox": of("GPTNeoXForCausalLM", text, DECODER, rotary_pct=0.5),
    "gptj": of("GPTJForCausalLM", text, {}, vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, rotary_dim=4,
               n_positions=64, use_cache=False, attn_implementation="eager"),
    "codegen": of("CodeGenForCausalLM", text, {}, vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, rotary_dim=4,
                  n_positions=64, use_cache=False),
    "gpt_bigcode": of("GPTBigCodeForCausalLM", text, {}, vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4,
                      n_positions=64, use_cache=False, attn_implementation="eager"),
    "opt": of("OPTForCausalLM", text, DECODER, ffn_dim=48, word_embed_proj_dim=32, max_position_embeddings=64),
    "bloom": of("BloomForCausalLM", text, {}, vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4,
                use_cache=False, attn_implementation="eager"),
    "falcon": of("FalconForCausalLM", text, DECODER, alibi=False, new_decoder_architecture=True, num_kv_heads=2),
    "falcon_alibi": of("FalconForCausalLM", text, DECODER, alibi=True, parallel_attn=False),
    "mpt": of("MptForCausalLM", text, {}, vocab_size=VOCABULARY, d_model=32, n_layers=2, n_heads=4, max_seq_len=64,
              use_cache=False),
    "phi": of("PhiForCausalLM", text, DECODER, partial_rotary_factor=0.5),
    "phi3": of("Phi3ForCausalLM", text, GROUPED),
    "gemma": of("GemmaForCausalLM", text, GROUPED),
    "gemma2": of("Gemma2ForCausalLM", text, GROUPED, sliding_window=4, query_pre_attn_scalar=8),
    "gemma3": of("Gemma3ForCausalLM", text, GROUPED, sliding_window=4, query_pre_attn_scalar=8),
    "qwen2": of("Qwen2ForCausalLM", text, GROUPED),
    "qwen3": of("Qwen3ForCausalLM", text, GROUPED),
    "mistral": of("MistralForCausalLM", text, GROUPED, sliding_window=4),
    "mixtral": of("MixtralForCausalLM", text, GROUPED, num_local_experts=4, num_experts_per_tok=2),
    "qwen2_moe": of("Qwen2MoeForCausalLM", text, GROUPED, num_experts=4, num_experts_per_tok=2,
                    moe_intermediate_size=24, shared_expert_intermediate_size=24),
    "qwen3_moe": of("Qwen3MoeForCausalLM", text, GROUPED, num_experts=4, num_experts_per_tok=2,
                    moe_intermediate_size=24),
    "olmo2": of("Olmo2ForCausalLM", text, GROUPED),
    "granite": of("GraniteForCausalLM", text, GROUPED, attention_multiplier=0.2, residual_multiplier=0.3),
    "cohere": of("CohereForCausalLM", text, GROUPED, use_qk_norm=True),
    "stablelm": of("StableLmForCausalLM", text, DECODER, num_key_value_heads=2),
    "starcoder2": of("Starcoder2ForCausalLM", text, GROUPED),
    "deepseek_v3": of("DeepseekV3ForCausalLM", text, DECODER, num_key_value_heads=4, moe_intermediate_size=24,
                      n_routed_experts=4, num_experts_per_tok=2, n_group=2, topk_group=1, q_lora_rank=16,
                      kv_lora_rank=16, qk_rope_head_dim=8, v_head_dim=8, qk_nope_head_dim=8, first_k_dense_replace=1,
                      max_position_embeddings=64),
    "gpt_oss": of("GptOssForCausalLM", text, GROUPED, num_local_experts=4, num_experts_per_tok=2, sliding_window=4,
                  layer_types=["sliding_attention", "full_attention"]),
    "llama_scaled": of("LlamaForCausalLM", text, GROUPED, rope_parameters={
        "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32}),
    "xglm": of("XGLMForCausalLM", text, {}, vocab_size=VOCABULARY, d_model=32, ffn_dim=48, num_layers=2,
               attention_heads=4, max_position_embeddings=64, use_cache=False),
    "mamba2": of("Mamba2ForCausalLM", plain_text, {}, vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2,
                 num_heads=8, head_dim=8, state_size=8, n_groups=2, chunk_size=4, use_cache=False),
    "falcon_mamba": of("FalconMambaForCausalLM", plain_text, {}, vocab_size=VOCABULARY, hidden_size=32,
                       num_hidden_layers=2, state_size=8, use_cache=False),
    "rwkv": of("RwkvForCausalLM", plain_text, {}, vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2,
               attention_hidden_size=32, intermediate_size=48, use_cache=False),
    "recurrent_gemma": of("RecurrentGemmaForCausalLM", text, GROUPED, lru_width=32, attention_window_size=4,
                          num_hidden_layers=3),
    "bart_decoder": of("BartForCausalLM", text, SEQUENCES),
    "biogpt": of("BioGptForCausalLM", text, DECODER, max_position_embeddings=64),
}  # fmt: skip

SEQUENCE_TO_SEQUENCE: dict[str, Callable[[], Made]] = {
    "mt5": of("MT5ForConditionalGeneration", pair, {}, vocab_size=VOCABULARY, d_model=32, d_kv=8, d_ff=48,
              num_layers=2, num_heads=4, use_cache=False),
    "bart": of("BartForConditionalGeneration", pair, SEQUENCES),
    "pegasus": of("PegasusForConditionalGeneration", pair, SEQUENCES),
    "m2m_100": of("M2M100ForConditionalGeneration", pair, SEQUENCES),
    "mbart": of("MBartForConditionalGeneration", pair, SEQUENCES),
    "blenderbot": of("BlenderbotForConditionalGeneration", pair, SEQUENCES),
    "prophetnet": of("ProphetNetForConditionalGeneration", pair, {}, vocab_size=VOCABULARY, hidden_size=32,
                     num_encoder_layers=1, num_decoder_layers=1, num_encoder_attention_heads=4,
                     num_decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=48, ngram=2, use_cache=False,
                     pad_token_id=0, decoder_start_token_id=1, max_position_embeddings=64),
}  # fmt: skip

AUDIO: dict[str, Callable[[], Made]] = {
    "wav2vec2": of("Wav2Vec2ForCTC", waves, SPEECH),
    "wav2vec2_stable": of("Wav2Vec2Model", waves, SPEECH, do_stable_layer_norm=True, feat_extract_norm="layer"),
    "hubert": of("HubertModel", waves, SPEECH),
    "wavlm": of("WavLMModel", waves, SPEECH, num_buckets=16, max_bucket_distance=32),
    "sew": of("SEWModel", waves, SPEECH, squeeze_factor=2),
    "unispeech": of("UniSpeechModel", waves, SPEECH),
    "data2vec_audio": of("Data2VecAudioModel", waves, SPEECH, conv_pos_kernel_size=5),
    "conformer_relative": of("Wav2Vec2ConformerForCTC", waves, SPEECH, position_embeddings_type="relative",
                             conv_depthwise_kernel_size=5),
    "speecht5": of("SpeechT5ForSpeechToText", lambda: {**waves(), "decoder_input_ids": tokens(VOCABULARY, 5)},
                   SPEECH, vocab_size=VOCABULARY, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
                   decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=48, use_cache=False),
    "speech_to_text": of("Speech2TextForConditionalGeneration", lambda: {
        "input_features": torch.randn(2, 32, 20), "decoder_input_ids": tokens(VOCABULARY, 5)}, SEQUENCES,
        input_feat_per_channel=20, conv_channels=32, num_conv_layers=2, max_source_positions=64,
        max_target_positions=64),
    "audio_spectrogram": of("ASTForAudioClassification", lambda: {"input_values": torch.randn(2, 24, 16)}, VISION,
                            num_mel_bins=16, max_length=24, frequency_stride=4, time_stride=4),
}  # fmt: skip

IMAGES: dict[str, Callable[[], Made]] = {
    "deit": of("DeiTForImageClassificationWithTeacher", image, VISION),
    "beit": of("BeitForImageClassification", image, VISION, use_relative_position_bias=True),
    "dinov2": of("Dinov2Model", image, VISION),
    "vit_mae": of("ViTMAEForPreTraining", lambda: {**image(), "noise": torch.rand(2, 16)}, VISION,
                  decoder_num_attention_heads=4, decoder_hidden_size=32, decoder_num_hidden_layers=1,
                  decoder_intermediate_size=48),
    "swin": of("SwinForImageClassification", image, {}, image_size=16, patch_size=2, embed_dim=16, depths=[2, 2],
               num_heads=[2, 4], window_size=2),
    "swinv2": of("Swinv2Model", image, {}, image_size=16, patch_size=2, embed_dim=16, depths=[2, 2],
                 num_heads=[2, 4], window_size=2),
    "convnext": of("ConvNextForImageClassification", partial(image, 32), {}, hidden_sizes=[8, 16, 16, 32], depths=[1,
        1, 1, 1]),
    "convnextv2": of("ConvNextV2Model", partial(image, 32), {}, hidden_sizes=[8, 16, 16, 32], depths=[1, 1, 1, 1]),
    "resnet": of("ResNetForImageClassification", partial(image, 32), {}, embedding_size=8, hidden_sizes=[8, 16],
        depths=[1, 2]),
    "regnet": of("RegNetModel", partial(image, 32), {}, embedding_size=8, hidden_sizes=[8, 16], depths=[1, 2],
        groups_width=8),
    "mobilenet_v1": of("MobileNetV1Model", partial(image, 32), {}, depth_multiplier=0.25, min_depth=8),
    "mobilenet_v2": of("MobileNetV2ForImageClassification", partial(image, 32), {}, depth_multiplier=0.25,
        num_labels=5),
    "efficientnet": of("EfficientNetModel", partial(image, 32), {}, width_coefficient=0.25, depth_coefficient=0.5,
                       image_size=32, hidden_dim=320),
    "mobilevit": of("MobileViTModel", partial(image, 32), {}, image_size=32, hidden_sizes=[16, 16, 16],
                    neck_hidden_sizes=[8, 8, 8, 16, 16, 16, 32], num_attention_heads=2),
    "segformer": of("SegformerForSemanticSegmentation", partial(image, 32), {}, hidden_sizes=[8, 16], depths=[1, 1],
                    num_encoder_blocks=2, num_attention_heads=[1, 2], sr_ratios=[2, 1], patch_sizes=[7, 3],
                    strides=[4, 2], mlp_ratios=[2, 2], decoder_hidden_size=16, num_labels=4),
    "dpt": of("DPTForDepthEstimation", partial(image, 32), VISION, image_size=32, patch_size=8, num_hidden_layers=4,
              backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[8, 8, 16, 16], fusion_hidden_size=8,
              is_hybrid=False),
    "poolformer": of("PoolFormerModel", partial(image, 32), {}, hidden_sizes=[8, 16, 16, 32], depths=[1, 1, 1, 1]),
    "cvt": of("CvtModel", partial(image, 32), {}, embed_dim=[8, 16, 32], num_heads=[1, 2, 4], depth=[1, 2, 3]),
    "levit": of("LevitModel", partial(image, 32), {}, image_size=32, hidden_sizes=[16, 32, 32],
        num_attention_heads=[2, 4, 4],
                depths=[1, 1, 1], key_dim=[8, 8, 8], mlp_ratio=[2, 2, 2]),
    "pvt": of("PvtModel", partial(image, 32), {}, image_size=32, hidden_sizes=[8, 16, 16, 32], depths=[1, 1, 1, 1],
              num_attention_heads=[1, 2, 2, 4]),
    "focalnet": of("FocalNetModel", partial(image, 16), {}, image_size=16, patch_size=2, embed_dim=16, depths=[1, 1],
                   focal_levels=[2, 2], focal_windows=[3, 3]),
    "vitdet": of("VitDetModel", image, VISION, window_size=2, window_block_indices=[0]),
    "hiera": of("HieraModel", partial(image, 64), {}, image_size=[64, 64], embed_dim=8, depths=[1, 1, 1, 1],
        num_heads=[1, 1, 2, 2],
                masked_unit_size=[8, 8], query_stride=[2, 2]),
    "detr": of("DetrForObjectDetection", partial(image, 32), {}, d_model=32, encoder_layers=1, decoder_layers=1,
               encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=48,
               num_queries=5,
               use_timm_backbone=False, backbone=None, use_pretrained_backbone=False, backbone_config={
                   "model_type": "resnet", "embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1],
                   "out_features": ["stage2"]}),
    "yolos": of("YolosForObjectDetection", partial(image, 16), VISION, image_size=[16, 16], num_detection_tokens=5),
    "sam_vision": of("SamVisionModel", partial(image, 16), VISION, output_channels=8, window_size=2,
        global_attn_indexes=[1],
                     num_pos_feats=8, mlp_dim=48),
    "upernet": of("UperNetForSemanticSegmentation", partial(image, 32), {}, hidden_size=16, auxiliary_in_channels=16,
                  pool_scales=[1, 2], backbone_config={"model_type": "convnext", "hidden_sizes": [8, 8, 16, 16],
                  "depths": [1, 1, 1, 1], "out_features": ["stage1", "stage2", "stage3", "stage4"]}),
    "super_resolution": of("Swin2SRForImageSuperResolution", image, {}, image_size=16, embed_dim=16, depths=[1],
                           num_heads=[2], window_size=4, upscale=2),
}  # fmt: skip

_TEXT_PART = {**SMALL, "max_position_embeddings": 64}
BOTH: dict[str, Callable[[], Made]] = {
    "siglip": of("SiglipModel", lambda: {**plain_text(), **image()}, {}, text_config=_TEXT_PART, vision_config=VISION),
    "clipseg": of("CLIPSegForImageSegmentation", lambda: {**text(), **image()}, {}, text_config={**_TEXT_PART,
        "eos_token_id": 2},
                  vision_config=VISION, extract_layers=[0, 1], reduce_dim=16, decoder_intermediate_size=32,
                  projection_dim=32),
    "blip": of("BlipForImageTextRetrieval", both, {}, text_config={**_TEXT_PART, "encoder_hidden_size": 32},
        vision_config=VISION),
    "trocr": of("TrOCRForCausalLM", text, SEQUENCES),
    "lxmert": of("LxmertModel", lambda: {**text(), "visual_feats": torch.randn(2, 5, 16), "visual_pos": torch.rand(2,
        5, 4)},
                 SMALL, l_layers=1, x_layers=1, r_layers=1, visual_feat_dim=16),
    "visual_bert": of("VisualBertModel", lambda: {**text(), "visual_embeds": torch.randn(2, 5, 16)}, SMALL,
        visual_embedding_dim=16),
    "chinese_clip": of("ChineseCLIPModel", both, {}, text_config=_TEXT_PART, vision_config=VISION, projection_dim=32),
    "owlvit": of("OwlViTModel", lambda: {**text(), **image()}, {}, text_config=_TEXT_PART, vision_config=VISION,
        projection_dim=32),
}  # fmt: skip


def series(length: int = 24, features: int = 3) -> dict[str, Tensor]:
    return {"past_values": torch.randn(2, length, features)}


SERIES: dict[str, Callable[[], Made]] = {
    "patchtst": of("PatchTSTForPrediction", series, {}, num_input_channels=3, context_length=24, patch_length=4,
        patch_stride=4,
                   d_model=16, num_attention_heads=2, num_hidden_layers=1, ffn_dim=24, prediction_length=6),
    "patchtsmixer": of("PatchTSMixerForPrediction", series, {}, num_input_channels=3, context_length=24, patch_length=4,
                       patch_stride=4, d_model=8, num_layers=2, prediction_length=6),
    "time_series_transformer": of("TimeSeriesTransformerModel", lambda: {
        "past_values": torch.randn(2, 19), "past_time_features": torch.randn(2, 19, 2),
        "past_observed_mask": torch.ones(2, 19), "future_values": torch.randn(2, 6),
        "future_time_features": torch.randn(2, 6, 2)}, {}, prediction_length=6, context_length=12, num_time_features=2,
        d_model=16, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=16, decoder_ffn_dim=16, use_cache=False),
}  # fmt: skip

FAMILIES: dict[str, Callable[[], Made]] = {
    **ENCODERS, **DECODERS, **SEQUENCE_TO_SEQUENCE, **AUDIO, **IMAGES, **BOTH, **SERIES,
}  # fmt: skip
globals().update(FAMILIES)  # as ``--torch`` wants them, with their seed
