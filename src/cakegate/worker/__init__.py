"""Workers and the writer: `app` runs them, `wiring` opens what their queues need, one module a flow.

`judge`: fetch, decode, detect, decide, render. `create`: the accepted cake upstream, never faster than it can bear.
`render`: make renditions that are missing. `outcomes`: what each kind of trouble means for a submission.
"""
