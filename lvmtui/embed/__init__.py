"""`lvmtui embed`: from texts to a vector file."""
