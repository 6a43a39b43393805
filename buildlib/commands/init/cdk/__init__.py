"""Find functions in CDK apps, by the calls in their programs; nothing is run.

`python` and `typescript` translate a file into `program`, which is the same for both languages;
`evaluate` follows it with the values that are literal; `constructs` makes candidates of the calls.
"""
