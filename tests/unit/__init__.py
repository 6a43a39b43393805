"""Tests of one module each; they run no doit, no index and no engine."""
