"""The speed of the simulators, as a report."""
