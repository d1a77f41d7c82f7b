"""The pages for learners: templates, styles, light scripts and their words in each language."""
