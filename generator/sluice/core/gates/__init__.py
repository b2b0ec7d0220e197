"""Conditions on a version: what was measured, who must agree, when it may go."""
