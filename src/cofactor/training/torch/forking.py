"""Forked processes run torch on one thread.

OpenMP's threads don't survive a fork, and a child that waits for them hangs; with one thread it
doesn't need them. (After a GPU was used, torch itself refuses to run in a child, and says so.)
"""

from __future__ import annotations

import os

import torch

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
