"""Pure: what the files of runs and campaigns add up to."""
