"""Scheduled retraining: when it is due, the process that trains, and what becomes of the result."""
