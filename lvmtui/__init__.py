"""lvmtui: train latent vector models on a small and on a large data set, watch, control, and judge."""

__version__ = "0.2.0"
