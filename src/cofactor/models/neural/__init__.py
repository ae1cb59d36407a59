"""Models trained by gradient descent in PyTorch: latent factors with any loss, dense networks, a
user's own module.
"""
