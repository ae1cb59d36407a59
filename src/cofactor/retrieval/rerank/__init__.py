"""Reranking: lists chosen from a model's best items by rules, in one place for every caller."""
