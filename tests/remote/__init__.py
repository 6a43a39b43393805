"""Tests of the remote cache, with real servers on the loopback interface."""
