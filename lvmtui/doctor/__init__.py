"""`lvmtui doctor`: what of this machine would get in the way, in words and with remedies."""
