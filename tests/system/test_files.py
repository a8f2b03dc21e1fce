"""Files that are never seen half-written, whatever happens while they are."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvmtui.state.tail import read_lines
from lvmtui.system.files import (
    LineLog,
    append_line,
    create_file,
    replace_file,
    seal_archive,
    sealed_digest,
    written_beside,
)
from lvmtui.system.filesystem import try_lock

CALLS = ("fchmod", "fsync", "replace", "open", "close")


class Crash(BaseException):
    """The power went."""


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_any_step_leaves_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, after: bool
) -> None:
    path = tmp_path / "intent.json"
    replace_file(path, b"old")
    for count in range(4):
        with monkeypatch.context() as patch:
            really, calls = getattr(os, name), [0]

            def crash(*arguments: object, really=really, calls=calls, count=count, **options: object) -> object:  # type: ignore
                calls[0] += 1
                if calls[0] <= count:
                    return really(*arguments, **options)
                if after:
                    really(*arguments, **options)
                raise Crash

            patch.setattr(os, name, crash)
            with suppress(Crash):
                replace_file(path, b"new")
        assert path.read_bytes() in (b"old", b"new")


def test_a_full_disk_destroys_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, b"old")
    with pytest.raises(OSError, match="No space"), written_beside(path) as beside:
        beside.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_what_exists_is_not_created_again(tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    create_file(path, b"first")
    with pytest.raises(FileExistsError):
        create_file(path, b"second")
    assert path.read_bytes() == b"first" and os.listdir(tmp_path) == ["spec.json"]


def test_of_many_who_create_at_once_one_succeeds(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from lvmtui.system.files import create_file\n"
        "try: create_file(Path(sys.argv[1]), sys.argv[2].encode()); print('made')\n"
        "except FileExistsError: print('there')"
    )
    path = tmp_path / "campaign.json"
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(path), str(n)], stdout=subprocess.PIPE, text=True)
        for n in range(4)
    ]
    said = [process.communicate()[0].strip() for process in processes]
    assert sorted(said) == ["made", "there", "there", "there"]
    assert path.read_bytes() == str(said.index("made")).encode()


@settings(deadline=None)
@given(lines=st.lists(st.binary(min_size=1, max_size=10).map(lambda b: b.replace(b"\n", b".")), max_size=8),
       cut=st.integers(0, 80))  # fmt: skip
def test_a_log_cut_at_any_byte_loses_no_line_that_comes_after(
    lines: list[bytes], cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    content = b"".join(line + b"\n" for line in lines)[:cut]
    path.write_bytes(content)
    append_line(path, b"later\n")
    found, _ = read_lines(path)
    assert found[-1] == b"later"
    assert found[:-1] == content.split(b"\n")[: None if content and not content.endswith(b"\n") else -1]


def test_a_short_write_is_said_and_closed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    log = LineLog(path)
    log.append(b"one\n")
    really = os.write
    room = [2]

    def nearly_full(descriptor: int, content: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        fits, room[0] = content[: room[0]], 0
        return really(descriptor, fits)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", nearly_full)
        with pytest.raises(OSError, match="No space"):
            log.append(b"two\n")
    log.append(b"three\n")
    log.close()
    assert path.read_bytes() == b"one\ntw\nthree\n"


def test_a_lock_is_free_when_its_holder_was_killed_and_not_inherited(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    code = (
        "import subprocess, sys, time; from pathlib import Path; from lvmtui.system.filesystem import try_lock\n"
        "lock = try_lock(Path(sys.argv[1]))\n"
        "sleep = [sys.executable, '-S', '-c', 'import time; time.sleep(600)']\n"
        "child = subprocess.Popen(sleep, stdout=subprocess.DEVNULL)\n"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    try:
        assert try_lock(path) is None
        process.kill()
        process.wait()
        lock = try_lock(path)
        assert lock is not None
        assert try_lock(path) is None
        lock.close()
    finally:
        process.kill()
        process.wait()
        os.kill(child, 9)


def archive(path: Path) -> str:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("weights", b"1234567890" * 20)
    return seal_archive(path)


def test_a_sealed_archive_is_still_an_archive(tmp_path: Path) -> None:
    digest = archive(tmp_path / "checkpoint.pt")
    assert sealed_digest(tmp_path / "checkpoint.pt") == digest
    with zipfile.ZipFile(tmp_path / "checkpoint.pt") as file:
        assert file.testzip() is None and file.read("weights").startswith(b"1234567890")
    with pytest.raises(ValueError, match="without a comment"):
        seal_archive(tmp_path / "checkpoint.pt")


def test_an_archive_cut_or_changed_anywhere_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    archive(path)
    whole = path.read_bytes()
    for position in range(0, len(whole), 5):
        path.write_bytes(whole[:position])
        assert sealed_digest(path) is None
        changed = bytearray(whole)
        changed[position] ^= 1
        path.write_bytes(changed)
        assert sealed_digest(path) is None
    assert sealed_digest(tmp_path / "missing") is None


NO_FLOCK = """
import errno, fcntl, sys
from pathlib import Path

def flock(*arguments):
    raise OSError(errno.ENOSYS, "no flock here")

fcntl.flock = flock
if sys.argv[2] == "none":
    fcntl.lockf = flock
from lvmtui.system.filesystem import try_lock

try:
    lock = try_lock(Path(sys.argv[1]))
except OSError as error:
    print(error.strerror)
else:
    print("taken" if lock else "held by another", flush=True)
    if lock:
        sys.stdin.read()
"""


def test_a_file_system_without_flock_has_other_locks_or_says_so(tmp_path: Path) -> None:
    def locker(how: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", NO_FLOCK, str(tmp_path / "lock"), how]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    first = locker("bytes")
    assert first.stdout is not None and first.stdout.readline() == "taken\n"
    assert locker("bytes").communicate()[0] == "held by another\n"
    first.kill()
    first.communicate()
    again = locker("bytes")
    assert again.communicate("")[0] == "taken\n", "freed by the death of its holder"
    assert "no locks" in locker("none").communicate()[0]
