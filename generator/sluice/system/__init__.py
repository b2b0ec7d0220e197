"""What the system under Sluice gives: the package's own files, output streams, processes."""
