"""Trains a run with a user's own program: started, understood, stopped and judged like ours."""
