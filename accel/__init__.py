"""The accelerator: convertible MyHDL. ``accel.top`` wires it, ``docs/interface.md`` tells how to drive it."""
