"""What Sluice asks a cluster. It changes one thing there: it may ask Argo CD to look at Git now."""
