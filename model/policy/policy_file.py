"""The policies that `radit calibrate` found for a model, stored beside its checkpoint as ``<model>.policy.json``.

Where the file is there, its policies start from its fields, with its sampler, in the place of their defaults, and
`radit demo` and `radit quality` take that sampler.
"""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from radit.model.dit.checkpoint import find_checkpoint
from radit.model.dit.sampler import Sampler
from radit.model.dit.sampler_names import DDIM, UNIFORM, Solver, Spacing
from radit.model.errors import UserError
from radit.model.integer.calibration import model_digest
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.plain_text import one_line
from radit.model.policy.skip_policy import Policy, parse_policy
from radit.model.ranges import RANGES
from radit.model.reading import path_text, read_model
from radit.model.schema import MOST, Amount

OURS = ("forecast", "planned")  # policies that are found for a model
CACHE = Path("build") / "policies"  # of models without a checkpoint file
FIRST_SEED = int(RANGES["calibration_seed"].low)  # of calibration images; evaluations use smaller ones
log = logging.getLogger("radit")


class Achieved(BaseModel):
    """On the calibration images: MACs of the dense run over the policy's, and the paired mse to what judges them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mac_reduction: float = Field(ge=1.0, le=MOST)
    mse: Amount


class StoredPolicy(BaseModel):
    """A calibrated policy and where it comes from.

    Fields:
        weights, integer_model: SHA-256 (hex) of the float model and of the integer model at `steps`.
        steps, solver, spacing, cfg: of the sampler.
        images, seed: calibrated on.
        target, start: as the command was given them.
        judge: what errors are to: the dense int8 images of the same noise, or the converged ones.
        policy: one of `OURS`, all its fields.
        radit: the baseline at the threshold that keeps the same error, or the one that was given, all its fields.
        widened: ranges of the int8 formats include what the skipping run visits; both were tried.
        tried: what the search came to without and with that; of a plan, the dense run.
        achieved, radit_achieved: what both policies came to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[3] = 3
    model: str
    weights: str
    integer_model: str
    steps: Annotated[int, AfterValidator(partial(RANGES["steps"].check, "steps"))]
    solver: Solver = DDIM
    spacing: Spacing = UNIFORM
    cfg: Annotated[float, AfterValidator(partial(RANGES["cfg"].check, "cfg"))]
    images: Annotated[int, AfterValidator(partial(RANGES["images"].check, "images"))]
    seed: Annotated[int, AfterValidator(partial(RANGES["calibration_seed"].check, "seed"))]
    target: str
    start: str | None = None
    judge: Literal["dense", "converged"] = "dense"
    policy: Policy
    radit: Policy
    achieved: Achieved
    radit_achieved: Achieved
    widened: bool = False
    tried: dict[str, Achieved] = {}

    @model_validator(mode="after")
    def _check_names(self) -> StoredPolicy:
        for field, wanted in (("policy", OURS), ("radit", ("radit",))):
            name = getattr(self, field).name
            if name not in wanted:
                raise ValueError(f"field {field}.name is {one_line(name)}: give {' or '.join(wanted)}")
        if self.policy.plan and len(self.policy.plan) != self.steps:
            raise ValueError(f"field policy.plan has {len(self.policy.plan)} timesteps: give {self.steps}")
        return self

    @property
    def sampler(self) -> Sampler:
        """That it was calibrated with, all timesteps."""
        return Sampler(self.steps, None, self.solver, self.spacing)

    def is_for(self, integer: IntegerDiT) -> bool:
        """Whether the sampler is the stored one, or its first timesteps."""
        way = tuple(self.sampler.timesteps[: integer.steps])
        return self.steps == integer.sampler_steps and tuple(integer.timesteps) == way

    def plans_for(self, cfg: float | None, policy: Policy) -> bool:
        """Whether the stored plan is one for a guidance (None: the stored one) and a policy like the stored one."""
        made_for = ("share", "gain", "reach", "scope", "last_dense", "difference")
        alike = all(getattr(policy, name) == getattr(self.policy, name) for name in made_for)
        return alike and cfg in (None, self.cfg)

    def check(self, path: Path, integer: IntegerDiT) -> None:
        """Compare with the model at hand; with another sampler, or its first timesteps alone, it is the same model.

        Raises:
            UserError: the file belongs to other weights, or to another quantization of them.
        """
        fits = self.weights == model_digest(integer.dit)
        if fits and list(integer.timesteps) == self.sampler.timesteps:
            fits = self.integer_model == integer.quantization_digest()
        if not fits:
            raise UserError(
                f"{path_text(path)} was calibrated for another model or another quantization of it: run "
                f"`radit calibrate --model {one_line(self.model)}` again, or remove the file."
            )


def policy_path(model: str) -> Path:
    """Return where a model's policy is stored: beside its checkpoint, or in build/policies.

    Raises:
        UserError: the model is unknown.
    """
    return (find_checkpoint(model) or CACHE / model).with_suffix(".policy.json")


def policy_of(text: str, model: str | None, integer: IntegerDiT, cfg: float | None = None) -> Policy:
    """Return the policy of a text for a model; it starts from what is stored with the model, where that is for the
    sampler at hand, else from the policy's defaults. A stored plan is left out where guidance or share are others.

    Args:
        text: as `parse_policy` reads it.
        model: name or checkpoint file; None: a model that is nobody's, such as a cut one.
        integer: the same model, quantized.
        cfg: guidance scale; None: that of the stored policy.

    Raises:
        UserError: a bad text, or a stored file that is damaged or another model's.
    """
    stored = None if model is None else load_policy(model, integer)
    if stored is None or not stored.is_for(integer):
        return parse_policy(text)
    found = {own.name: own for own in (stored.policy, stored.radit)}
    policy = parse_policy(text, ours := found.get(text.partition(":")[0]))
    if ours is not None and cfg not in (None, stored.cfg):
        log.info(
            "%s of %s was chosen at guidance %g; at %g it may lose to a dense run of as many cycles ...",
            policy.name, one_line(str(model)), stored.cfg, cfg,
        )  # fmt: skip
    if ours is None or not ours.plan or policy.plan != ours.plan or stored.plans_for(cfg, policy):
        return policy
    return replace(policy, plan="")


def own_sampler(
    model: str, steps: int | None = None, solver: Solver | None = None, spacing: Spacing | None = None
) -> Sampler:
    """Return how a model is sampled unless told otherwise: as its stored policy was calibrated, else 50 steps of DDIM.

    Args:
        model: name or checkpoint file.
        steps, solver, spacing: told otherwise.

    Raises:
        UserError: the stored file is damaged, the model is unknown, or there is no such sampler.
    """
    path = policy_path(model)
    own = read_policy(path).sampler if os.path.lexists(path) else Sampler()
    return Sampler(own.steps if steps is None else steps, None, solver or own.solver, spacing or own.spacing)


def usual_policies(model: str) -> tuple[str, ...]:
    """Return the policies that a model is shown with: dense, the paper's, and ours, as it is stored.

    Raises:
        UserError: the stored file is damaged, or the model is unknown.
    """
    path = policy_path(model)
    return "dense", "radit", read_policy(path).policy.name if os.path.lexists(path) else OURS[0]


def load_policy(model: str, integer: IntegerDiT) -> StoredPolicy | None:
    """Return what is stored with a model, None where nothing is.

    Raises:
        UserError: the file is damaged, or another model's.
    """
    path = policy_path(model)
    if not os.path.lexists(path):
        return None
    stored = read_policy(path)
    stored.check(path, integer)
    return stored


def read_policy(path: Path) -> StoredPolicy:
    """Return the content of a file.

    Raises:
        UserError: it cannot be read or does not fit the schema.
    """
    return read_model(StoredPolicy, path, "Policy file", "run `radit calibrate` again, or remove it")
