"""What is true of two nodes that send each other datagrams is true over connections: the same tests, once more.

Left out, by name and with the reason, is what only datagrams have.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import CellType, FunctionType
from typing import Any

from rhotwist.testing.cases import SeededTestCase
from tests.node import (
    test_abuse,
    test_churn,
    test_core,
    test_hostile_net,
    test_nonces,
    test_object_attacks,
    test_objects,
    test_on_path,
    test_sessions,
    test_takeover,
)

#: Not run over streams, and why.
LEFT_OUT = {
    "test_an_object_that_takes_more_packets_is_offered_anew_and_goes_on": "counts packets under an object's own key",
    "test_same_seed_same_trace_under_another_hash_seed": "makes networks of its own; test_streams.py has it",
    "test_a_handler_that_wants_to_know_hears_of_what_is_coming": "counts on progress by packets; a record has pieces",
    "test_a_peer_that_gives_everything_up_ends_each_once": "a record that has begun goes out whole, and may arrive",
    "test_a_slow_line_is_given_the_time_it_takes": "4 kB/s: a piece of a record takes longer than those 10 s",
    "test_an_object_gets_through_the_narrowest_way_or_fails_in_time": "packet sizes are TCP's business there",
    "test_nacks_of_everything_draw_no_more_than_three_times_the_object": "speaks of packets",
    "test_whoever_acknowledges_what_was_never_sent_gets_nothing_more": "speaks of packets; test_recording.py has it",
    "test_progress_counts_what_has_arrived_and_ends_at_all": "counts on progress by packets; a record has pieces",
    "test_objects_begun_together_take_turns_and_the_oldest_has_two": "records go one after the other",
    "test_small_packets_overtake": "a record under way is not interrupted: docs/spec/stream.md",
    "test_a_client_that_forges_its_own_finish_gets_a_quarter_of_a_core_and_no_more": "sends 5,000 forged datagrams",
    "test_no_flip_is_accepted": "hands single datagrams to the node; test_streams.py flips the bits of frames",
    "test_a_copied_packet_from_a_strangers_address_moves_nothing_and_earns_less_than_it_costs": "forges an address",
    "test_a_ping_says_the_suite_the_round_trip_and_who_was_proven": "says our address; a connection has none",
    "test_a_saved_token_spares_the_next_connect_a_retry_and_is_used_once_also_after_a_crash": "connections give none",
    "test_a_token_is_gone_from_the_store_when_its_hello_goes_out": "connections give none",
    "test_keep_alive_starts_at_25_seconds_and_doubles_to_110": "is every 15 s there; test_streams.py has it",
}


class Fewer(SeededTestCase):
    """A third of the seeds: the rules are the same, and were tried with all of them."""

    def seeds(self, default: int, full_count: int) -> Iterator[int]:
        return super().seeds(-(-default // 3), full_count)


def _over_streams(module: Any) -> dict[str, type[SeededTestCase]]:
    found: dict[str, type[SeededTestCase]] = {}
    for name, case in vars(module).items():
        if isinstance(case, type) and issubclass(case, SeededTestCase) and case.__module__ == module.__name__:
            found[f"{name}OverStreams"] = _copied(case, f"{name}OverStreams")
    return found


def _copied(case: type[SeededTestCase], name: str) -> type[SeededTestCase]:
    """A case like another, without the tests that are left out. Not a subclass of it: trial finds the tests of every
    base, whatever stands in their place.
    """
    own = CellType()  # what super() without arguments looks at
    body = {key: value for key, value in vars(case).items() if key not in {*LEFT_OUT, "__dict__", "__weakref__"}}
    for key, value in body.items():
        if isinstance(value, FunctionType) and "__class__" in value.__code__.co_freevars:
            closure = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
            cells = tuple(own if free == "__class__" else cell for free, cell in closure)
            body[key] = FunctionType(value.__code__, value.__globals__, key, value.__defaults__, cells)
            body[key].__kwdefaults__ = value.__kwdefaults__
    body |= {"streams": True, "__module__": __name__, "__qualname__": name, "__doc__": f"{case.__doc__} Over streams."}
    made = type(name, (Fewer, *(base for base in case.__bases__ if base is not SeededTestCase)), body)
    own.cell_contents = made
    return made


for _module in (
    test_abuse, test_churn, test_core, test_hostile_net, test_nonces, test_object_attacks, test_objects, test_on_path,
    test_sessions, test_takeover,
):  # fmt: skip
    globals().update(_over_streams(_module))
