"""What is generated stays what the code says: `make api` writes it anew."""

from pathlib import Path

from gateway import api_documents

COMMITTED = Path(__file__).resolve().parents[3] / "docs" / "api" / "openapi.json"


def test_the_committed_document_is_the_one_that_the_routes_make(tmp_path: Path) -> None:
    assert api_documents.write(tmp_path).read_text() == COMMITTED.read_text(), "run `make api` and commit docs/api"
