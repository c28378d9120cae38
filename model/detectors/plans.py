"""Plans for the hardware: made by the detector that the frontier measures, `model/detectors/planned.py`, and kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from radit.model.baselines.smoothcache import ByIdentity
from radit.model.detectors.detector import Slope
from radit.model.detectors.planned import Planned, plan_of
from radit.model.errors import UserError
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.policy.plan import read_plan, write_plan
from radit.model.policy.skip_policy import Policy
from radit.model.source_code import code_digest
from radit.model.system.caches import content_digest, kept, read_sealed, write_sealed

CACHE = Path("build") / "plans"


def plans_of(policy: Policy, integer: IntegerDiT, cfg: float) -> list[Policy]:
    """Return a policy with the best plan of every number of timesteps that the label's context computes, least first.

    Raises:
        UserError: no plan is so cheap.
    """
    found: list[Policy] = []
    refused = None
    for labels in range(1, integer.steps + 1):
        try:
            plan = plan_of(ByIdentity(integer), detector_of(policy, cfg, labels))
        except UserError as error:
            refused = error
        else:
            found.append(replace(policy, plan=write_plan(plan.tolist())))
    if refused is not None and not found:
        raise refused
    return found


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


def detector_of(policy: Policy, cfg: float, labels: int = 0) -> Planned:
    """Return the detector whose plan a policy asks for; where nothing forces or forbids a reuse otherwise, its run is
    the policy's, bit for bit; `labels` as in `Planned`."""
    return Planned(
        share=policy.share,
        labels=labels,
        gain=policy.gain,
        reach=policy.reach,
        scope=policy.scope,
        last_dense=policy.last_dense,
        difference=policy.difference,
        slope=Slope.TIME,
        guidance=cfg,
    )
