"""The operator: one `CakeBakery` resource in, a running bakery out.

`bakery` is the resource as types and `crd` its definition made from them; `build/` says which objects a bakery needs,
purely; `conditions` says how it stands, purely; `cluster` is the only door to the API server; `reconcile` goes from
observing to reporting; `main` is the table of contents of what wakes it, `process` what keeps it alive.
"""
