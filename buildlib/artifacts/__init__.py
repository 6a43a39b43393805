"""A ZIP to `dist/`, whose files never disagree."""
