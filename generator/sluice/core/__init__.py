"""The pure part: specs in, findings, manifests and decisions out. No input, no output, no clock."""
