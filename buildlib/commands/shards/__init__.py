"""`lambdas shards` and `lambdas merge`: a build that is split over several jobs."""
