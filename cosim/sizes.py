"""A model's dimensions on the accelerator, and the build that holds it."""

from accel.config import BuildConfig
from accel.dims import Dims
from model.config import NAMED_MODELS, DiTConfig

# Models whose size is a build that others share: one compilation runs them all, by registers alone.
SHARED_SIZES = ("digits", "dit-xl-2")


def dims_of(config: DiTConfig, contexts: int) -> Dims:
    """The accelerator's view of an image model: one attention group of all tokens."""
    return Dims(
        hidden=config.hidden_size,
        heads=config.num_heads,
        head_dim=config.head_dim,
        mlp=config.mlp_hidden,
        tokens=config.tokens,
        sub_blocks=2 * config.depth,
        contexts=contexts,
    )


def build_for(dims: Dims, rows: int, cols: int) -> BuildConfig:
    """The build of the first shared size that holds a model, or else of the model's own size."""
    shared = (_build_of(dims_of(NAMED_MODELS[name], contexts=2), rows, cols) for name in SHARED_SIZES)
    return next((build for build in shared if _holds(build, dims)), _build_of(dims, rows, cols))


def _holds(build: BuildConfig, dims: Dims) -> bool:
    sizes = ("hidden", "mlp", "tokens", "contexts", "sub_blocks")
    return _frames(dims) == 1 and all(getattr(dims, name) <= getattr(build, f"max_{name}") for name in sizes)


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
        frame_banks=_frames(dims),
    )


def _frames(dims: Dims) -> int:
    return max(dims.even.frames, dims.odd.frames)
