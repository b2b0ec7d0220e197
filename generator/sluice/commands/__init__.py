"""One file a verb of the command line: flags in, an exit code out."""
