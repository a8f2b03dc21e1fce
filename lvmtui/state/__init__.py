"""What the files of runs and campaigns add up to: pure folds, and the readers that feed them."""
