"""Where everything is kept: the database, and stored pixels as files.

The database is SQLite or PostgreSQL, chosen by one address in the settings. This room knows
tables and bytes; what the rows mean is known by the rooms that write them.
"""

from core.store import schema
from core.store._blobs import BlobStore
from core.store._disk import sync_file, sync_folder, write_whole
from core.store._store import Store, insert_new

__all__ = ["BlobStore", "Store", "insert_new", "schema", "sync_file", "sync_folder", "write_whole"]
