"""Fetching pictures from addresses that strangers gave us.

`addresses` says where we may connect to, `transport` sees to it at the moment of connecting, `pages` finds the picture
that a web page is about, `client` is what flows use.
"""
