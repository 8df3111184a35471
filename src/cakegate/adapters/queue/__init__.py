"""Work by id: Dramatiq on Redis, with a doorbell, and without what loses or doubles work.

Redis may lose everything at any moment: each message names a row in Postgres, claims decide who works on it, and the
sweeper brings back what Redis forgot. So nothing of Dramatiq that delays or retries is used (its delayed messages
double or strand over a restart of Redis), and a message whose actor raised is simply done.

The doorbell: stock Dramatiq sleeps between two empty fetches, 250 ms at the median. Here an enqueue also pushes onto
a short list, and a consumer whose fetch came back empty blocks on that list. One whose process is full waits for one
of its own messages to be done, never on the bell: it would take a ring that was meant for another.

What Redis believes this process to hold is compared with what it does hold at every start of a consumer and now and
then: a fetch whose answer timed out took messages that nobody works on (dramatiq#894).

`sending` is the side of gateways and the scheduler, `working` that of workers; both use `broker`'s Redis side, and
`slots` counts what a process holds.
"""

from cakegate.adapters.queue.broker import Broker
from cakegate.adapters.queue.sending import ACTORS, Depth, Message, Queue
from cakegate.adapters.queue.working import start_worker, stop_worker, worker_broker

__all__ = ["ACTORS", "Broker", "Depth", "Message", "Queue", "start_worker", "stop_worker", "worker_broker"]
