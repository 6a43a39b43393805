"""Tests of the room `commands/farm`, without Dask."""
