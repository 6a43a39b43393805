"""AWS Lambda as it is now: functions, versions, aliases and layers; only this room knows boto3."""
