"""Follow downloads to their end, drawn as bars on a terminal and told in plain lines elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Protocol, Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from gateway.cli.client import ApiError, Client
from gateway.cli.live import Lost, Message, follow, merge_patch
from gateway.cli.output import Output
from gateway.cli.render import file_words, progress_words
from gateway.cli.text import percent, size
from gateway.cli.waiting import Watched, apply_queue

_STEP_PERCENT = 10
_QUEUE_PAUSED = "the whole queue is paused; `modeldeck resume --all` lets it go on"


class Display(Protocol):
    """Shows how far the downloads are."""

    def show(self, one: Watched) -> None:
        """Show the present state of one download."""

    def say(self, text: str) -> None:
        """Say something about the connection, "" when it is well again."""


def watch(client: Client, out: Output, watched: list[Watched]) -> None:
    """Return when every download has ended; the outcome stands in each. Survives restarts of the gateway."""
    with _display(out) as display:
        for one in watched:
            display.show(one)
        if all(one.ended for one in watched):
            return
        state: object = None
        for message in follow(client, "queue"):
            if isinstance(message, Lost):
                if message.first:
                    display.say(f"waiting for the gateway: {message.reason}")
                continue
            state = _advance(state, message)
            if not isinstance(state, dict):
                continue
            display.say(_QUEUE_PAUSED if state.get("paused") else "")
            for one in apply_queue(watched, state):
                _look_up(client, one)
            for one in watched:
                display.show(one)
            if all(one.ended for one in watched):
                return


def _advance(state: object, message: Message) -> object:
    """Return the queue after a message; None until this connection has sent it."""
    if message.event == "hello":
        return state if message.data.get("resumed") else None
    if message.event == "reset":
        return None
    if message.event not in {"snapshot", "delta"} or message.data.get("topic") != "queue":
        return state
    data = message.data.get("data")
    if message.event == "snapshot":
        return data
    return None if state is None else merge_patch(state, data)


def _look_up(client: Client, one: Watched) -> None:
    """Ask about a download that the queue no longer mentions."""
    try:
        one.take(client.download(one.download_id or ""))
    except ApiError as error:
        if error.status != 404:
            if error.passing:
                return  # the next message of the stream, a ping at the latest, asks again
            raise
        one.status, one.error = "cancelled", "it was removed from the queue"


@contextlib.contextmanager
def _display(out: Output) -> Iterator[Display]:
    if out.as_json:
        yield _Silent()
    elif out.live:
        with _Bars(out) as bars:
            yield bars
    else:
        yield _Lines(out)


class _Silent:
    def show(self, one: Watched) -> None:
        pass

    def say(self, text: str) -> None:
        pass


class _Bars:
    """A bar per download: share, bytes, speed, time left, file x of n."""

    def __init__(self, out: Output) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[done]}", markup=False),
            TextColumn("{task.fields[words]}", markup=False),
            console=out.console,
            refresh_per_second=4,
        )
        self._tasks: dict[int, TaskID] = {}
        self._said = ""

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, one: Watched) -> None:
        if id(one) not in self._tasks:
            self._tasks[id(one)] = self._progress.add_task(one.label, total=100, done="", words="")
        progress = 100 if one.good else one.item.get("progress") or 0
        self._progress.update(
            self._tasks[id(one)], completed=progress, done="" if one.ended else percent(progress), words=_words(one)
        )

    def say(self, text: str) -> None:
        if text and text != self._said:
            self._progress.console.print(text)
        self._said = text


class _Lines:
    """A line when the state changes, when the next file begins, and at each tenth."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._shown: dict[int, tuple[object, ...]] = {}
        self._said = ""

    def show(self, one: Watched) -> None:
        progress = one.item.get("progress") or 0
        mark = (one.status, one.error, file_words(one.item), int(progress) // _STEP_PERCENT)
        if self._shown.get(id(one)) == mark:
            return
        self._shown[id(one)] = mark
        done = "" if one.ended or not progress else f" {percent(progress)}"
        words = _words(one).removeprefix(one.status).lstrip(":, ")
        self._out.line(f"{one.label}: {one.status}{done}{f' ({words})' if words else ''}")

    def say(self, text: str) -> None:
        if text and text != self._said:
            self._out.note(text)
        self._said = text


def _words(one: Watched) -> str:
    if one.ended or one.status in {"queued", "paused"}:
        return one.error or one.status
    if one.error:
        return f"{one.status}: {one.error}"
    done, total = one.item.get("downloaded_bytes"), one.item.get("total_bytes")
    speed, left = progress_words(one.item)
    parts = [
        "" if one.status == "downloading" else one.status,
        f"{size(done)} of {size(total)}" if done is not None else "",
        speed,
        f"{left} left" if left else "",
        file_words(one.item),
    ]
    return ", ".join(part for part in parts if part)
