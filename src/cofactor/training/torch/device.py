"""The PyTorch device of a run."""

from __future__ import annotations

import torch

from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run


def device_of(run: Run) -> torch.device:
    """Return the device of a run: the named one, or with "auto" a GPU if PyTorch finds one.

    Raises
    ------
    ArgumentError
        If the named device isn't there.
    """
    if run.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(run.device)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ArgumentError(
            f"device {run.device!r} can't be used here ({str(error).splitlines()[0]}); use"
            " device='cpu'."
        ) from None
    return device
