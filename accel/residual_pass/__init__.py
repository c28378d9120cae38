"""The streaming pass between two sub-blocks, from the residual add to the compared codes."""
