"""The screen. A thread reads what has changed and freezes it, and views draw what is frozen. Nothing here decides.

read/       what is shown: source (the thread), snapshot (one moment), run_facts (one run), run_history, logfile, ...
draw/       pure functions from a snapshot to lines of text: header, board, run, verdict, keys, charts, styles, glyphs
widgets/    the canvas that shows the lines, dialogs, the log, text fields
screens/    one view each, on top of view.py: keys, mouse and messages; also help, export and the palette
app         all together, which each view knows; ask_orders: questions and orders; talk: what is said for a moment
terminal    the driver, and how the program leaves the terminal; child: our own commands run for the screen
"""
