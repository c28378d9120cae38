"""The float diffusion transformer: shape, modules, weights, sampler, attention groups."""
