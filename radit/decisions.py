"""What a run decided, and runs that are only assumed: a dense one, or one with an even skip rate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radit.accel.dims import Dims
from radit.cosim.support.sizes import dims_of
from radit.model.dit.config import NAMED_MODELS, DiTConfig
from radit.model.errors import UserError
from radit.model.integer.decision_record import DecisionRecord
from radit.model.ranges import checked
from radit.models import Model, QuantizedModel
from radit.reports.cost.policy_costs import PolicyCosts
from radit.reports.cost.run_tables import POLICY_OFF, RunTables
from radit.reports.project.decisions import evenly
from radit.reports.project.project import config_of, spread_tables

AnyModel = QuantizedModel | Model | DiTConfig | str | Path
"""A model where only its dimensions count: loaded, quantized, a config, or a name or file (no weights are loaded)."""


@dataclass(frozen=True, eq=False)
class Decisions:
    """Which sub-blocks of a run were computed, and which took an earlier result.

    Sub-block 2 b is the attention of block b, sub-block 2 b + 1 its MLP. Contexts are the two sides of guidance, the
    label's first; without guidance there is one.

    Fields:
        record: what was computed.
        tables: of each image's run: forecasts, timesteps known to be computed, who decides for whom.
        costs: what the policy costs beside that; None: decisions that no policy took.
    """

    record: DecisionRecord
    tables: tuple[RunTables, ...]
    costs: PolicyCosts | None = None

    def __post_init__(self) -> None:
        if self.record.images != len(self.tables):
            raise UserError(
                f"Decisions field record is of {self.record.images} images with {len(self.tables)} tables: give those "
                "of every image."
            )

    @property
    def computed(self) -> np.ndarray:
        """bool [image, timestep, sub_block, context], True where computed, False where reused."""
        return self.record.computed

    @property
    def images(self) -> int:
        """Number of images."""
        return self.record.images

    @property
    def timesteps(self) -> int:
        """Number of timesteps."""
        return self.record.timesteps

    @property
    def contexts(self) -> int:
        """2 under guidance, else 1."""
        return self.record.contexts

    @property
    def skip_rate(self) -> float:
        """Share of all (timestep, sub-block, context) that were reused, 0 to 1."""
        return self.record.reused_share


def dense_decisions(model: AnyModel, steps: int = 50, cfg: float = 1.5) -> Decisions:
    """One image in which everything is computed and nothing is compared, as under policy dense.

    Args:
        model: its dimensions count.
        steps: timesteps (count).
        cfg: guidance scale (factor); 1 runs one context, anything else two.

    Raises:
        UserError: the model is unknown.
    """
    steps, cfg = checked(steps=steps, cfg=cfg)
    dims = dimensions(model, contexts_of(cfg))
    return Decisions(DecisionRecord.dense(1, steps, dims.sub_blocks, dims.contexts), (POLICY_OFF,))


def even_decisions(
    model: AnyModel, skip_rate: float, steps: int = 50, cfg: float = 1.5, *, forecast: bool = False
) -> Decisions:
    """One image that reuses a share of everything after the first timestep, spread evenly.

    Args:
        model: its dimensions count.
        skip_rate: share to reuse (0 to 1).
        steps, cfg: as `dense_decisions` takes them.
        forecast: whole timesteps are reused as forecasts, context by context; false: single sub-blocks are, as they
            are.

    Raises:
        UserError: the model is unknown, or the rate is out of range.
    """
    skip_rate, steps, cfg = checked(skip_rate=skip_rate, steps=steps, cfg=cfg)
    dims = dimensions(model, contexts_of(cfg))
    return Decisions(
        evenly(skip_rate, dims, steps, by_context=forecast),
        (spread_tables(dims, steps, forecast),),
    )


def contexts_of(cfg: float) -> int:
    """Contexts of a guidance scale."""
    return 1 if cfg == 1.0 else 2


def dimensions(model: AnyModel, contexts: int) -> Dims:
    """The accelerator's view of a model.

    Raises:
        UserError: the model is unknown.
    """
    return dims_of(config_of_any(model), contexts)


def config_of_any(model: AnyModel) -> DiTConfig:
    """The dimensions of a model.

    Raises:
        UserError: the model is unknown, or its file is bad.
    """
    if isinstance(model, DiTConfig):
        return model
    if isinstance(model, Model | QuantizedModel):
        return model.config
    return NAMED_MODELS.get(str(model)) or config_of(str(model))
