"""The whole command line against the promise: a thousand invocations with hostile values and damaged files."""

import pytest

from tests.fuzz.campaign import Campaign, by_kind
from tests.fuzz.conftest import COUNT, SEED
from tests.fuzz.plan import COMMANDS, SHARE, invocations

REFUSED = {"area"}  # ends where synthesis would begin


@pytest.mark.parametrize("command", COMMANDS)
def test_invocations_keep_the_promise(command, template, kept):
    """Every one; a failure says how to repeat each that did not."""
    planned = [one for one in invocations(COUNT, SEED) if one.command == command]
    campaign = Campaign(template, kept / command)
    found = campaign.breaches(planned)
    kinds = "\n".join(f"{len(alike):4} x {kind}" for kind, alike in by_kind(found).items())
    shown = "\n".join(map(str, found))
    assert not found, f"{len(found)} of {len(planned)} broke the promise, of seed {SEED}:\n{kinds}\n\n{shown}"
    assert len(planned) >= COUNT * SHARE[command] // (2 * sum(SHARE.values()))
    if len(planned) >= 30 and command not in REFUSED:
        assert campaign.statuses.keys() >= {0, 2}, "values are all refused, or all accepted"
