"""Names in state dicts: what wraps a model is taken off its names, and other models are called by their names.

The naming that is read is that of DiT (facebookresearch/DiT, which SiT and Latte share) and that of diffusers'
`DiTTransformer2DModel` (`model/dit/diffusers_dit.py`). Others are known by parts of names that only they have
(`other_models.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from radit.model.errors import UserError
from radit.model.plain_text import one_line
from radit.model.weights.other_models import OTHER_MODELS
from radit.model.weights.weight_files import StateDict

OFFICIAL, LIBRARY = "x_embedder.proj.weight", "pos_embed.proj.weight"  # every model has one of these
WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")  # data-parallel, compiled ..
COUNTERS = ("n_averaged",)  # of torch's AveragedModel, beside the weights
AVERAGED = "ema"


def plain_names(state: StateDict, source: str) -> StateDict:
    """Return a state dict in which the names of one model stand as its program writes them.

    Names of wrappers are taken off (`WRAPPERS`), and what a training program puts in front, such as ``model.``. Of
    several models that lie beside each other the averaged one is taken, whose prefix has "ema" in it.

    Args:
        source: the file, for the sentence.

    Raises:
        UserError: two tensors end up with one name, there are several models, or the model is another than a DiT.
    """
    unwrapped: StateDict = {}
    for name, tensor in state.items():
        plain = ".".join(part for part in name.split(".") if part not in WRAPPERS)
        if plain in unwrapped:
            raise UserError(f"{source} holds {one_line(plain)} twice, wrapped and plain: keep one of them.")
        if plain not in COUNTERS:
            unwrapped[plain] = tensor
    prefix = _prefix(unwrapped, source)
    found = {name.removeprefix(prefix): tensor for name, tensor in unwrapped.items() if name.startswith(prefix)}
    _check_known(found, source)
    return found


def _prefix(names: Iterable[str], source: str) -> str:
    """What stands in front of all names of the model; nothing where none is found."""
    ends = [anchor for anchor in (OFFICIAL, LIBRARY) for name in names if name == anchor]
    if ends:
        return ""
    found = [
        name.removesuffix(anchor) for anchor in (OFFICIAL, LIBRARY) for name in names if name.endswith(f".{anchor}")
    ]
    averaged = [prefix for prefix in found if AVERAGED in prefix.lower()]
    chosen = averaged if len(averaged) == 1 else found
    if len(chosen) > 1:
        shown = ", ".join(one_line(prefix) for prefix in sorted(found)[:3])
        raise UserError(f"{source} holds several models ({shown}): write the one that is wanted as a file of its own.")
    return chosen[0] if chosen else ""


def _check_known(names: Iterable[str], source: str) -> None:
    """Refuse another model by its name."""
    for each in OTHER_MODELS:
        sign = re.compile(each.sign)
        if any(sign.search(name) for name in names):
            raise each.refusal(source)
