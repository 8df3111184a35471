"""Fetching pictures from addresses that strangers gave us.

`hosts` says which URLs are plain, `addresses` where we may connect to, `transport` sees to it at the moment of
connecting, `sockets` are the connections, `exchange` a request and its answer, `metering` counts what comes over the
wire and `expanding` what was compressed, `pages` finds the picture that a web page is about, `client` is what flows
use.
"""
