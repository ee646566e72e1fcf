"""The read models: one file each, folded from the log in one order, free of I/O."""
