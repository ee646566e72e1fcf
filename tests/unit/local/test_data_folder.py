import stat
from pathlib import Path

import pytest
from modeldeck_local.data_folder import DataFolder, DataFolderError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_folder_and_its_token_are_private(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "deep" / "data")
    token = folder.token()
    assert mode(folder.path) == 0o700
    assert mode(folder.path / "token") == 0o600
    assert len(token) >= 22  # 128 bits in base64
    assert folder.token() == token


def test_an_open_folder_is_closed_to_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "token").write_text("known\n")
    (tmp_path / "token").chmod(0o644)
    folder = DataFolder(tmp_path)
    assert folder.token() == "known"
    assert (mode(tmp_path), mode(tmp_path / "token")) == (0o700, 0o600)


def test_a_token_file_left_empty_by_a_crash_is_filled(tmp_path: Path) -> None:
    (tmp_path / "token").touch()
    assert len(DataFolder(tmp_path).token()) >= 22


def test_two_data_folders_have_different_tokens(tmp_path: Path) -> None:
    assert DataFolder(tmp_path / "a").token() != DataFolder(tmp_path / "b").token()


def test_a_folder_in_use_is_refused_and_says_by_whom(tmp_path: Path) -> None:
    first = DataFolder(tmp_path)
    first.say_who("http://127.0.0.1:8420")
    with pytest.raises(DataFolderError, match=r"already runs on .*http://127\.0\.0\.1:8420"):
        DataFolder(tmp_path)
    first.unlock()
    DataFolder(tmp_path).unlock()


def test_demo_and_real_data_never_mix(tmp_path: Path) -> None:
    real = DataFolder(tmp_path / "real")
    real.folder("nats")
    real.unlock()
    with pytest.raises(DataFolderError, match="holds real data"):
        DataFolder(tmp_path / "real", demo=True)

    DataFolder(tmp_path / "demo", demo=True).unlock()
    DataFolder(tmp_path / "demo", demo=True).unlock()
    with pytest.raises(DataFolderError, match="belongs to a demo"):
        DataFolder(tmp_path / "demo")


def test_a_path_that_cannot_be_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataFolderError, match="cannot be used"):
        DataFolder(tmp_path / "file")
