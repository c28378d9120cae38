"""A model's dimensions on the accelerator, and the build that holds it."""

from collections.abc import Mapping
from dataclasses import replace

from radit.accel.config import BuildConfig, is_power_of_two
from radit.accel.control.registers import REGISTERS
from radit.accel.dims import ATTENTION, CROSS, MLP, Dims, Group, check_fit, registers
from radit.accel.interfaces.signals import ADDRESS_BITS
from radit.model.dit.config import NAMED_MODELS, DiTConfig
from radit.model.errors import UserError

# Models whose size is a build that others share: one compilation runs them all, by registers alone.
SHARED_SIZES = ("digits", "dit-xl-2", "moving-digits")


def dims_of(config: DiTConfig, contexts: int) -> Dims:
    """The accelerator's view of a model: one attention group of all tokens, or those of alternating blocks.

    Raises:
        UserError: alternating attention over a number of frames that is not a power of two.
    """
    if config.alternates and not is_power_of_two(config.frames):
        raise UserError(
            f"frames is {config.frames}: the machine attends over a power of two of frames, use a model of such clips, "
            "or one whose attention is joint."
        )
    even, odd = Group(), Group()
    if config.alternates:
        even, odd = Group(keys=config.frame_tokens), Group(frames=config.frames)
    return Dims(
        hidden=config.hidden_size,
        heads=config.num_heads,
        head_dim=config.head_dim,
        mlp=config.mlp_hidden,
        tokens=config.tokens,
        sub_blocks=config.sub_blocks,
        contexts=contexts,
        text=config.context_tokens,
        cross_even=config.has_text,
        cross_odd=config.has_text and config.cross_attention == "all",
        even=even,
        odd=odd,
        frames=config.frames if config.adds_frames_later else 0,
    )


def fitted(
    config: DiTConfig,
    contexts: int,
    rows: int,
    cols: int,
    products: int = 1,
    *,
    built: Mapping[str, int] | None = None,
) -> tuple[Dims, BuildConfig]:
    """A model's dimensions and the build that holds it: what is refused here would be refused after hours of work.

    Args:
        built: parameters of the build that do not follow from the model, by name.

    Raises:
        UserError: an array that cannot be built, or a model that no build holds: groups that do not fit the lanes,
            sums, counts or addresses beyond their formats, a dimension beyond its register.
    """
    BuildConfig(rows=rows, cols=cols, products=products)
    dims = dims_of(config, contexts)
    build = replace(build_for(dims, rows, cols, products), **(built or {}))
    check_fit(dims, build)
    for name, value in registers(dims, build).items():
        most = (1 << REGISTERS[name].bits) - 1
        if value > most:
            raise UserError(
                f"The model needs {value} where the machine counts to {most} ({REGISTERS[name].meaning}; register "
                f"{name}): use a smaller model."
            )
    each = {ATTENTION: dims.attention_words(build), CROSS: dims.cross_words(build), MLP: dims.mlp_words(build)}
    for what, words in (
        ("weights", sum(each[place.kind] for place in dims.places)),
        ("keys and values of prompts", len(dims.numbers(CROSS)) * dims.contexts * dims.prompt_words(build)),
        ("cached branches", 2 * dims.contexts * dims.sub_blocks * dims.sub_block_words(build)),
    ):
        if words >> ADDRESS_BITS:
            raise UserError(
                f"The model needs {words} words of {what}, more than the {1 << ADDRESS_BITS} that the machine "
                "addresses: use a smaller model."
            )
    return dims, build


def build_for(dims: Dims, rows: int, cols: int, products: int = 1) -> BuildConfig:
    """The build of the first shared size that holds a model, or else of the model's own size.

    Only models with temporal attention share a build that has it.
    """
    shared = (_build_of(dims_of(NAMED_MODELS[name], contexts=2), rows, cols, products) for name in SHARED_SIZES)
    return next((build for build in shared if _holds(build, dims)), _build_of(dims, rows, cols, products))


def _holds(build: BuildConfig, dims: Dims) -> bool:
    sizes = ("hidden", "mlp", "tokens", "contexts", "sub_blocks", "text", "frames")
    fits = all(getattr(dims, name) <= getattr(build, f"max_{name}") for name in sizes)
    return (
        fits
        and bool(dims.text) == bool(build.max_text)
        and bool(dims.frames) == bool(build.max_frames)
        and (_frames(dims) > 1) == (build.frame_banks > 1)
        and build.bank * _frames(dims) <= build.wide
    )


def _build_of(dims: Dims, rows: int, cols: int, products: int) -> BuildConfig:
    """The smallest build that holds a model, with both contexts of guidance."""
    return BuildConfig(
        rows=rows,
        cols=cols,
        max_hidden=dims.hidden,
        max_mlp=dims.mlp,
        max_tokens=dims.tokens,
        max_contexts=max(2, dims.contexts),
        max_sub_blocks=dims.sub_blocks,
        max_text=dims.text,
        max_frames=dims.frames,
        frame_banks=min(_frames(dims), rows, cols),
        products=products,
    )


def _frames(dims: Dims) -> int:
    """Frames that temporal attention looks at."""
    return max(dims.even.frames, dims.odd.frames)
