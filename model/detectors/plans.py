"""Plans for the hardware: made by the detector that the frontier measures, `model/detectors/planned.py`, and kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from radit.model.baselines.smoothcache import ByIdentity
from radit.model.detectors.detector import Slope
from radit.model.detectors.planned import Planned, plan_of
from radit.model.dit.checkpoint import find_checkpoint, load_model
from radit.model.dit.sampler import Sampler
from radit.model.errors import UserError
from radit.model.files import write_json
from radit.model.integer.calibration import load_or_calibrate
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.quantize import quantize
from radit.model.policy.plan import read_plan, write_plan
from radit.model.policy.policy_file import StoredPolicy
from radit.model.policy.skip_policy import Policy, planned
from radit.model.source_code import code_digest
from radit.model.system.caches import content_digest, kept, read_sealed, write_sealed

CACHE = Path("build") / "plans"


def with_plan(policy: Policy, integer: IntegerDiT, cfg: float) -> Policy:
    """Return the policy with a plan for a model and sampler, where it lacks one; that takes about a minute once.

    Args:
        cfg: guidance scale that the plan is for, unitless.

    Raises:
        UserError: no plan is so cheap, or only the first timesteps of the sampler are run.
    """
    if not policy.lacks_plan:
        return policy
    if integer.steps < integer.sampler_steps:
        raise UserError(
            f"Policy {policy.name} has no plan, and none is made for the first {integer.steps} of "
            f"{integer.sampler_steps} timesteps: give plan, or run all of them."
        )
    method = detector_of(policy, cfg)
    facts = [integer.digest(), method.digest(), code_digest("radit.model.detectors.planned")]

    def read(path: Path) -> str | None:
        text = (read_sealed(path) or {}).get("plan")
        return text if isinstance(text, str) and len(read_plan(text)) == integer.steps else None

    def make() -> str:
        return write_plan(plan_of(ByIdentity(integer), method).tolist())

    path = CACHE / f"{content_digest(facts)}.json"
    return replace(policy, plan=kept(path, read, make, lambda path, plan: write_sealed(path, {"plan": plan})))


def add_plan(path: Path, stored: StoredPolicy, share: float) -> StoredPolicy:
    """Return a model's stored policies with a plan for the sampler and guidance that they are for, and write them.

    Args:
        path: of the file.
        share: of the MACs of a dense run, that the plan takes at most.

    Raises:
        UserError: no plan is so cheap, or the file cannot be written.
    """
    dit, sampler = load_model(stored.model), Sampler(stored.steps, None, stored.solver, stored.spacing)
    calibration = load_or_calibrate(dit, find_checkpoint(stored.model), sampler)
    return store_plan(path, stored, planned(share), quantize(dit, calibration, sampler))


def store_plan(path: Path, stored: StoredPolicy, policy: Policy, integer: IntegerDiT) -> StoredPolicy:
    """`add_plan` for a model at hand, quantized for the sampler that was stored."""
    found = stored.model_copy(update={"planned": with_plan(policy, integer, stored.cfg)})
    write_json(path, found)
    return found


def detector_of(policy: Policy, cfg: float) -> Planned:
    """Return the detector whose plan a policy asks for; where nothing forces or forbids a reuse otherwise, its run is
    the policy's, bit for bit."""
    return Planned(
        share=policy.share,
        gain=policy.gain,
        reach=policy.reach,
        scope=policy.scope,
        last_dense=policy.last_dense,
        difference=policy.difference,
        slope=Slope.TIME,
        guidance=cfg,
    )
