"""The parts of `cofactor.runs.auto`: families, the race between them, the blend, the report."""
