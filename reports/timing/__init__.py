"""Critical paths, and gate-level power, of the synthesized accelerator."""
