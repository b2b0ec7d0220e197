"""What a change does, and what a release is: objects, devices, memory, cost."""
