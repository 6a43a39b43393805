"""Code that several functions share; lambdas.yaml puts it into their ZIPs with `include`.

Standard library only, so that a function which includes it gains no requirement.
"""
