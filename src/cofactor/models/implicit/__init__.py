"""Ranking models of implicit feedback."""
