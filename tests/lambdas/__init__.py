"""Tests of the example functions in lambdas/."""
