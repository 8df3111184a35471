"""Reading a list whose pages shift while others write, against a model of such a list."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cakegate.domain import errors
from cakegate.scheduler import scanning


class Shifting:
    """A list of items that others change between any two pages; `cap` is the largest page it really gives."""

    def __init__(self, size, *, cap, newest_first=False, seed=0, changes=0, lapses=0.0):
        self.newest_first = newest_first
        self.lapses = lapses
        self.cap = cap
        self.asked = 0
        self._chance = random.Random(seed)
        self._changes = changes
        self._next = 0
        self.items = []
        for _ in range(size):
            self._add()
        self.lasting = {item["id"] for item in self.items}

    def _add(self):
        self._next += 1
        self.items.insert(0 if self.newest_first else len(self.items), {"id": self._next, "name": "Lemon"})

    async def page(self, skip, limit):
        self.asked += 1
        if self._chance.random() < self.lapses:
            skip, limit = 0, min(3, limit)  # somebody in between lost the query
        found = [dict(item) for item in self.items[skip : skip + min(limit, self.cap)]]
        for _ in range(self._chance.randint(0, self._changes)):
            self._change()
        return found

    def _change(self):
        kind = self._chance.choice(["add", "delete", "delete", "change"])
        if kind == "add":
            self._add()
        elif self.items:
            place = self._chance.randrange(len(self.items))
            if kind == "change":
                self.items[place] = {**self.items[place], "name": f"Lemon {self.asked}"}
            else:
                self.lasting.discard(self.items.pop(place)["id"])


def run(coroutine):
    """Run what never waits for anything real."""
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    return ended.value.value


async def ids(pages, limit):
    return [item["id"] async for item in scanning.scan(pages, limit=limit)]


@given(
    size=st.integers(0, 60),
    limit=st.integers(2, 12),
    cap=st.integers(2, 12),
    newest_first=st.booleans(),
    seed=st.integers(0, 2**32),
    changes=st.integers(0, 5),
    lapses=st.sampled_from([0.0, 0.05]),
)
def test_a_complete_scan_has_read_whatever_was_there_all_the_while(
    size, limit, cap, newest_first, seed, changes, lapses
):
    shifting = Shifting(size, cap=cap, newest_first=newest_first, seed=seed, changes=changes, lapses=lapses)

    try:
        read = set(run(ids(shifting.page, limit)))
    except errors.UpstreamBroken:
        return  # it said that it is not complete

    assert shifting.lasting <= read


@given(size=st.integers(0, 300), limit=st.integers(2, 40), cap=st.integers(2, 40))
def test_a_list_at_rest_is_read_once_in_order_with_few_requests(size, limit, cap):
    shifting = Shifting(size, cap=cap)

    assert list(range(1, size + 1)) == run(ids(shifting.page, limit))
    # Half a page overlaps at the very most.
    assert shifting.asked <= 3 + size / (min(limit, cap) / 2)


def test_a_hundred_thousand_cakes_take_a_tenth_more_pages_than_without_overlaps():
    shifting = Shifting(100_000, cap=100)

    assert 100_000 == len(run(ids(shifting.page, 100)))
    assert shifting.asked < 1_000 * 1.12


def test_a_page_passed_over_by_deletions_is_gone_back_for():
    shifting = Shifting(40, cap=10)

    async def pages(skip, limit):
        found = await shifting.page(skip, limit)
        if shifting.asked == 2:
            del shifting.items[:9]  # all of these were read: the next page would begin nine further on
        return found

    assert list(range(1, 41)) == run(ids(pages, 10))


@pytest.mark.parametrize("place", range(2, 7))
def test_a_page_that_is_not_the_one_asked_for_is_not_the_end(place):
    shifting = Shifting(45, cap=10)

    async def pages(skip, limit):
        found = await shifting.page(skip, limit)
        return shifting.items[:3] if shifting.asked == place else found

    assert list(range(1, 46)) == run(ids(pages, 10))


def test_an_api_that_gives_its_first_page_for_all_is_not_read_to_its_end():
    shifting = Shifting(45, cap=10)

    async def pages(skip, limit):
        return await shifting.page(skip, limit) if shifting.asked == 0 else shifting.items[:9]

    with pytest.raises(errors.UpstreamBroken):
        run(ids(pages, 10))


def test_the_end_is_found_though_the_last_item_goes_meanwhile():
    shifting = Shifting(25, cap=10)

    async def pages(skip, limit):
        if shifting.asked == 3:
            shifting.items.pop()
        return await shifting.page(skip, limit)

    assert list(range(1, 26)) == run(ids(pages, 10))


def test_an_api_without_pages_gives_its_whole_list():
    shifting = Shifting(45, cap=100)

    async def pages(skip, limit):
        return await shifting.page(0, 100)

    assert list(range(1, 46)) == run(ids(pages, 10))
    assert 3 == shifting.asked


def test_a_list_without_an_order_is_not_read_for_ever():
    shifting = Shifting(45, cap=10)
    chance = random.Random(1)

    async def pages(skip, limit):
        return chance.sample(shifting.items, 10)

    with pytest.raises(errors.UpstreamBroken):
        run(ids(pages, 10))


@pytest.mark.parametrize(
    ("pages", "complaint"),
    [
        (lambda _: [{"id": 1}, {"id": 2}], "same page"),
        (lambda skip: [{"id": (skip, each)} for each in range(10)] if skip else [{"id": 0}, {"id": 1}], "faster"),
    ],
    ids=["skip means nothing to it", "every page is another"],
)
def test_pages_that_do_not_fit_together_prove_nothing(pages, complaint):
    asked = []

    async def page(skip, limit):
        asked.append(skip)
        return pages(skip + len(asked) if skip else 0)

    with pytest.raises(errors.UpstreamBroken, match=complaint):
        run(ids(page, 10))
