"""The work tree: read without leaving it, written so that nobody ever sees half of a change.

No link is followed on the way to what is read or written.
"""

from sluice.files.reading import Tree, read, read_one, relative_inside
from sluice.files.writing import make_folder, write, write_file

__all__ = ["Tree", "make_folder", "read", "read_one", "relative_inside", "write", "write_file"]
