"""A model's dimensions on the accelerator, and the build that holds it."""

from radit.accel.config import BuildConfig
from radit.accel.dims import Dims, Group
from radit.model.dit.config import NAMED_MODELS, DiTConfig

# Models whose size is a build that others share: one compilation runs them all, by registers alone.
SHARED_SIZES = ("digits", "dit-xl-2", "moving-digits")


def dims_of(config: DiTConfig, contexts: int) -> Dims:
    """The accelerator's view of a model: one attention group of all tokens, or those of alternating blocks.

    Raises:
        UserError: alternating attention over a number of frames that is not a power of two.
    """
    groups = {"even": Group(keys=config.frame_tokens), "odd": Group(frames=config.frames)} if config.alternates else {}
    return Dims(
        hidden=config.hidden_size,
        heads=config.num_heads,
        head_dim=config.head_dim,
        mlp=config.mlp_hidden,
        tokens=config.tokens,
        sub_blocks=2 * config.depth,
        contexts=contexts,
        **groups,
    )


def build_for(dims: Dims, rows: int, cols: int) -> BuildConfig:
    """The build of the first shared size that holds a model, or else of the model's own size.

    Only models with temporal attention share a build that has it.
    """
    shared = (_build_of(dims_of(NAMED_MODELS[name], contexts=2), rows, cols) for name in SHARED_SIZES)
    return next((build for build in shared if _holds(build, dims)), _build_of(dims, rows, cols))


def _holds(build: BuildConfig, dims: Dims) -> bool:
    sizes = ("hidden", "mlp", "tokens", "contexts", "sub_blocks")
    fits = all(getattr(dims, name) <= getattr(build, f"max_{name}") for name in sizes)
    return fits and (_frames(dims) > 1) == (build.frame_banks > 1) and build.bank * _frames(dims) <= build.wide


def _build_of(dims: Dims, rows: int, cols: int) -> BuildConfig:
    """The smallest build that holds a model, with both contexts of guidance."""
    return BuildConfig(
        rows=rows,
        cols=cols,
        max_hidden=dims.hidden,
        max_mlp=dims.mlp,
        max_tokens=dims.tokens,
        max_contexts=max(2, dims.contexts),
        max_sub_blocks=dims.sub_blocks,
        frame_banks=min(_frames(dims), rows, cols),
    )


def _frames(dims: Dims) -> int:
    return max(dims.even.frames, dims.odd.frames)
