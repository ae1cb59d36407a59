"""The users' side of a folder of shards, from the events of each shard."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from cofactor.data import shards, sorting
from cofactor.data.histories import in_order
from cofactor.data.interactions import KEEP


class GrowingArray:
    """A one-dimensional ``.npy`` whose length is known at the end."""

    def __init__(self, path: Path) -> None:
        self.path, self.count = path, 0
        self.kind = np.dtype(shards.ARRAYS.get(f"by_user/{path.stem}", "int32"))
        self.file = path.open("wb")
        self._head()

    def append(self, array: np.ndarray) -> None:
        """Write what follows."""
        np.ascontiguousarray(array, self.kind).tofile(self.file)
        self.count += len(array)

    def close(self) -> None:
        """Write how long it is, and close the file."""
        if self.file.closed:
            return
        with self.file:
            self.file.seek(0)
            self._head()

    def _head(self) -> None:
        # NumPy leaves room in the header for the length to grow.
        np.lib.format.write_array_header_1_0(
            self.file,
            {"shape": (self.count,), "fortran_order": False, "descr": self.kind.str},
        )


class UsersSide:
    """The folder ``by_user`` and, where repeats are kept, ``log``: written shard by shard.

    Parameters
    ----------
    made, work
        The folder of shards; the one for ``in_order.npy``, each user's items in the order of the
        source, where there are no times.
    columns
        Which of ``values`` and ``times`` the events have, among others.
    shape
        How many users and items there are.
    repeats
        As in `Interactions.build`.
    large
        As in `sorting.to_csr`.
    """

    def __init__(
        self,
        made: Path,
        work: Path,
        columns: Collection[str],
        shape: tuple[int, int],
        repeats: str,
        *,
        large: bool,
    ) -> None:
        self.made, self.shape, self.large = made, shape, large
        if repeats == KEEP:
            (made / "log").mkdir(exist_ok=True)
        self.rule, self.keeps = ("last", True) if repeats == KEEP else (repeats, False)
        own = sorted({*columns} & {"values", "times"})
        self.counted = "values" not in own and self.rule != "last"
        names = ["item_rows", "order", *own, *["values"] * self.counted]
        self.out = {name: GrowingArray(made / "by_user" / f"{name}.npy") for name in names}
        if "times" not in own:
            self.out["in_order"] = GrowingArray(work / "in_order.npy")
        self.log = {
            name: GrowingArray(made / "log" / f"{name}.npy")
            for name in ("item_rows", *own)
            if self.keeps
        }
        self.indptr, self.log_indptr = (np.zeros(shape[0] + 1, np.int64) for _ in range(2))
        self.n_pairs, self.n_events, self.merged_any = 0, 0, False

    def add(self, first: int, end: int, part: Mapping[str, np.ndarray]) -> None:
        """Sort the events of the users ``first`` to ``end``, merge their repeats, and write them.

        Parameters
        ----------
        part
            Their columns and ``positions``, as `DealtFile.shard` returns them.
        """
        users, shape = part["users"] - np.int32(first), (end - first, self.shape[1])
        events = (users, part["items"], part.get("values"), part.get("times"))
        own, keep, values = sorting.to_csr(*events, shape, self.rule, large=self.large)
        kept = slice(None) if keep is None else keep
        rows, order = part["items"][kept], part["positions"][kept]
        self.indptr[first + 1 : end + 1] = self.n_pairs + own[1:]
        self.n_pairs += len(rows)
        self.out["item_rows"].append(rows)
        self.out["order"].append(order)
        if "times" in self.out:
            self.out["times"].append(part["times"][kept])
        else:
            by_time = sorting.chronological(own, order, None, large=self.large)
            self.out["in_order"].append(rows[by_time])
        if "values" in self.out:
            self.merged_any |= values is not None
            ones = np.ones(len(rows), np.float32) if values is None else values
            self.out["values"].append(ones)
        if self.keeps:
            log = in_order(*events, *shape)
            self.log_indptr[first + 1 : end + 1] = self.n_events + log.indptr[1:]
            for name, array in self.log.items():
                array.append(getattr(log, name))
        self.n_events += len(users)

    def finish(self) -> list[Path]:
        """Close the files, and return them all."""
        self.close()
        if self.counted and not self.merged_any:
            self.out.pop("values").path.unlink()
        np.save(self.made / "by_user" / "indptr.npy", self.indptr)
        if self.keeps:
            np.save(self.made / "log" / "indptr.npy", self.log_indptr)
        own = [*self.out.values(), *self.log.values()]
        folders = [self.made / "by_user", *[self.made / "log"] * self.keeps]
        return [*(array.path for array in own), *(folder / "indptr.npy" for folder in folders)]

    def close(self) -> None:
        """Close the files."""
        for array in (*self.out.values(), *self.log.values()):
            array.close()
