"""`lambdas build --farm`: variants are built by the workers of a Dask cluster."""
