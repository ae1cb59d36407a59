"""The rules that split data into train, validation and test; one rule per file.

All shares are shares of the whole data set. The validation part is always split off the remainder
of the test part by the same rule, so that it simulates the test; having one never changes the test
part."""

from cofactor.data.splits.by_name import split
from cofactor.data.splits.cold_items import by_items
from cofactor.data.splits.folds import k_fold
from cofactor.data.splits.leave_last import leave_last
from cofactor.data.splits.next_item import by_session, next_after
from cofactor.data.splits.per_user import per_user
from cofactor.data.splits.predefined import predefined
from cofactor.data.splits.random import by_random
from cofactor.data.splits.time import by_time
from cofactor.data.splits.users import by_users

__all__ = [
    "by_items",
    "by_random",
    "by_session",
    "by_time",
    "by_users",
    "k_fold",
    "leave_last",
    "next_after",
    "per_user",
    "predefined",
    "split",
]
