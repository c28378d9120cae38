"""What the machine shows of itself, for the counters."""

from radit.accel.control.cycle_accounts import Activity
from radit.accel.control.register_file import Events


class Monitor:
    """Observation only.

    Signals:
        events: Events, a flag each; driven by the blocks in which they happen.
        activity: Activity, from which each cycle is booked; drivers are named there.
    """

    def __init__(self) -> None:
        self.events = Events()
        self.activity = Activity()
