"""Floor 0: errors, argument checks, configurations, runs. Knows nothing else of Cofactor."""
