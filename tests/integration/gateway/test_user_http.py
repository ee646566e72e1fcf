"""A user's board and settings: kept in the log, merged, reset, refused when they make no sense."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.gateway.conftest import Product

PLACE: dict[str, Any] = {"widget": "queue", "x": 0, "y": 0, "w": 2, "h": 1}


async def test_the_default_board_is_the_seeds_four_and_the_others_below(product: Product) -> None:
    board = (await product.http.get("/api/v1/user/dashboard")).json()
    assert board["is_default"] is True
    assert board["layout_json"][:4] == [
        {"widget": "active-tasks", "x": 0, "y": 0, "w": 2, "h": 2},
        {"widget": "project-progress", "x": 2, "y": 0, "w": 2, "h": 2},
        {"widget": "disk-health", "x": 0, "y": 2, "w": 1, "h": 2},
        {"widget": "activity-feed", "x": 1, "y": 2, "w": 3, "h": 2},
    ]
    cells = [
        (x, y)
        for place in board["layout"]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells), "no two widgets overlap"


async def test_an_arranged_board_is_kept_and_can_be_reset(product: Product) -> None:
    body = {"layout": [PLACE], "widget_settings": {"queue": {"limit": 5}}}
    assert (await product.http.put("/api/v1/user/dashboard", json=body)).status_code == 200
    board = (await product.http.get("/api/user/dashboard")).json()
    assert (board["layout"], board["widget_settings_json"]) == ([PLACE], {"queue": {"limit": 5}})
    assert board["is_default"] is False
    again = {"layout_json": [PLACE | {"x": 2}]}
    assert (await product.http.put("/api/v1/user/dashboard", json=again)).json()["layout"] == [PLACE | {"x": 2}]
    assert (await product.http.delete("/api/v1/user/dashboard")).json()["is_default"] is True


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"layout": [PLACE, PLACE]},
        {"layout": [PLACE | {"x": 3}]},
        {"layout": [PLACE | {"w": 0}]},
        {"layout": [PLACE | {"y": -1}]},
        {"layout": [PLACE | {"widget": "../x"}]},
        {"layout": "all"},
    ],
)
async def test_a_board_that_makes_no_sense_is_refused(product: Product, body: dict[str, Any]) -> None:
    answer = await product.http.put("/api/v1/user/dashboard", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_settings_are_merged_and_a_null_brings_the_default_back(product: Product) -> None:
    assert (await product.http.get("/api/v1/user/settings")).json() == {"show_featured_models": True}
    changed = await product.http.put("/api/v1/user/settings", json={"show_featured_models": False, "theme": "dark"})
    assert changed.json() == {"show_featured_models": False, "theme": "dark"}
    await product.http.put("/api/v1/user/settings", json={"show_featured_models": None})
    assert (await product.http.get("/api/v1/user/settings")).json() == {"show_featured_models": True, "theme": "dark"}
    assert (await product.http.put("/api/v1/user/settings", json={"x": "y" * 70_000})).status_code == 413
