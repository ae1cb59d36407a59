"""Floor 1: loops over plain arrays. A kernel knows no ids, datasets or models.

``reference`` holds the definition of each kernel in plain NumPy, slow and readable; ``cpu`` the
fast implementation with the same signature in Numba. A parity test runs both on the same inputs."""
