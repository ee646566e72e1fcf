from __future__ import annotations

from pathlib import Path

from modeldeck_events import schemas

COMMITTED = Path(__file__).resolve().parents[3] / "docs" / "api" / "schemas"


def test_the_committed_schemas_are_those_of_the_code() -> None:
    expected = schemas.documents()
    found = {path.name: path.read_text(encoding="utf-8") for path in COMMITTED.glob("*.json")}
    assert found == expected, "run `python -m modeldeck_events.schemas docs/api/schemas` and commit"


def test_writing_removes_what_is_no_longer_there(tmp_path: Path) -> None:
    (tmp_path / "modeldeck.gone.done.v1.json").write_text("{}")
    assert schemas.main([str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == set(schemas.documents())


def test_asyncapi_references_lead_somewhere() -> None:
    document = schemas.asyncapi()
    named = document["components"]["messages"]
    used = {
        reference["$ref"].rpartition("/")[2]
        for channel in document["channels"].values()
        for reference in channel["messages"].values()
    }
    assert used <= named.keys()
    facts_and_readings = {name for name in named if name.startswith("modeldeck.")}
    assert facts_and_readings <= used, "every fact and reading has a channel"
