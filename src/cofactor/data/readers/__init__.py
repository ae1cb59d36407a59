"""Readers: from files, tables, databases and data frames to events, one file a format. `read`
tells which it is.
"""

from cofactor.data.readers.file_formats import FORMATS
from cofactor.data.readers.item_tables import read_table
from cofactor.data.readers.read import read

__all__ = ["FORMATS", "read", "read_table"]
