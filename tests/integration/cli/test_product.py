"""The command line as a person uses it, against the whole product with the demo's origin."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from gateway.cli import app
from typer.testing import CliRunner

from tests.support.product import Product, environment, running_product

LIMIT_S = 60


class CommandLine:
    """Runs `modeldeck` commands that find the product by its data folder's token."""

    def __init__(self, product: Product) -> None:
        self._own = {"MODELDECK_URL": product.url, "MODELDECK_DATA_DIR": str(product.data_dir)}

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "modeldeck_local", *arguments),
            env=environment(self._own),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def __call__(self, *arguments: str, code: int = 0) -> Any:
        """Run within this process with --json, check the exit code, and return the document."""
        done = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--json"], env=self._own)
        assert done.exit_code == code, done.output
        assert bool(done.stderr) == bool(code)
        return json.loads(done.stdout)

    @staticmethod
    async def outcome(process: asyncio.subprocess.Process, code: int) -> tuple[str, str]:
        out, err = await asyncio.wait_for(process.communicate(), LIMIT_S)
        assert process.returncode == code, err.decode()
        return out.decode(), err.decode()


async def test_every_command_in_every_state(tmp_path: Path) -> None:
    async with running_product(tmp_path / "data", arguments=("--demo", "--port", "0")) as product:
        deck = CommandLine(product)
        assert (await deck("status"))["ready"]
        ids = [preset["id"] for preset in (await deck("presets"))["presets"]]
        assert "SDXL_BASE" in ids
        plan = await deck("plan", "SDXL_BASE", "SD15_BASE")
        assert all(volume["fits"] for volume in plan["volumes"])
        shown = await deck("settings", "--max-concurrent", "1", "--bandwidth-limit", "1MB/s")
        assert shown == {"max_concurrent": 1, "bandwidth_limit_bps": 1_000_000, "paused": False}

        first, second, third = (await deck("install", "SDXL_BASE", "SD15_BASE", "LTX_VIDEO_2B"))["downloads"]
        assert {first["status"], second["status"], third["status"]} <= {"queued", "downloading"}
        assert (await deck("install", "SD15_BASE"))["downloads"] == [second]
        assert (await deck("resume", "SD15_BASE", code=1))["error"]["code"] == "nothing_to_resume"
        assert (await deck("retry", second["download_id"], code=1))["error"]["status"] == 409
        assert (await deck("move", "LTX_VIDEO_2B", "top"))["position"] == 1
        assert (await deck("move", "LTX_VIDEO_2B", "bottom"))["position"] == 2
        assert (await deck("pause", third["download_id"]))["status"] == "paused"
        assert (await deck("resume", third["download_id"]))["status"] == "resumed"
        assert (await deck("cancel", "LTX_VIDEO_2B", "--discard"))["status"] == "cancelled"
        assert (await deck("move", "LTX_VIDEO_2B", "top", code=1))["error"]["code"] == "not_waiting"
        assert (await deck("retry", "LTX_VIDEO_2B"))["status"] == "retrying"
        assert (await deck("cancel", third["download_id"]))["status"] == "cancelled"
        assert (await deck("pause", "--all"))["paused"]
        assert (await deck("queue"))["active"] == []
        assert not (await deck("resume", "--all"))["paused"]
        assert (await deck("pause", "missing", code=1))["error"]["status"] == 404
        assert (await deck("refresh"))["total_presets"] == len(ids)
        refused = await deck("install", "https://host.invalid/x", "--path", "../x", code=1)
        assert refused["error"]["status"] == 422
        await deck("settings", "--max-concurrent", "4")
        refused = await deck("install", "https://host.invalid/x", "--path", "vae/x", "--wait", code=1)
        assert "MODELDECK_ALLOWED_HOSTS" in refused["error"]["detail"]
        log = await deck("events", "--since", "0")
        assert [entry["seq"] for entry in log["events"]] == list(range(1, log["seq"] + 1))


async def test_waiting_and_following_outlive_killed_processes(tmp_path: Path) -> None:
    async with running_product(tmp_path / "data", arguments=("--demo", "--port", "0")) as product:
        deck = CommandLine(product)
        following = await deck.start("events", "--since", "0", "--follow", "--json")
        await deck("settings", "--bandwidth-limit", "5MB/s")
        waiting = await deck.start("install", "SD15_BASE", "--wait")
        assert waiting.stdout is not None
        while b"downloading" not in await asyncio.wait_for(waiting.stdout.readline(), LIMIT_S):
            pass
        await product.kill("gateway")
        await product.wait_ready()
        await product.kill("nats-server")
        await product.wait_ready()
        await deck("settings", "--bandwidth-limit", "none")
        out, _ = await deck.outcome(waiting, 0)
        assert out.splitlines()[-1] == "SD15_BASE: completed"

        last = (await deck("events", "--since", "0"))["seq"]
        assert following.stdout is not None
        seen: list[int] = []
        while not seen or seen[-1] < last:
            seen.append(json.loads(await asyncio.wait_for(following.stdout.readline(), LIMIT_S))["seq"])
        assert seen == list(range(1, last + 1))
        following.terminate()
        await following.communicate()


async def test_workflows_and_model_files_from_missing_to_restored(tmp_path: Path) -> None:
    path, template = "upscale_models/RealESRGAN_x4plus.safetensors", "workflows/upscale-x4.json"
    async with running_product(tmp_path / "data", arguments=("--demo", "--port", "0")) as product:
        deck = CommandLine(product)
        workflow = str(product.data_dir / template)
        ids = {"workflows/api/z-image-turbo.json", "workflows/portrait-sdxl.json", template}
        assert {one["id"] for one in (await deck("templates", "--missing"))["templates"]} == ids
        assert (await deck("scan", workflow, code=1))["missing_count"] == 1
        assert (await deck("lock", template, code=1))["error"]["code"] == "files_missing"
        plan = await deck("plan", "--template", template)
        assert [(file["path"], file["action"]) for file in plan["files"]] == [(path, "download")]
        done = await deck("install", "--template", template, "--wait")
        assert [one["status"] for one in done["downloads"]] == ["completed"]
        assert (await deck("scan", workflow))["compatible"]
        assert (await deck("scan", workflow, "--install"))["downloads"] == []

        lock_file = tmp_path / "lock.json"
        shown = await deck.outcome(await deck.start("lock", template, "-o", str(lock_file), "--wait"), 0)
        assert "1 file locked" in shown[0]
        (locked,) = json.loads(lock_file.read_text())["files"]
        (model,) = (await deck("models", "--folder", "upscale_models"))["models"]
        assert (model["path"], model["sha256"], model["size_bytes"]) == (path, locked["sha256"], locked["size_bytes"])
        assert {one["kind"] for one in model["needed_by"]} == {"preset", "template"}
        assert (await deck("models", "--storage"))["model_count"] == 1

        refused = await deck("rm", path, "--yes", code=1)
        assert [one["error"]["code"] for one in refused["failed"]] == ["needed"]
        assert [one["path"] for one in (await deck("rm", path, "--yes", "--force"))["deleted"]] == [path]
        assert [one["path"] for one in (await deck("models", "--deleted"))["deleted"]] == [path]
        assert (await deck("templates", "--missing"))["total"] == 3
        assert [one["status"] for one in (await deck("restore", path, "--wait"))["downloads"]] == ["completed"]
        assert (await deck("restore", path, code=1))["error"]["code"] == "present"
        same = await deck.outcome(await deck.start("install", "--lock", str(lock_file), "--wait", "--json"), 0)
        assert json.loads(same[0])["installed"]["status"] == "compatible"
        kept = (await deck("rm", "--preset", "REAL_ESRGAN_X4", "--yes"))["kept"]
        assert [one["path"] for one in kept] == [path]
