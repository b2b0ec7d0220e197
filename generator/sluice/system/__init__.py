"""The system beneath: the package's own files, output streams, processes with limits."""
