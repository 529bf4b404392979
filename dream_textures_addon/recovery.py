# SPDX-License-Identifier: GPL-3.0-or-later
"""What the last Blender left unfinished or unplaced: found on disk, offered, and taken up when the artist says so.

The disk is read on the keeper's thread; `advance` takes what came of that, at each turn of the timer.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterable
from concurrent.futures import Future
from functools import partial

import bpy

from . import dispatch, plans, preview
from .delivery import Delivery, Destination
from .jobs import JobState
from .launch import LaunchError
from .offers import Offer
from .runtime_state import runtime
from .spool_entry import EntryError
from .wire import protocol

PICTURES = 6
"""For how many offers a picture is read."""

OTHER_FILE = -1
"""The number of a document that is not open, and will not be."""


def look() -> None:
    """Begin to look for what dead Blenders left. Returns at once."""
    state = runtime()
    if state.looking is None:
        state.looking = state.keeper.look()


def advance() -> bool:
    """Take what was read from disk meanwhile; whether anything is still being read."""
    state = runtime()
    if state.looking is not None and state.looking.done():
        left = state.looking.result()
        state.looking = None
        state.set_aside += left.broken
        state.offers += [Offer(entry, left.arrived[entry.id]) for entry in left.entries]
    for offer in list(state.offers):
        if offer.reading is not None and offer.reading.done():
            _take_up(offer)
    _advance_pictures()
    return state.looking is not None or any(
        offer.reading is not None or _is_open(offer.picture) for offer in state.offers
    )


def finish(seconds: float = 120.0) -> None:
    """For where no timer runs: see to the end what is being read from disk. Blocks, for so many seconds at most."""
    until = time.monotonic() + seconds
    while advance() and time.monotonic() < until:
        time.sleep(0.01)


def resume(offers: Iterable[Offer]) -> None:
    """Have these made after all, in their order, for the place that they were meant for if that is here."""
    for offer in offers:
        if not offer.busy:
            offer.problem = ""
            offer.reading = runtime().keeper.source(offer.entry)
            offer.then = partial(_send, offer)


def destination_of(offer: Offer) -> tuple[Destination, bool]:
    """Where an offer was to go, and whether that is in the open file. Raises `EntryError`."""
    return plans.from_plain(offer.entry.plan, bpy.data.filepath == offer.entry.blend)


def place(offer: Offer, destination: Destination) -> None:
    """Read what was made and have it delivered into the open file."""
    if not offer.busy:
        offer.problem = ""
        offer.reading = runtime().keeper.results(offer.entry)
        offer.then = partial(_deliver, offer, destination)


def discard(offers: Iterable[Offer]) -> None:
    """Delete what these hold."""
    state = runtime()
    for offer in list(offers):
        _remove(offer)
        state.keeper.drop(offer.id)


def _take_up(offer: Offer) -> None:
    reading, then = offer.reading, offer.then
    offer.reading = offer.then = None
    assert reading is not None
    assert then is not None
    try:
        then(reading.result())
    except (EntryError, protocol.RequestError) as error:
        offer.problem = str(error)
    except OSError as error:
        offer.problem = f"What was kept on disk cannot be read: {error.strerror or error}."
    except LaunchError as error:
        offer.problem = f"{error} {error.advice}".strip()
    except Exception as error:
        # The last line of defence, as on delivery: an exception would end the timer.
        offer.problem = f"This cannot be taken up ({error})."
        traceback.print_exc()


def _send(offer: Offer, source: protocol.Array | None) -> None:
    destination, here = destination_of(offer)
    dispatch.send(
        offer.entry.request,
        source,
        destination,
        document=None if here else OTHER_FILE,
        kept=offer.entry.anew(),
    )
    _remove(offer)


def _deliver(offer: Offer, destination: Destination, results: list[protocol.Result]) -> None:
    state, request = runtime(), offer.entry.request
    delivery = Delivery(destination, state.document)
    for result in results:
        delivery.take(result, offer.entry.version, state.worker)
    delivery.drop_incomplete(len(request.maps))
    if not delivery.indices:
        offer.arrived = set()
        raise EntryError("The pictures that were kept on disk are damaged; they can be made again.")
    _remove(offer)
    job = state.board.add(offer.id, request, delivery)
    for result in results:
        if result.index in delivery.indices:
            job.apply(result)
            if result.map == "basecolor":
                preview.show(preview.key_of(job.id, result.index), result.image)
    job.state, job.progress, job.what = JobState.DONE, 1.0, "Done"


def _advance_pictures() -> None:
    """One at a time, for a picture may be large."""
    state = runtime()
    shown = [offer for offer in state.offers if offer.whole][:PICTURES]
    for offer in shown:
        if offer.picture is None:
            offer.picture = state.keeper.picture(offer.entry, offer.whole[0])
        if not offer.picture.done():
            return
        key = preview.key_of(offer.id, offer.whole[0])
        picture = offer.picture.result() if offer.picture.exception() is None else None
        if picture is not None and not preview.icon(key):
            preview.show(key, picture)
            offer.picture = Future()  # it is shown now: let go of the pixels
            offer.picture.set_result(None)


def _is_open(future: Future[object] | None) -> bool:
    return future is not None and not future.done()


def _remove(offer: Offer) -> None:
    state = runtime()
    if offer in state.offers:
        state.offers.remove(offer)
    preview.forget(*(preview.key_of(offer.id, index) for index in offer.whole))
