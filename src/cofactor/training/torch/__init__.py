"""The part of training that needs PyTorch: a learner for modules, its batches and optimisers."""
