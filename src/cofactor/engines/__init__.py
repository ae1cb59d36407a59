"""Floor 1: engines that run the pieces of a computation on a cluster.

Nothing below `runs` imports this package: models and evaluation see `cofactor.base.engine` alone.
"""
