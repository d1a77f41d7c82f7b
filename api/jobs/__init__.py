"""Jobs: tables of answers that are graded in the background, and lose nothing when a process or a machine dies."""
