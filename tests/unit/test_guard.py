"""The tests' own guard against the network."""

import socket

import pytest


def test_no_way_out() -> None:
    """A test that connects to another machine without a marker fails, whatever it catches."""
    with (
        socket.socket() as client,
        pytest.raises(AssertionError, match=r"connects to 192\.0\.2\.1: mark it"),
    ):
        client.connect(("192.0.2.1", 80))


def test_loopback() -> None:
    """Servers of a test's own are in reach."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())
