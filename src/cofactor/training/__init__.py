"""Floor 3: the training loop, batches, negatives, losses, stopping and checkpoints; knows no
model and no metric.
"""
