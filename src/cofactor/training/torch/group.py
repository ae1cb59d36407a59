"""Several processes that train one module, each on its part of every batch.

Data parallelism: all of them hold the same weights, average their gradients after each step (gloo),
and take the same step. A loss that is a mean over examples, without draws, gives what one process
computes, but for rounding. Negatives and dropout are drawn by each process for its own part, and
the other items of a batch are those of the part."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import NamedTuple

import torch
from torch import Tensor, distributed, nn

from cofactor.base.engine import Seat
from cofactor.training.torch.batches import Batch

_PATIENCE = timedelta(minutes=30)  # for another's step


class WorkerGroup(NamedTuple):
    """The processes, seen from one of them."""

    rank: int
    size: int

    def part(self, batch: Batch, examples: Callable[[Batch], int]) -> tuple[Batch, float]:
        """Return this process' rows of a batch, and which share of its examples they are.

        Where there are fewer rows than processes, some have one with a share of 0.
        """
        count = len(batch[0])
        first, end = (rank * count // self.size for rank in (self.rank, self.rank + 1))
        rows = slice(first, end) if end > first else slice(0, 1)
        own = tuple(column[rows] for column in batch)
        return own, examples(own) / examples(batch) if end > first else 0.0

    def average(self, module: nn.Module, loss: Tensor, share: float) -> Tensor:
        """Replace the gradients by their means over the whole batch; return that of the loss."""
        gradients = [w.grad for w in module.parameters() if w.grad is not None]
        dense = [gradient for gradient in gradients if not gradient.is_sparse]
        flat = torch.cat([loss.reshape(1), *(gradient.reshape(-1) for gradient in dense)]) * share
        distributed.all_reduce(flat)
        sizes = [1, *(gradient.numel() for gradient in dense)]
        whole, *means = flat.split(sizes)
        for gradient, mean in zip(dense, means, strict=True):
            gradient.copy_(mean.view_as(gradient))
        for weight in module.parameters():
            if weight.grad is not None and weight.grad.is_sparse:
                scaled = (weight.grad * share).coalesce()
                distributed.all_reduce(scaled)
                weight.grad = scaled
        return whole[0]


_group: ContextVar[WorkerGroup | None] = ContextVar("group", default=None)


def current_group() -> WorkerGroup | None:
    """Return the processes that this one trains with, or None."""
    return _group.get()


@contextmanager
def joined(seat: Seat) -> Iterator[None]:
    """While open, modules are trained together with the processes of the other seats."""
    if seat.size == 1:
        yield
        return
    _use_interface_of(seat)
    distributed.init_process_group(
        "gloo",
        init_method=f"tcp://{seat.address}",
        rank=seat.rank,
        world_size=seat.size,
        timeout=_PATIENCE,
    )
    token = _group.set(WorkerGroup(seat.rank, seat.size))
    try:
        yield
    finally:
        _group.reset(token)
        distributed.destroy_process_group()


def _use_interface_of(seat: Seat) -> None:
    """Let gloo listen where the first host is reached from; it would take what the host's name
    stands for.
    """
    host, _, port = str(seat.address).rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        way.connect((host, int(port)))  # sends nothing
        own = way.getsockname()[0]
    for _, name in socket.if_nameindex():
        if _address_of(name) == own:
            os.environ.setdefault("GLOO_SOCKET_IFNAME", name)


def _address_of(interface: str) -> str | None:
    """The IPv4 address of a network interface; None where it has none, or can't be found out."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            asked = interface.encode().ljust(256, b"\0")
            found = fcntl.ioctl(any_socket.fileno(), 0x8915, asked)  # SIOCGIFADDR
        except OSError:
            return None
    return socket.inet_ntoa(found[20:24])
