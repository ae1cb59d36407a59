"""Readers: from files, tables, databases and data frames to events, one file a format. `read`
tells which it is.
"""

from cofactor.data.readers.read import FORMATS, read, read_table

__all__ = ["FORMATS", "read", "read_table"]
