"""What people are told of the state of a repository: the overview, and the doctor's diagnoses."""
