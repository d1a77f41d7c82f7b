"""What outlives a request: tables, migrations, sessions. Nothing here knows HTTP or grading."""
