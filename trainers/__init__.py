"""The programs that train: one process a run, `python -P -m trainers RUN_DIR`."""
