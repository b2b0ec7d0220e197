"""Entries of the catalog as records: engines, accelerators, stores, ways of sharing."""
