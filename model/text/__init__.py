"""Prompts: their embeddings, and attention to them."""
