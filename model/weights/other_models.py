"""Models that cannot be run: what they are called, how their files are known, and what the machine lacks for them.

Sources: the names and classes of diffusers 0.42, and those of each model's official program.
"""

from __future__ import annotations

from dataclasses import dataclass

from radit.model.errors import UserError

READ = (
    "read are DiT, Latte and PixArt in their official names, and folders of diffusers' DiTTransformer2DModel, "
    "PixArtTransformer2DModel and LatteTransformer3DModel"
)
NO_TRANSFORMER = "convolutions, being one for transformers"


@dataclass(frozen=True)
class OtherModel:
    """A model that cannot be run.

    Fields:
        title: what it is called.
        sign: regular expression that some of its names match, and no name of a DiT.
        lacks: what the machine would need for it, for the sentence.
        classes: its classes in diffusers.
        remedy: what to do instead.
    """

    title: str
    sign: str
    lacks: str
    classes: tuple[str, ...] = ()
    remedy: str = READ

    def refusal(self, source: str) -> UserError:
        """The sentence about a file or folder that holds it."""
        kind = f" ({', '.join(self.classes)})" if self.classes else ""
        return UserError(f"{source} holds {self.title}{kind}, for which the machine lacks {self.lacks}: {self.remedy}.")


OTHER_MODELS = (  # in this order: names of a later one may stand in an earlier one too
    OtherModel(
        "LoRA weights",
        r"[._](lora_(A|B|down|up|linear_layer)|lora_[ab])\b",
        "a place beside the weights",
        remedy="merge them into the model that they change",
    ),
    OtherModel(
        "fp8 weights with scales beside them",
        r"(^|\.)(scaled_fp8|scale_weight|weight_scale)$",
        "a place for scales",
        remedy="save the weights in bf16",
    ),
    OtherModel(
        "Sana",
        r"\.ff\.conv_inverted\.|\.mlp\.inverted_conv\.",
        "linear attention and convolutions in gated MLPs",
        ("SanaTransformer2DModel",),
    ),
    OtherModel(
        "HunyuanVideo",
        r"\.img_attn_qkv\.|context_embedder\.token_refiner\.",
        "joint streams of text and video, RoPE and RMSNorm on q and k",
        ("HunyuanVideoTransformer3DModel",),
    ),
    OtherModel(
        "Flux",
        r"(^|\.)(double_blocks\.0\.img_attn|single_transformer_blocks\.0)\.",
        "joint streams of text and image, RoPE and RMSNorm on q and k",
        ("FluxTransformer2DModel",),
    ),
    OtherModel(
        "Stable Diffusion 3",
        r"(^|\.)joint_blocks\.0\.|\.attn\.add_q_proj\.",
        "joint streams of text and image",
        ("SD3Transformer2DModel",),
    ),
    OtherModel(
        "CogVideoX",
        r"(^|\.)patch_embed\.text_proj\.",
        "joint attention to text with a modulation of its own, and LayerNorm on q and k",
        ("CogVideoXTransformer3DModel",),
    ),
    OtherModel(
        "Wan",
        r"\.cross_attn\.norm_q\.|(^|\.)condition_embedder\.text_embedder\.",
        "RoPE and RMSNorm on q and k",
        ("WanTransformer3DModel",),
    ),
    OtherModel(
        "Hunyuan-DiT",
        r"\.default_modulation\.|(^|\.)text_embedding_padding$",
        "RoPE and long skip connections",
        ("HunyuanDiT2DModel",),
    ),
    OtherModel("Open-Sora", r"\.attn_temp\.", "temporal attention in the same block as spatial"),
    OtherModel("LightningDiT", r"\.mlp\.w12\.", "gated MLPs, RMSNorm and RoPE"),
    OtherModel("U-ViT", r"(^|\.)in_blocks\.0\.", "long skip connections, and tokens for timestep and label"),
    OtherModel(
        "a U-Net",
        r"(^|\.)(down_blocks|input_blocks)\.0\.",
        NO_TRANSFORMER,
        ("UNet2DModel", "UNet2DConditionModel"),
    ),
    OtherModel("a VAE", r"(^|\.)decoder\.(conv_in|mid)[._]", NO_TRANSFORMER, ("AutoencoderKL",)),
)


def other_model(kind: str) -> OtherModel | None:
    """Return the model of a class of diffusers that cannot be run; None: it is not known."""
    return next((each for each in OTHER_MODELS if kind in each.classes), None)
