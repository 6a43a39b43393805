"""Real Dask schedulers and workers, as processes on the loopback interface."""
