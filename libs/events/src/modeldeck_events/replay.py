"""The dead letters by hand: `python -m modeldeck_events.replay` lists them, with numbers after it replays those.

A fact is handled again by the policy that could not, in its own service; it stays where it is in the log. A permit or
a reading is published again. MODELDECK_NATS_URL names the server, with a user that may publish `cmd.>`, or those
subjects.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

import nats.errors

from modeldeck_events import bus, dead_letters, topology
from modeldeck_events.bus import Bus
from modeldeck_events.dead_letters import Letter
from modeldeck_events.errors import EventsError, PoisonError, UnavailableError
from modeldeck_events.system import ReplayLetter

URL = "MODELDECK_NATS_URL"
TIMEOUT_S = 10.0


async def letters(on: Bus) -> list[tuple[int, Letter]]:
    """Return every letter with its number, the oldest first. Raises UnavailableError."""
    try:
        state = (await on.js.stream_info(topology.DEAD_LETTERS)).state
    except (nats.errors.Error, OSError) as error:
        raise UnavailableError(f"DEAD_LETTERS did not answer: {error}") from error
    found = []
    for seq in range(state.first_seq, state.last_seq + 1 if state.messages else 0):
        try:
            found.append((seq, await dead_letters.read(on.js, seq)))
        except PoisonError:
            continue  # dropped for newer ones meanwhile
    return found


async def replay(on: Bus, dead_seq: int) -> None:
    """Have a letter handled once more. Raises PoisonError with the reason when that fails again, UnavailableError."""
    letter = await dead_letters.read(on.js, dead_seq)
    if letter.stream == topology.EVENTS:
        service = letter.durable.partition("-")[0]
        command = ReplayLetter(durable=letter.durable, dead_seq=dead_seq)
        reply = await on.request(command, timeout_s=TIMEOUT_S, service=service)
        if not reply.ok:
            raise PoisonError(reply.message)
        return
    try:
        await on.js.publish(letter.subject, letter.data, headers=dict(letter.headers), timeout=TIMEOUT_S)
    except (nats.errors.Error, OSError) as error:
        raise UnavailableError(f"{letter.subject} could not be published: {error}") from error


async def run(url: str, numbers: list[int]) -> int:
    """List, or replay these; return the exit status."""
    on = await bus.connect(url, "replay")
    status = 0
    try:
        for seq, letter in [] if numbers else await letters(on):
            sys.stdout.write(f"{seq} {letter.durable} {letter.subject} {letter.stream}:{letter.seq} {letter.reason}\n")
        for number in numbers:
            try:
                await replay(on, number)
                sys.stdout.write(f"{number} handled\n")
            except EventsError as error:
                sys.stderr.write(f"{number} {error}\n")
                status = 1
    finally:
        await on.close()
    return status


def main(arguments: list[str]) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m modeldeck_events.replay", description="List or replay dead letters."
    )
    parser.add_argument("number", type=int, nargs="*", help="a letter's number, as listed")
    url = os.environ.get(URL)
    if not url:
        parser.error(f"set {URL}, for example nats://user:password@127.0.0.1:4222")
    return asyncio.run(run(url, parser.parse_args(arguments).number))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
