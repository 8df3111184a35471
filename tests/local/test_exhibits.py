"""The demo's pictures, which the sample API can draw for itself."""

from cakegate.local import exhibits


def test_the_demos_files_are_drawn_once_and_said_by_name(tmp_path):
    shown = exhibits.draw(tmp_path / "pictures")
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "pictures").glob("draw_*")}

    assert shown == exhibits.draw(tmp_path / "pictures")
    assert before == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "pictures").glob("draw_*")}
    assert {"missing.jpg"} == set(shown) - {path.name for path in (tmp_path / "pictures").iterdir()}
