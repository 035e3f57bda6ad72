"""The executor role: actions run at most once each, or say that nobody can know."""
