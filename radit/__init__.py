"""RADiT in Python: models, policies, images, co-simulation, cycles and energy.

    import radit

    model = radit.quantize("digits", steps=50)                          # load, calibrate, quantize
    run = radit.generate(model, "radit:threshold=0.2", images=4)        # on the bit-exact integer reference
    result = radit.cosimulate("digits", ["dense", "radit"], array="8x8", steps=8)  # through the compiled RTL
    cycles = radit.predict_cycles(model, run.decisions, array="32x32", memory=radit.Memory(bandwidth=16))
    energy = radit.account_energy(cycles)                               # uJ: low, nominal, high, by component

Nothing here prints. What takes long is told to the logger "radit" (level INFO) and to the callbacks that functions take
as ``progress``. Bad input raises `UserError`, one sentence that names the argument, its value and the remedy.

Names are loaded when they are first used, so that ``import radit`` does not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from radit.cosimulation import Cosimulation, PolicyCosimulation, cosimulate
    from radit.costs import CyclePrediction, account_energy, load_energy_table, predict_cycles
    from radit.decisions import Decisions, dense_decisions, even_decisions
    from radit.generation import Generation, generate, paired_errors
    from radit.machine import Memory
    from radit.model.baselines.base import Method, Rule, Sight
    from radit.model.detectors.detector import Cost, Detector, SignatureDetector
    from radit.model.dit.config import DiTConfig
    from radit.model.errors import UserError
    from radit.model.policy.skip_policy import Policy
    from radit.models import Model, QuantizedModel, load_model, quantize
    from radit.policies import match_macs, policy
    from radit.reports.energy.energy_model import EnergyReport
    from radit.reports.energy.energy_table import EnergyTable, Range

_PLACES = {
    "radit.model.baselines.base": "Method Rule Sight",
    "radit.model.detectors.detector": "Cost Detector SignatureDetector",
    "radit.model.dit.config": "DiTConfig",
    "radit.model.errors": "UserError",
    "radit.model.policy.skip_policy": "Policy",
    "radit.cosimulation": "Cosimulation PolicyCosimulation cosimulate",
    "radit.costs": "CyclePrediction account_energy load_energy_table predict_cycles",
    "radit.decisions": "Decisions dense_decisions even_decisions",
    "radit.generation": "Generation generate paired_errors",
    "radit.machine": "Memory",
    "radit.models": "Model QuantizedModel load_model quantize",
    "radit.policies": "match_macs policy",
    "radit.reports.energy.energy_model": "EnergyReport",
    "radit.reports.energy.energy_table": "EnergyTable Range",
}
_PLACE_OF = {name: place for place, names in _PLACES.items() for name in names.split()}

__all__ = [
    "Cosimulation",
    "Cost",
    "CyclePrediction",
    "Decisions",
    "Detector",
    "DiTConfig",
    "EnergyReport",
    "EnergyTable",
    "Generation",
    "Memory",
    "Method",
    "Model",
    "Policy",
    "PolicyCosimulation",
    "QuantizedModel",
    "Range",
    "Rule",
    "Sight",
    "SignatureDetector",
    "UserError",
    "account_energy",
    "cosimulate",
    "dense_decisions",
    "even_decisions",
    "generate",
    "load_energy_table",
    "load_model",
    "match_macs",
    "paired_errors",
    "policy",
    "predict_cycles",
    "quantize",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Load a name from where it is defined, once."""
        if name not in _PLACE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(_PLACE_OF[name]), name)
        return found

    def __dir__() -> list[str]:
        """The public names, loaded or not."""
        return sorted({*globals(), *__all__})
