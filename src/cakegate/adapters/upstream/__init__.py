"""The legacy Cake API: `client` talks to it, `sessions` connects and sends, `answers` says what an answer proves."""

from cakegate.adapters.upstream.client import Upstream as Upstream
from cakegate.adapters.upstream.sessions import clock as clock
