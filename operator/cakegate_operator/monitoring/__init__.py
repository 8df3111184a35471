"""What is said about a bakery's metrics: when a person is told, and what a person sees. Data, and pure functions of it.

`promql` makes expressions. `rules` has the types of alerts and recorded series and turns them into what Prometheus
reads; `objectives` says what clients are promised and when that is in danger; `work`, `upstreams` and `processes` are
the alerts on causes. `panels` has the types of dashboards; `overview`, `pipeline` and `detector` are a bakery's.
`own_rules` and `own_dashboard` are the operator's own; `files` writes those for the chart. Each alert has its page in
docs/runbooks/.

Expressions say `SCOPE` where the labels of one bakery go: `cakegate_ready{SCOPE, component="gateway"}`. Rules put its
name there, dashboards the variables that a person picks.
"""
