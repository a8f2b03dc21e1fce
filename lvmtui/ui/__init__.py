"""The screen. A thread reads what changed and freezes it; views draw what is frozen; nothing here decides.

What is read     watch (hints), source (the thread), snapshot (one moment), facts (one run), machine, logfile,
                 event_words
What is drawn    board, board_panels, board_rows; run_view, run_charts, run_facts_pane, log_pane; verdict_view,
                 markdown; new_form: pure functions from a snapshot to lines
What holds keys  board_screen, run_screen, verdict_screen, new_screen, on top of view; the dialogs help, ask, export
                 and picker, on top of modal; palette, prompt, textfield
What is wanted   orders (pause, cancel, retry), child (our own commands), others, scratch, files
How it is drawn  canvas (the one widget), line, chart, header, glyphs, styles; terminal (its edges); app (all together)
"""
