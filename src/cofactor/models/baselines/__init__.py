"""Non-personalised models: the baselines that every other model has to beat."""
