"""Design spaces: models x machines x policies x timesteps, by the cycle and energy models."""
