"""What trainer, supervisor and screen agree on: files and their meaning. Standard library only."""
