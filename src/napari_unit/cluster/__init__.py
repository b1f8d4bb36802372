"""A translation on the workers of a cluster, by dask.distributed."""
