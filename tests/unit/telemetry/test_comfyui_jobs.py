"""What ComfyUI says about its jobs, read without trusting it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modeldeck_events import registry
from modeldeck_events.generations import (
    GenerationCompleted,
    GenerationFailed,
    GenerationInterrupted,
    ModelUse,
    Output,
    subject,
)
from telemetry.comfyui_jobs import Job, read_job, read_outcome, read_queue
from telemetry.comfyui_progress import Progress
from telemetry.loaders import models_of

from tests.support.comfyui import PROMPT

SOURCE = "box:8188"
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
START_MS = 1_767_323_045_000


def item(job_id: Any = "one", prompt: Any = PROMPT, extra: Any = None) -> list[Any]:
    return [3, job_id, prompt, extra or {}, ["9"]]


def entry(*messages: tuple[str, Any], outputs: Any = None, status_str: str = "success", **more: Any) -> dict[str, Any]:
    status = {"status_str": status_str, "completed": status_str == "success", "messages": [list(m) for m in messages]}
    return {"prompt": item(**more), "outputs": outputs or {}, "status": status}


def at(seconds: float, **more: Any) -> dict[str, Any]:
    return {"prompt_id": "one", "timestamp": START_MS + seconds * 1000, **more}


class TestModels:
    def test_come_from_the_inputs_of_loaders(self) -> None:
        assert models_of(PROMPT) == (
            ModelUse(directory="checkpoints", filename="sdxl/base.safetensors"),
            ModelUse(directory="loras", filename="detail.safetensors"),
        )

    @pytest.mark.parametrize(
        ("class_type", "inputs", "expected"),
        [
            ("CLIPLoader", {"clip_name": "t5.safetensors"}, [("text_encoders", "t5.safetensors")]),
            ("CLIPVisionLoader", {"clip_name": "h.safetensors"}, [("clip_vision", "h.safetensors")]),
            ("UpscaleModelLoader", {"model_name": "x4.pth"}, [("upscale_models", "x4.pth")]),
            (
                "UNETLoader",
                {"unet_name": "wan/a.safetensors", "weight_dtype": "default"},
                [("diffusion_models", "wan/a.safetensors")],
            ),
            ("VAELoader", {"vae_name": "pixel_space"}, []),
            ("VAELoader", {"vae_name": "taehv.safetensors"}, [("vae_approx", "taehv.safetensors")]),
            ("SomebodysLoader", {"model": "big.gguf"}, [("", "big.gguf")]),
            ("LoadLoraModel", {"loras.0.lora_name": "a.safetensors"}, [("loras", "a.safetensors")]),
            (
                "Rows",
                {"lora_1": {"on": True, "lora": "a.sft"}, "lora_2": {"on": False, "lora": "b.sft"}},
                [("loras", "a.sft")],
            ),
            ("CLIPTextEncode", {"text": "no file\n.safetensors"}, []),
            ("Loader", {"ckpt_name": "\ud800.safetensors"}, []),
            ("Loader", {"ckpt_name": ["4", 0]}, []),
        ],
    )
    def test_have_the_folder_of_their_loader(
        self, class_type: str, inputs: dict[str, Any], expected: list[tuple[str, str]]
    ) -> None:
        found = models_of({"1": {"class_type": class_type, "inputs": inputs}})
        assert [(model.directory, model.filename) for model in found] == expected

    def test_are_bounded_and_each_is_named_once(self) -> None:
        nodes = {str(n): {"class_type": "L", "inputs": {"lora_name": f"{n % 100}.pt"}} for n in range(500)}
        assert len(models_of(nodes)) == 64


class TestOutcomes:
    def test_success(self) -> None:
        images = [
            {"filename": "t.png", "subfolder": "", "type": "temp"},
            {"filename": "a.png", "subfolder": "s", "type": "output"},
        ]
        seen = read_outcome(
            SOURCE,
            "one",
            entry(
                ("execution_start", at(0)),
                ("execution_success", at(12.5)),
                outputs={"9": {"images": images, "animated": [False], "text": ["words"]}},
                extra={"extra_pnginfo": {"workflow": {"name": " Portrait "}}, "api_key_comfy_org": "secret"},
            ),
        )
        assert seen == GenerationCompleted(
            source=SOURCE,
            generation_id="one",
            workflow="Portrait",
            models=models_of(PROMPT),
            started_at=AT,
            finished_at=datetime(2026, 1, 2, 3, 4, 17, 500000, tzinfo=UTC),
            duration_s=12.5,
            outputs=(
                Output(filename="a.png", subfolder="s", kind="images"),
                Output(filename="t.png", kind="images", folder="temp"),
            ),
            output_count=2,
        )
        assert b"secret" not in registry.encode(seen)

    def test_failure_and_interruption(self) -> None:
        error = at(2, exception_message=" CUDA out of memory ", node_type="KSampler", traceback=["File x.py, line 1"])
        failed = read_outcome(SOURCE, "one", entry(("execution_error", error), status_str="error"))
        assert isinstance(failed, GenerationFailed)
        assert (failed.error, failed.node_type, failed.duration_s) == ("CUDA out of memory", "KSampler", None)
        stopped = read_outcome(SOURCE, "one", entry(("execution_interrupted", at(2)), status_str="error"))
        assert isinstance(stopped, GenerationInterrupted)

    def test_an_old_entry_without_a_status_completed(self) -> None:
        assert isinstance(read_outcome(SOURCE, "one", {"prompt": item(), "outputs": {}}), GenerationCompleted)

    @pytest.mark.parametrize("entry", [None, [], "x", 5])
    def test_what_is_no_entry_is_none(self, entry: object) -> None:
        assert read_outcome(SOURCE, "one", entry) is None

    @pytest.mark.parametrize("stamp", [None, "x", 1e300, -1e300, True, 10**400])
    def test_an_odd_time_is_not_known(self, stamp: object) -> None:
        seen = read_outcome(
            SOURCE, "one", entry(("execution_start", {"timestamp": stamp}), ("execution_success", at(1)))
        )
        assert seen is not None
        assert seen.duration_s is None or seen.duration_s > 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["prompt", "outputs", "status", "messages", "inputs", "class_type", "9", "images", "filename"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON, JSON, JSON)
def test_nothing_that_comes_breaks_the_reading_and_all_of_it_can_be_stored(prompt: Any, extra: Any, body: Any) -> None:
    read_queue(body)
    read_job(body)
    whole = {"prompt": item(prompt=prompt, extra=extra), "outputs": body, "status": body}
    for candidate in (body, whole):
        seen = read_outcome(SOURCE, "one", candidate)
        if seen is not None:
            assert registry.decode(seen.TYPE, registry.encode(seen)) == seen
    progress = Progress(SOURCE)
    progress.follow((Job("one", "", (), {"3": "K"}),))
    for kind in ("progress", "progress_state", "executing", "execution_cached"):
        progress.update(kind, {"prompt_id": "one", "nodes": body, "node": body, "value": body, "max": prompt})
        reading = progress.reading("one", AT)
        assert reading is not None
        json.loads(registry.encode(reading))


def test_a_queue_keeps_its_good_entries() -> None:
    queue = read_queue({"queue_running": [item("one"), [], item("\n")], "queue_pending": [item("two"), None, [1]]})
    assert queue is not None
    assert ([job.id for job in queue.running], sorted(queue.ids), queue.pending) == (["one"], ["one", "two"], 1)
    assert read_queue({"queue_running": {}}) is None


def test_an_id_fits_into_a_subject() -> None:
    job = read_job(item("ä" * 150))
    assert job is not None
    assert subject(SOURCE, job.id)
    assert read_job(item("ä" * 201)) is None


class TestProgress:
    def follow(self, *ids: str) -> Progress:
        progress = Progress(SOURCE)
        types = {node: values["class_type"] for node, values in PROMPT.items()}
        progress.follow(tuple(Job(job_id, "W", (), types) for job_id in ids))
        return progress

    def percents(self, progress: Progress, *messages: tuple[str, dict[str, Any]]) -> list[float | None]:
        found = []
        for kind, data in messages:
            job_id = progress.update(kind, data)
            reading = progress.reading(job_id or "", AT)
            found.append(reading.percent if reading else None)
        return found

    def test_counts_nodes_and_steps_and_never_falls(self) -> None:
        found = self.percents(
            self.follow("one"),
            ("execution_cached", {"prompt_id": "one", "nodes": ["4", "unknown"]}),
            ("executing", {"prompt_id": "one", "node": "5"}),
            ("executing", {"prompt_id": "one", "node": "3"}),
            ("progress", {"prompt_id": "one", "node": "3", "value": 10, "max": 20}),
            ("progress", {"prompt_id": "one", "node": "3", "value": 5, "max": 20}),
            ("executing", {"prompt_id": "one", "node": "9"}),
            ("executing", {"prompt_id": "one", "node": None}),
        )
        assert found == [25.0, 25.0, 50.0, 62.5, 62.5, 75.0, 100.0]

    def test_understands_the_states_of_all_nodes(self) -> None:
        nodes = {"4": {"state": "finished", "value": 1, "max": 1}, "3": {"state": "running", "value": 1, "max": 4}}
        assert self.percents(self.follow("one"), ("progress_state", {"prompt_id": "one", "nodes": nodes})) == [31.2]

    def test_a_message_without_an_id_is_about_the_only_job(self) -> None:
        message = ("executing", {"node": "3"})
        assert self.follow("one").update(*message) == "one"
        assert self.follow("one", "two").update(*message) is None

    def test_what_is_said_before_the_queue_was_read_counts(self) -> None:
        progress = Progress(SOURCE)
        assert progress.update("execution_cached", {"prompt_id": "one", "nodes": ["4", "x"]}) == "one"
        assert progress.update("progress", {"prompt_id": "one", "node": "3", "value": 1, "max": 2}) == "one"
        early = progress.reading("one", AT)
        assert early is not None
        assert (early.step, early.percent) == (1.0, None)
        assert progress.follow((Job("one", "W", (), dict.fromkeys("3459", "K")),)) == ["one"]
        known = progress.reading("one", AT)
        assert known is not None
        assert (known.workflow, known.percent, known.step) == ("W", 37.5, 1.0)

    def test_a_run_that_the_queue_never_had_is_forgotten(self) -> None:
        progress = self.follow("one")
        for n in range(20):
            progress.update("executing", {"prompt_id": f"unknown-{n}", "node": "3"})
        assert sum(progress.reading(f"unknown-{n}", AT) is not None for n in range(20)) == 8
        for _ in range(2):
            progress.follow(())
        assert all(progress.reading(job_id, AT) is None for job_id in ("one", "unknown-0"))
