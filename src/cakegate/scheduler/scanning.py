"""Read the whole list of the legacy API, so that a cake that was there all the while is not missed.

Pages by `skip` and `limit` shift while others write: a cake deleted before our place moves every later one forward, and
the first of the next page is passed over. So each page overlaps the one before. A page that shares an item with what
was read leaves no gap behind it, as long as the list keeps its items in one order; where it shares none, we step back
until it does. Then whatever was in the list from the first page to the last was read.

The end is where an overlapping page is shorter than pages are, whatever limit the API really keeps, and holds nothing
new. A page that is not the one asked for looks like that too (a redirect that lost the query, a proxy's first page for
all), so another page, asked for a little before it, must hold more and end with the same item.
"""

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final

import msgspec

from cakegate.domain import errors

Item = dict[str, Any]
Pages = Callable[[int, int], Awaitable[list[Item]]]
"""Of (skip, limit), the items there."""

#: The share of a page that is read again with the next: so many deletions between two pages cost no step back.
_OVERLAP_SHARE: Final = 0.1
#: How far back an overlap is looked for, in pages; further back the scan starts over from the first.
_REMEMBERED_PAGES: Final = 50
#: Where no list has an item.
_FAR: Final = 10**9
#: Pages that did not fit. A list that changes faster than this is not worth chasing now.
_MOST_STRAYS: Final = 100


async def scan(pages: Pages, *, limit: int) -> AsyncGenerator[Item, None]:
    """All items, each once unless it changed on the way. The scan is complete when this ends without an error.

    `limit` is the largest page to ask for; below 2 no page could overlap another.

    Raises:
        UpstreamError: a page could not be had, or the pages do not fit together.
    """
    limit = max(limit, 2)
    read: deque[list[int]] = deque(maxlen=_REMEMBERED_PAGES)
    skip, last, step_back, strayed, longest, given = 0, 0, limit, 0, 0, 0
    while True:
        items = await pages(skip, limit)
        prints = _prints(items)
        known = {each for page in read for each in page}
        fresh = [item for item, each in zip(items, prints, strict=True) if each not in known]
        ends = not fresh and len(items) < longest
        if (skip and len(fresh) == len(items)) or (ends and not await _is_end(pages, skip, limit, prints, longest)):
            strayed += 1
            if strayed > _MOST_STRAYS:
                raise errors.UpstreamBroken("Its list changes faster than it can be read.")
            if not ends or not items:
                skip, step_back = max(0, skip - step_back), step_back * 2
            continue
        if read and prints == read[-1] and skip > last:
            if len(items) > limit and prints == _prints(await pages(_FAR, limit)):
                return  # it knows no pages, and gave its whole list each time
            raise errors.UpstreamBroken("Its list gives the same page again and again.")
        for item in fresh:
            yield item
        given += len(fresh)
        if skip > 2 * given + _MOST_STRAYS * limit:
            raise errors.UpstreamBroken("Its list has no end, or its pages no order.")
        longest = max(longest, min(len(items), limit))
        if ends or len(items) <= 1:
            return
        read.append(prints)
        last, step_back = skip, limit
        skip += len(items) - min(max(1, int(limit * _OVERLAP_SHARE)), len(items) // 2)


async def _is_end(pages: Pages, skip: int, limit: int, prints: list[int], longest: int) -> bool:
    """Whether the page at `skip` ends the list, as one beside it tells; writes before both do not matter much."""
    aside = max(1, (longest - len(prints)) // 2)
    if not skip:
        return _prints(await pages(aside, limit)) == prints[aside:]
    beside = _prints(await pages(max(0, skip - aside), limit))
    return len(beside) > len(prints) and beside[-1] == prints[-1]


def _prints(items: list[Item]) -> list[int]:
    return [hash(msgspec.json.encode(item)) for item in items]
