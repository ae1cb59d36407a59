"""Defaults that follow the data: penalties, damping, epochs, precision, popularity's weight."""
