"""Run a ZIP as Lambda does: under AWS's runtime interface client and emulator."""
