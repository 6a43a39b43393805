"""Other tools that deploy a finished ZIP, as the how-to pages show it."""
