"""The accelerator: convertible MyHDL. ``radit.accel.top`` wires it, ``docs/interface.md`` tells how to drive it."""
