"""Versions of the served model: loading, promotion, rollback, comparison."""
